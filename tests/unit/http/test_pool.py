"""Which connection of an HTTP listener is closed to make room, and when one more request is refused."""

import itertools

import pytest

from steerway.http.limit import LimitLog
from steerway.http.pool import Pool

_NAMES = (f"pool {number}" for number in itertools.count())


class Peer:
    """A connection that knows only whether it was closed."""

    def __init__(self, name: str) -> None:
        self.peer = name
        self.closed = False

    def abort(self) -> None:
        self.closed = True


@pytest.fixture
def pool() -> Pool:
    """Room for eight, one of which stays free for probes."""
    name = next(_NAMES)
    return Pool(8, name, LimitLog(name))


def opened(pool: Pool, count: int) -> list[Peer]:
    peers = [Peer(str(number)) for number in range(count)]
    for peer in peers:
        pool.make_room()
        pool.add(peer)
    return peers


def closed(peers: list[Peer]) -> list[int]:
    return [number for number, peer in enumerate(peers) if peer.closed]


def test_the_longest_waiting_connections_make_room(pool: Pool) -> None:
    """No more than the limit are open, and the newest stay."""
    assert closed(opened(pool, 8)) == []
    assert closed(opened(pool, 8)) == []
    assert len(pool) == 8


def test_room_for_several_is_made_at_once(pool: Pool) -> None:
    """As many as are accepted together; a batch of an eighth does not displace what came before it."""
    peers = opened(pool, 8)
    pool.make_room(3)
    assert closed(peers) == [0, 1, 2]
    assert pool.batch == 1


def test_one_that_began_to_wait_later_is_closed_later(pool: Pool) -> None:
    """After a request its connection is among the newest again; during the answer it is not closed at all."""
    peers = opened(pool, 8)
    pool.answer(peers[0])
    pool.answer(peers[1])
    pool.wait(peers[0])
    opened(pool, 7)
    assert closed(peers) == [0, 2, 3, 4, 5, 6, 7]


def test_there_is_no_room_while_every_connection_waits_for_an_answer(pool: Pool) -> None:
    """Such connections are bounded below the limit, so it takes probes to come here."""
    peers = opened(pool, 8)
    assert not pool.stuck
    for peer in peers:
        pool.answer(peer)
    assert pool.stuck
    pool.wait(peers[3])
    assert not pool.stuck


def test_answers_leave_a_connection_for_probes(pool: Pool) -> None:
    """Seven of eight may wait for an answer."""
    peers = opened(pool, 8)
    for peer in peers[:7]:
        pool.answer(peer)
        assert pool.may_answer
    pool.answer(peers[7])
    assert not pool.may_answer


def test_a_closed_connection_is_not_counted_and_never_waits(pool: Pool) -> None:
    """Its end is reported once more after it was closed here."""
    (peer,) = opened(pool, 1)
    pool.remove(peer)
    pool.wait(peer)
    assert len(pool) == 0
    assert not pool.close_longest_waiting("connections")


def test_the_end_closes_all(pool: Pool) -> None:
    """Also those that are being answered."""
    peers = opened(pool, 3)
    pool.answer(peers[1])
    pool.abort()
    assert closed(peers) == [0, 1, 2]
    assert len(pool) == 0
