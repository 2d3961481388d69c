"""The fair queue: round robin between networks, all bounds, and cancellation without lost turns."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerway.access.fair_queue import FairQueue, QueueFullError


class Clients:
    """Clients that request turns; each keeps its turn until `release_oldest`."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.order: list[str] = []
        self.active: list[tuple[str, bool, asyncio.Event]] = []

    async def want(self, network: str, first: bool = False) -> None:
        async with self.queue.turn(network, first=first):
            done = asyncio.Event()
            self.order.append(network)
            self.active.append((network, first, done))
            try:
                await done.wait()
            finally:
                self.active.remove((network, first, done))

    async def start(self, *networks: str, first: bool = False) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self.want(network, first)) for network in networks]
        await rest()
        return tasks

    async def release_oldest(self) -> None:
        """End the turn that was taken first."""
        self.active[0][2].set()
        await rest()


async def rest() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_networks_take_turns() -> None:
    """However many clients of a network wait, one client of each other network comes in between."""
    clients = Clients(FairQueue(1, by_network=1, max_waiting=100))
    tasks = await clients.start(*"aaaaa", *"bbb", "c")
    for _ in range(8):
        await clients.release_oldest()
    assert "".join(clients.order) == "aabcababa", "the first client had no predecessor"
    await end(tasks)


async def test_a_network_has_its_share_and_reserved_turns_serve_priority_clients() -> None:
    """A client without a claim on a reserved turn waits, even if the turn is free."""
    clients = Clients(FairQueue(5, by_network=2, max_waiting=100, reserved=2))
    tasks = await clients.start(*"aaabc")
    assert clients.order == ["a", "a", "b"]
    tasks += await clients.start(*"abc", first=True)
    assert clients.order[3:] == ["b", "c"]
    await clients.release_oldest()
    assert clients.order[5:] == ["a"], "priority clients first, then the others"
    await end(tasks)
    assert len(clients.queue) == 0


async def test_a_full_queue_drops_a_client_of_the_largest_network() -> None:
    """The newest one; the new client itself if it belongs to that network."""
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
        st.tuples(st.just("release"), st.integers(0, 30), st.booleans()),
        st.tuples(st.just("cancel"), st.integers(0, 30), st.booleans()),
    ),
    max_size=40,
)


@given(STEPS, st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 6))
def test_no_turn_is_lost_and_no_bound_is_exceeded(
    steps: list[tuple[str, object, bool]], turns: int, by_network: int, reserved: int, most: int
) -> None:
    """Whatever is cancelled, also in the moment of its turn: without a rest, no other task runs in between."""
    reserved = min(reserved, turns - 1)

    async def run() -> None:
        clients = Clients(FairQueue(turns, by_network=by_network, max_waiting=most, reserved=reserved))
        tasks: list[asyncio.Task[None]] = []
        for action, which, flag in steps:
            if action == "want":
                tasks.append(asyncio.create_task(clients.want(str(which), flag)))
            elif action == "release" and clients.active:
                assert isinstance(which, int)
                clients.active[which % len(clients.active)][2].set()
            elif action == "cancel" and tasks:
                assert isinstance(which, int)
                tasks[which % len(tasks)].cancel()
            if flag:
                await rest()
                check(clients)
        for _ in range(2 * len(tasks) + 2):
            await rest()
            for _network, _first, done in list(clients.active):
                done.set()
        await rest()
        assert all(task.done() for task in tasks)
        assert len(clients.queue) == 0
        again = await clients.start(*"ghijk"[:turns], first=True)
        assert len(clients.active) == turns
        await end(again)
        for task in tasks:
            with suppress(QueueFullError, asyncio.CancelledError):
                task.result()

    def check(clients: Clients) -> None:
        holders = [network for network, _, _ in clients.active]
        assert len(holders) <= turns
        assert all(holders.count(network) <= by_network for network in holders)
        assert sum(not first for _, first, _ in clients.active) <= turns - reserved
        assert len(clients.queue) <= 2 * most

    asyncio.run(run())
