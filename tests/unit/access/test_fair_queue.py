"""Turns: round robin between networks, bounded in every way, and none is lost whatever is cancelled."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerway.access.fair_queue import FairQueue, QueueFullError


class Clients:
    """Those who want a turn; each holds it until it is let go."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.order: list[str] = []
        self.held: list[tuple[str, bool, asyncio.Event]] = []

    async def want(self, network: str, first: bool = False) -> None:
        async with self.queue.turn(network, first=first):
            done = asyncio.Event()
            self.order.append(network)
            self.held.append((network, first, done))
            try:
                await done.wait()
            finally:
                self.held.remove((network, first, done))

    async def start(self, *networks: str, first: bool = False) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self.want(network, first)) for network in networks]
        await rest()
        return tasks

    async def let_go(self) -> None:
        """The turn that is held longest ends."""
        self.held[0][2].set()
        await rest()


async def rest() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_networks_take_turns() -> None:
    """However many one has waiting, another waits for one of it."""
    clients = Clients(FairQueue(1, by_network=1, max_waiting=100))
    tasks = await clients.start(*"aaaaa", *"bbb", "c")
    for _ in range(8):
        await clients.let_go()
    assert "".join(clients.order) == "aabcababa", "the first found nobody before it"
    await end(tasks)


async def test_a_network_holds_its_part_and_the_reserved_turns_are_for_those_that_come_first() -> None:
    """Turns that are free are given to nobody who may not have them."""
    clients = Clients(FairQueue(5, by_network=2, max_waiting=100, reserved=2))
    tasks = await clients.start(*"aaabc")
    assert clients.order == ["a", "a", "b"]
    tasks += await clients.start(*"abc", first=True)
    assert clients.order[3:] == ["b", "c"]
    await clients.let_go()
    assert clients.order[5:] == ["a"], "those that come first, and then the others"
    await end(tasks)
    assert len(clients.queue) == 0


async def test_when_there_is_no_room_the_network_with_the_most_makes_some() -> None:
    """Its newest goes, or the newcomer when that is its own."""
    clients = Clients(FairQueue(1, by_network=1, max_waiting=4))
    tasks = await clients.start(*"aaaaa")
    for task in await clients.start("a"):
        with pytest.raises(QueueFullError):
            await task
    tasks += await clients.start("b")
    with pytest.raises(QueueFullError):
        await tasks[4]
    assert len(clients.queue) == 4
    await end(tasks)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("want"), st.sampled_from("abcdef"), st.booleans()),
        st.tuples(st.just("let_go"), st.integers(0, 30), st.booleans()),
        st.tuples(st.just("cancel"), st.integers(0, 30), st.booleans()),
    ),
    max_size=40,
)


@given(STEPS, st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 6))
def test_no_turn_is_lost_and_no_bound_is_exceeded(
    steps: list[tuple[str, object, bool]], turns: int, by_network: int, reserved: int, most: int
) -> None:
    """Whoever cancels, also at the moment in which its turn comes: `at_once` does not let anybody run before."""
    reserved = min(reserved, turns - 1)

    async def run() -> None:
        clients = Clients(FairQueue(turns, by_network=by_network, max_waiting=most, reserved=reserved))
        tasks: list[asyncio.Task[None]] = []
        for action, which, flag in steps:
            if action == "want":
                tasks.append(asyncio.create_task(clients.want(str(which), flag)))
            elif action == "let_go" and clients.held:
                assert isinstance(which, int)
                clients.held[which % len(clients.held)][2].set()
            elif action == "cancel" and tasks:
                assert isinstance(which, int)
                tasks[which % len(tasks)].cancel()
            if flag:
                await rest()
                check(clients)
        for _ in range(2 * len(tasks) + 2):
            await rest()
            for _network, _first, done in list(clients.held):
                done.set()
        await rest()
        assert all(task.done() for task in tasks)
        assert len(clients.queue) == 0
        again = await clients.start(*"ghijk"[:turns], first=True)
        assert len(clients.held) == turns
        await end(again)
        for task in tasks:
            with suppress(QueueFullError, asyncio.CancelledError):
                task.result()

    def check(clients: Clients) -> None:
        holders = [network for network, _, _ in clients.held]
        assert len(holders) <= turns
        assert all(holders.count(network) <= by_network for network in holders)
        assert sum(not first for _, first, _ in clients.held) <= turns - reserved
        assert len(clients.queue) <= 2 * most

    asyncio.run(run())
