"""Debounce: many changes become few commits, late by a bounded time, each service for itself.

A `Window` on the event loop's time, over a view of the store that shows a change only once it is committed: what is
given out together is seen together, and nothing of what still waits. The window decides what that is.

It does not know what a change means and does not read objects: keys go in, the keys that are due come out
together, with the time since when each owner waits.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

from steerway.sources.committed import Committed
from steerway.sources.store import Changes
from steerway.sources.window import Due, Window


class Debouncer:
    """`add` from the store's listener, `await next()` from one consumer, which reads objects from `committed`."""

    def __init__(
        self,
        window: Window,
        committed: Committed,
        clock: Callable[[], float] = time.monotonic,
        calendar: Callable[[], float] = time.time,
        partial: Callable[[], bool] = lambda: False,
    ) -> None:
        """`partial`: whether the source of atomic batches has further parts of one."""
        self._window = window
        self._committed = committed
        self._partial = partial
        self._clock = clock
        self._calendar = calendar
        self._changed = asyncio.Event()

    def add(self, changes: Changes) -> None:
        """Note changed keys, each with the time at which it happened (seconds since the epoch) if that is known. Call
        it on the event loop; it never blocks."""
        now = self._clock()
        # The cluster's clock and this one may differ: nothing happens after it was received.
        behind = self._calendar() - now
        happened = {
            key: change._replace(event=None if change.event is None else min(now, change.event - behind))
            for key, change in changes.items()
        }
        waiting = self._window.add(happened, now, more=self._partial())
        self._committed.keep({key: changes[key].before for key in waiting})
        self._changed.set()

    async def next(self) -> Due:
        """What is due, as soon as anything is; never empty. `committed` shows its keys as they are now."""
        while True:
            self._changed.clear()
            due = self._window.due
            if due is None:
                await self._changed.wait()
                continue
            remaining = due - self._clock()
            if remaining <= 0:
                taken = self._window.take(self._clock())
                if taken.keys:
                    self._committed.release(taken.keys)
                    return taken
                continue
            # Not wait_for: before Python 3.12 it swallows a cancellation that meets the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await self._changed.wait()
