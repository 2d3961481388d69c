"""One viewer: the messages that wait for its connection."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection

from steerway.admin.events.message import KEEP_ALIVE

MAX_UNSENT_BYTES = 1 << 20
"""Of a viewer that reads too slowly. The first message of a topic has all rows, and does not count."""
KEEP_ALIVE_SECONDS = 15.0
PART_BYTES = 64 << 10
"""Bytes that are passed to the connection at once, which limits the time of each part."""


class EventStream:
    """`topics` are those that it wants; those in `fresh` have had no message yet."""

    def __init__(self, topics: Collection[str], keep_alive_seconds: float = KEEP_ALIVE_SECONDS) -> None:
        self.topics = frozenset(topics)
        self.fresh = set(topics)
        self._keep_alive_seconds = keep_alive_seconds
        self._waiting: deque[bytes] = deque()
        self._unsent = 0
        self._ready = asyncio.Event()
        self._ended = False

    def put(self, content: bytes, *, first: bool = False) -> bool:
        """Append a message; False when the viewer is too slow, and was ended. `first`: it has all rows of a topic."""
        if not first:
            self._unsent += len(content)
            if self._unsent > MAX_UNSENT_BYTES:
                self._waiting.clear()
                self.end()
                return False
        self._waiting.append(content)
        self._ready.set()
        return True

    def end(self) -> None:
        """End the stream after the messages that wait."""
        self._ended = True
        self._ready.set()

    async def parts(self) -> AsyncIterator[bytes]:
        """The parts of the response, until `end`."""
        while True:
            if not self._waiting and not self._ended:
                self._ready.clear()
                try:
                    async with asyncio.timeout(self._keep_alive_seconds):
                        await self._ready.wait()
                except TimeoutError:
                    yield KEEP_ALIVE
                    continue
            if not self._waiting:
                return
            content = b"".join(self._waiting)
            self._waiting.clear()
            self._unsent = 0
            for start in range(0, len(content), PART_BYTES):
                yield content[start : start + PART_BYTES]
