"""Debounce: many changes become few batches, late by a bounded time.

Two numbers decide. *Quiet time*: a batch is given out when nothing has changed for so long. *Maximum wait*:
it is given out at the latest so long after its first change, however busy the cluster is (a trailing debounce
without a maximum starves during a big rollout). A batch of EndpointSlices only, the common case in a rollout
and the urgent one, goes by shorter numbers than one that also holds Services, which tend to come as a wave of
edits. So do raw resources: they come from files, whose source gives one save or one ConfigMap swap as one
batch already.

It does not know what a change means and does not read objects: keys go in, the union of keys comes out.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from steerway import telemetry
from steerway.sources.objects import ObjectKey


@dataclass(frozen=True, slots=True)
class Delay:
    """Both numbers of one path, in seconds."""

    quiet_seconds: float
    max_wait_seconds: float

    def __post_init__(self) -> None:
        if not 0 <= self.quiet_seconds <= self.max_wait_seconds:
            raise ValueError(
                f"quiet time {self.quiet_seconds} s is not within 0..{self.max_wait_seconds} s (maximum wait)"
            )


ENDPOINTS = Delay(quiet_seconds=0.005, max_wait_seconds=0.05)
"""5 ms catch the slices that one rollout step writes together; 50 ms is what an operator would still call at
once."""
_URGENT = frozenset({"EndpointSlice", "XdsResource"})
OTHERS = Delay(quiet_seconds=0.05, max_wait_seconds=0.5)
"""An apply of a folder of manifests arrives within 50 ms per object."""


class Window:
    """The changes that wait, and when they are due. No clock: `now` is an argument (seconds, any monotonic
    origin)."""

    def __init__(self, endpoints: Delay = ENDPOINTS, others: Delay = OTHERS) -> None:
        self._endpoints = endpoints
        self._others = others
        self._keys: set[ObjectKey] = set()
        self._urgent = True
        self._changes = 0
        self._first = 0.0
        self._last = 0.0

    def add(self, keys: frozenset[ObjectKey], now: float) -> None:
        """Let `keys` wait; they restart the quiet time, never the maximum wait."""
        if not keys:
            return
        if not self._keys:
            self._first = now
            self._urgent = True
        self._last = now
        self._keys |= keys
        self._changes += len(keys)
        self._urgent = self._urgent and all(key.kind in _URGENT for key in keys)

    @property
    def due(self) -> float | None:
        """The time from which `take` gives the batch, or None when nothing waits."""
        if not self._keys:
            return None
        delay = self._endpoints if self._urgent else self._others
        return min(self._last + delay.quiet_seconds, self._first + delay.max_wait_seconds)

    def take(self, now: float) -> frozenset[ObjectKey]:
        """Give out everything that waits, due or not, and start anew."""
        if self._keys:
            telemetry.DEBOUNCE_SECONDS.observe(max(0.0, now - self._first))
            telemetry.DEBOUNCED_CHANGES.observe(self._changes)
        taken, self._keys, self._changes = frozenset(self._keys), set(), 0
        return taken


class Debouncer:
    """A `Window` on the event loop's time: `add` from the store's listener, `await next()` from one
    consumer."""

    def __init__(
        self,
        endpoints: Delay = ENDPOINTS,
        others: Delay = OTHERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window = Window(endpoints, others)
        self._clock = clock
        self._changed = asyncio.Event()

    def add(self, keys: frozenset[ObjectKey]) -> None:
        """Note changed keys. Call it on the event loop; it never blocks."""
        self._window.add(keys, self._clock())
        self._changed.set()

    async def next(self) -> frozenset[ObjectKey]:
        """The union of the keys that changed since the last call, when they are due; never empty."""
        while True:
            self._changed.clear()
            due = self._window.due
            if due is None:
                await self._changed.wait()
                continue
            remaining = due - self._clock()
            if remaining <= 0:
                return self._window.take(self._clock())
            # Not wait_for: before Python 3.12 it swallows a cancellation that meets the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await self._changed.wait()
