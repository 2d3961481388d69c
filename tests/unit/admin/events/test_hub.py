"""The hub: one computation for all viewers, their first messages, and what ends them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from steerway.admin.events import event_stream
from steerway.admin.events.event_stream import MAX_UNSENT_BYTES, EventStream
from steerway.admin.events.feed import InThread, Update
from steerway.admin.events.hub import Hub
from testbed.process.deadline import PATIENCE_SECONDS


class Counting:
    """A feed that counts its reads; the first message is `all`, the others are the number of the read."""

    def __init__(self) -> None:
        self.reads = 0
        self.content = b"%d"

    async def read(self, fresh: bool, _in_thread: InThread) -> Update:
        self.reads += 1
        following = self.content % self.reads if b"%d" in self.content else self.content
        return Update(b"all" if fresh else None, following)


class Failing:
    """A feed with a defect."""

    async def read(self, _fresh: bool, _in_thread: InThread) -> Update:
        raise RuntimeError("defect")


class World:
    def __init__(self) -> None:
        self.feeds: list[Counting] = []
        self.draining = False
        self.hub = Hub(self._make, 2, lambda: self.draining, ThreadPoolExecutor(1))

    def _make(self) -> dict[str, Counting | Failing]:
        self.feeds.append(Counting())
        return {"broken": Failing(), "status": self.feeds[-1], "clients": Counting()}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    world.draining = True


async def message(events: EventStream) -> tuple[str, str]:
    """Topic and data of the next message."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        part = await anext(events.parts())
    lines = part.decode().split("\n")
    assert lines[1].startswith("id: ")
    return lines[0].removeprefix("event: "), lines[2].removeprefix("data: ")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - the state of the task can only be read
            await asyncio.sleep(0.01)


async def test_the_first_message_has_all_and_the_next_ones_are_shared(world: World) -> None:
    first = world.hub.join(["status"])
    assert await message(first) == ("status", "all")
    second = world.hub.join(["status"])
    topic, data = await message(first)
    assert await message(second) == ("status", "all")
    assert topic == "status"
    assert int(data) > 1
    assert len(world.feeds) == 1
    world.hub.leave(first)
    world.hub.leave(second)


async def test_only_topics_of_a_viewer_are_read(world: World) -> None:
    viewer = world.hub.join(["clients"])
    assert await message(viewer) == ("clients", "all")
    assert world.feeds[0].reads == 0
    world.hub.leave(viewer)


async def test_without_viewers_nothing_is_read(world: World) -> None:
    """The next viewer begins with new feeds."""
    viewer = world.hub.join(["status"])
    await message(viewer)
    world.hub.leave(viewer)
    await until(lambda: world.hub.is_idle)
    viewer = world.hub.join(["status"])
    assert await message(viewer) == ("status", "all")
    assert [feed.reads for feed in world.feeds][1] == 1
    world.hub.leave(viewer)


async def test_a_defect_of_one_topic_does_not_stop_the_others(world: World) -> None:
    viewer = world.hub.join(["broken", "status"])
    assert await message(viewer) == ("status", "all")
    world.hub.leave(viewer)


async def test_a_defect_before_a_batch_does_not_stop_it(world: World) -> None:
    def prepare() -> None:
        raise RuntimeError("defect")

    hub = Hub(world._make, 2, lambda: world.draining, ThreadPoolExecutor(1), prepare)
    viewer = hub.join(["status"])
    assert await message(viewer) == ("status", "all")
    hub.leave(viewer)


async def test_a_slow_viewer_is_ended_and_the_others_are_not(world: World) -> None:
    slow, quick = world.hub.join(["status"]), world.hub.join(["status"])
    assert world.hub.is_full
    await message(quick)
    world.feeds[0].content = b"x" * MAX_UNSENT_BYTES
    await until(lambda: not world.hub.is_full)
    assert [part async for part in slow.parts()] == []
    world.hub.leave(quick)


async def test_a_drain_ends_all_after_their_last_message(world: World) -> None:
    viewer = world.hub.join(["status"])
    assert await message(viewer) == ("status", "all")
    world.draining = True
    async with asyncio.timeout(PATIENCE_SECONDS):
        rest = b"".join([part async for part in viewer.parts()])
    assert rest.startswith(b"event: status")
    world.hub.leave(viewer)


async def test_a_silent_stream_is_kept_alive() -> None:
    viewer = EventStream(["status"], keep_alive_seconds=0.001)
    parts = viewer.parts()
    assert await anext(parts) == b": keep-alive\n\n"
    viewer.put(b"x", first=True)
    assert await anext(parts) == b"x"


async def test_a_long_first_message_is_sent_in_parts_and_counts_as_no_delay() -> None:
    viewer = EventStream(["status"])
    assert viewer.put(b"x" * 3 * MAX_UNSENT_BYTES, first=True)
    assert viewer.put(b"y" * (MAX_UNSENT_BYTES - 1))
    parts = viewer.parts()
    viewer.end()
    sizes = [len(part) async for part in parts]
    assert sum(sizes) == 4 * MAX_UNSENT_BYTES - 1
    assert max(sizes) == event_stream.PART_BYTES
