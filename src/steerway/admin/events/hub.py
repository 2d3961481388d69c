"""All viewers, and the task that reads the topics they want: once in a batch, whatever their number.

The task runs while there are viewers. It ends them when the process drains: they connect to another replica.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from typing import TypeVar

from steerway.admin.events.event_stream import EventStream
from steerway.admin.events.feed import BATCH_SECONDS, Feed
from steerway.admin.events.message import message
from steerway.runtime.isolation import isolated

PATH = "/api/v1/events"
_T = TypeVar("_T")


class Hub:
    """`feeds` makes the feeds of all topics anew, when the first viewer comes. `most`: viewers at a time. Call
    everything on the event loop; long parts run in `threads`. `prepare` is called before each batch."""

    def __init__(
        self,
        feeds: Callable[[], Mapping[str, Feed]],
        most: int,
        draining: Callable[[], bool],
        threads: Executor,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._make_feeds = feeds
        self._most = most
        self.draining = draining
        self._threads = threads
        self._prepare = prepare
        self._viewers: set[EventStream] = set()
        self._task: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)

    @property
    def is_full(self) -> bool:
        return len(self._viewers) >= self._most

    @property
    def is_idle(self) -> bool:
        """Whether nothing is read."""
        return self._task is None or self._task.done()

    @property
    def most(self) -> int:
        """The limit of viewers."""
        return self._most

    def join(self, topics: Collection[str]) -> EventStream:
        """A new viewer, which must `leave`."""
        viewer = EventStream(topics)
        self._viewers.add(viewer)
        if self.is_idle:
            self._task = asyncio.create_task(self._run(), name="events")
        return viewer

    def leave(self, viewer: EventStream) -> None:
        """Its connection ended. Idempotent."""
        self._viewers.discard(viewer)

    async def _run(self) -> None:
        feeds = self._make_feeds()
        while self._viewers:
            begin = time.monotonic()
            # Before the topics are read: the status of a replica that drains is the last message.
            draining = self.draining()
            await self._send_batch(feeds)
            if draining:
                for viewer in self._viewers:
                    viewer.end()
                return
            await asyncio.sleep(max(0.0, BATCH_SECONDS - (time.monotonic() - begin)))

    async def _send_batch(self, feeds: Mapping[str, Feed]) -> None:
        with isolated("http_request", path=PATH):
            self._prepare()
        for topic, feed in feeds.items():
            viewers = [viewer for viewer in self._viewers if topic in viewer.topics]
            if viewers:
                with isolated("http_request", path=PATH, topic=topic):
                    await self._send_topic(topic, feed, viewers)

    async def _send_topic(self, topic: str, feed: Feed, viewers: Collection[EventStream]) -> None:
        fresh = [viewer for viewer in viewers if topic in viewer.fresh]
        update = await feed.read(bool(fresh), self._in_thread)
        if update.first is not None and fresh:
            content = message(topic, next(self._numbers), update.first)
            for viewer in fresh:
                viewer.put(content, first=True)
                viewer.fresh.discard(topic)
        others = [viewer for viewer in viewers if viewer not in fresh]
        if update.next is not None and others:
            content = message(topic, next(self._numbers), update.next)
            for viewer in others:
                if not viewer.put(content):
                    self.leave(viewer)

    async def _in_thread(self, function: Callable[[], _T]) -> tuple[_T, float]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _timed, function)


def _timed(function: Callable[[], _T]) -> tuple[_T, float]:
    begin = time.thread_time()
    result = function()
    return result, time.thread_time() - begin
