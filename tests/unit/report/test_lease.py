"""The Lease that selects the writing replica, by clocks that are never compared."""

import re
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from steerway.report.lease import DURATION_SECONDS, RENEW_SECONDS, Lease, Record, name_of


@dataclass
class Server:
    """One Lease, with optimistic locking."""

    record: Record = field(default_factory=Record)
    writes: int = 0

    def write(self, bid: Record) -> Record | None:
        """The record as it is now; None for a conflict."""
        if bid.version != self.record.version:
            return None
        self.writes += 1
        self.record = replace(bid, version=str(self.writes))
        return self.record


def attempt(lease: Lease, server: Server, now: float, calendar: str = "12:00") -> None:
    """What a holder does, with an API server that answers at once."""
    if not lease.known:
        lease.observe(server.record, now)
    bid = lease.bid(now, calendar)
    if bid is None:
        return
    written = server.write(bid)
    if written is None:
        lease.refused()
        lease.observe(server.record, now)
    else:
        lease.written(written, now)


def test_the_first_gets_it_and_keeps_it_while_it_renews() -> None:
    """Times of acquisition and renewal are for people; a renewal is no transition."""
    server, first, second = Server(), Lease("first"), Lease("second")
    for now in (0.0, 2.0, 4.0):
        attempt(first, server, now, f"12:00:0{now:.0f}")
        attempt(second, server, now)
        assert (first.active(now), second.active(now)) == (True, False)
    assert server.record == Record("first", DURATION_SECONDS, "12:00:00", "12:00:04", 0, "3")


def test_a_holder_that_cannot_renew_stops_long_before_another_may_begin() -> None:
    """The other waits for the whole duration from the last change that it saw, by its own clock."""
    server, first, second = Server(), Lease("first"), Lease("second")
    attempt(first, server, 0)
    attempt(second, server, 1000.0)  # its clock is another one
    assert first.active(RENEW_SECONDS - 0.1)
    assert not first.active(RENEW_SECONDS)
    attempt(second, server, 1000 + DURATION_SECONDS - 0.1)
    assert not second.active(1000 + DURATION_SECONDS - 0.1)
    attempt(second, server, 1000 + DURATION_SECONDS)
    assert second.active(1000 + DURATION_SECONDS)
    assert (server.record.holder, server.record.transitions) == ("second", 1)


def test_a_holder_that_comes_back_has_lost_it() -> None:
    """Its write meets a version that is not its own any more."""
    server, first, second = Server(), Lease("first"), Lease("second")
    attempt(first, server, 0)
    attempt(second, server, 0)
    attempt(second, server, 20)
    attempt(first, server, 21)
    assert (first.active(21), second.active(21)) == (False, True)
    attempt(first, server, 22)
    assert server.record.holder == "second"


def test_a_released_lease_is_free_at_once() -> None:
    """The others need not wait after a release."""
    server, first, second = Server(), Lease("first"), Lease("second")
    attempt(first, server, 0)
    last = first.release(server.record, "12:00")
    assert last is not None
    server.write(last)
    assert not first.active(0)
    assert first.release(server.record, "12:00") is None
    attempt(second, server, 0.5)
    assert second.active(0.5)


def test_a_lease_of_another_replica_is_not_released() -> None:
    """The one that lost it may end later than the one that has it."""
    server, first, second = Server(), Lease("first"), Lease("second")
    attempt(first, server, 0)
    attempt(second, server, 1)
    attempt(second, server, 1 + DURATION_SECONDS)
    assert server.record.holder == "second"
    assert first.release(server.record, "12:00") is None
    assert not first.active(0)


def test_a_lost_answer_is_found_out_by_reading() -> None:
    """The write was accepted without a response: the next one conflicts with its own version."""
    server, lease = Server(), Lease("first")
    attempt(lease, server, 0)
    bid = lease.bid(2, "12:00")
    assert bid is not None
    server.write(bid)
    attempt(lease, server, 4)
    attempt(lease, server, 6)
    assert lease.active(6 + RENEW_SECONDS - 0.1)
    assert server.record.transitions == 0


@dataclass
class Replica:
    """A view with a clock of its own, and what is on its way to the server."""

    lease: Lease
    ahead: float
    bid: tuple[Record, float] | None = None
    log: list[str] = field(default_factory=list)


class LeaseMachine(RuleBasedStateMachine):
    """Three replicas, any delays, lost answers: never two that hold it, and never none without end."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.server = Server()
        self.replicas = [Replica(Lease(f"r{number}"), ahead=number * 1e6) for number in range(3)]

    def clock(self, replica: Replica) -> float:
        return self.now + replica.ahead

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.0, 5.0, 11.0, 16.0]))
    def pass_time(self, seconds: float) -> None:
        # A write is on its way for less than the margin: the holder breaks requests off after half of its deadline.
        if all(replica.bid is None or seconds <= 2 for replica in self.replicas):
            self.now += seconds

    @rule(number=st.integers(0, 2))
    def begin(self, number: int) -> None:
        replica = self.replicas[number]
        if replica.bid is None:
            at = self.clock(replica)
            if not replica.lease.known:
                replica.lease.observe(self.server.record, at)
            bid = replica.lease.bid(at, "")
            replica.bid = None if bid is None else (bid, at)

    @rule(number=st.integers(0, 2), lost=st.booleans())
    def finish(self, number: int, lost: bool) -> None:
        replica = self.replicas[number]
        if replica.bid is None:
            return
        (bid, sent_at), replica.bid = replica.bid, None
        written = self.server.write(bid)
        if lost:
            return
        if written is None:
            replica.lease.refused()
            replica.lease.observe(self.server.record, self.clock(replica))
        else:
            replica.lease.written(written, sent_at)

    @rule(number=st.integers(0, 2))
    @precondition(lambda self: all(replica.bid is None for replica in self.replicas))
    def settle(self, number: int) -> None:
        """With a working API server, a replica that continues to bid gets it when the others are silent."""
        replica = self.replicas[number]
        for _ in range(12):
            attempt(replica.lease, self.server, self.clock(replica))
            if replica.lease.active(self.clock(replica)):
                return
            self.now += 2
        raise AssertionError(self.server.record)

    @invariant()
    def never_two(self) -> None:
        assert sum(replica.lease.active(self.clock(replica)) for replica in self.replicas) <= 1


TestLease = LeaseMachine.TestCase


def test_each_scope_has_a_lease_of_its_own() -> None:
    """Without filters the name is the plain one; the same filters give the same name everywhere."""
    names = [
        name_of(scope)
        for scope in (
            {},
            {"upstream_services": ["web"]},
            {"upstream_services": ["pay"]},
            {"service_selector": "web"},
            {"service_selector": "web", "upstream_services": ["web"]},
        )
    ]
    assert names[0] == "steerway"
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("steerway-[0-9a-f]{8}", name) for name in names[1:])
    assert names[4] == name_of({"upstream_services": ["web"], "service_selector": "web"})
