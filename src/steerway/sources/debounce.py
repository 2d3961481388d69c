"""Debounce: many changes become few batches, late by a bounded time, each service for itself.

Two numbers decide. *Quiet time*: what waits is given out when nothing more has changed for so long. *Maximum wait*: it
is given out at the latest so long after its first change, however busy the cluster is (a trailing debounce without a
maximum starves during a big rollout). They count for each service alone, so that one that changes all the time delays
no other. EndpointSlices, the common case in a rollout and the urgent one, go by shorter numbers than Services, which
tend to come as a wave of edits, and do not wait for these. So do raw resources, all together: they come from files,
whose source gives one save or one ConfigMap swap as one batch already.

It does not know what a change means and does not read objects: keys go in, the keys that are due come out
together, with the time since when each owner waits.
"""

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field

from steerway import telemetry
from steerway.origin import Origin
from steerway.sources.objects import ObjectKey

Owners = Callable[[ObjectKey], Collection[Hashable]]
"""Whose change it is: what has the same owner waits together, what has two waits for each. Without an owner it is not
given out."""


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


@dataclass(frozen=True, slots=True)
class Due:
    """What is given out together: changed keys, and for each owner the change that waited longest."""

    keys: frozenset[ObjectKey]
    origins: Mapping[Hashable, Origin]


@dataclass(slots=True)
class _Lane:
    """What waits of one owner by one pair of numbers."""

    delay: Delay
    number: int
    origin: Origin
    last: float
    changes: int = 0
    keys: set[ObjectKey] = field(default_factory=set)

    @property
    def due(self) -> float:
        return min(self.last + self.delay.quiet_seconds, self.origin.received + self.delay.max_wait_seconds)


class Window:
    """The changes that wait, and when they are due. No clock: `now` is an argument (seconds, any monotonic
    origin). A change costs the logarithm of how many owners wait."""

    def __init__(self, owners: Owners, endpoints: Delay = ENDPOINTS, others: Delay = OTHERS) -> None:
        self._owners = owners
        self._endpoints = endpoints
        self._others = others
        self._lanes: dict[tuple[Hashable, bool], _Lane] = {}
        # A lane is due no sooner than its entry says; the entry is renewed when it comes to the top.
        self._queue: list[tuple[float, int, tuple[Hashable, bool]]] = []
        self._numbers = itertools.count()

    def add(self, changes: Mapping[ObjectKey, float | None], now: float) -> None:
        """Let keys wait; they restart the quiet time of their owners, never the maximum wait. With each comes the
        time at which it happened, if that is known."""
        for key, event in changes.items():
            for owner in self._owners(key):
                lane = self._lane((owner, key.kind in _URGENT), now)
                lane.last = now
                if event is not None and (lane.origin.event is None or event < lane.origin.event):
                    lane.origin = lane.origin._replace(event=event)
                lane.changes += 1
                lane.keys.add(key)

    def _lane(self, place: tuple[Hashable, bool], now: float) -> _Lane:
        lane = self._lanes.get(place)
        if lane is None:
            delay = self._endpoints if place[1] else self._others
            lane = self._lanes[place] = _Lane(delay, next(self._numbers), Origin(now), now)
            heapq.heappush(self._queue, (lane.due, lane.number, place))
        return lane

    @property
    def due(self) -> float | None:
        """The time from which `take` gives something, or None when nothing waits."""
        while self._queue:
            due, number, place = self._queue[0]
            lane = self._lanes[place]
            if lane.due <= due:
                return due
            heapq.heapreplace(self._queue, (lane.due, number, place))
        return None

    def take(self, now: float) -> Due:
        """Give out everything that is due."""
        taken: set[ObjectKey] = set()
        origins: dict[Hashable, Origin] = {}
        while (due := self.due) is not None and due <= now:
            place = heapq.heappop(self._queue)[2]
            lane = self._lanes.pop(place)
            owner = place[0]
            origins[owner] = lane.origin.older(origins.get(owner))
            telemetry.DEBOUNCE_SECONDS.observe(max(0.0, now - lane.origin.received))
            telemetry.DEBOUNCED_CHANGES.observe(lane.changes)
            taken |= lane.keys
        return Due(frozenset(taken), origins)


class Debouncer:
    """A `Window` on the event loop's time: `add` from the store's listener, `await next()` from one
    consumer."""

    def __init__(
        self,
        owners: Owners,
        endpoints: Delay = ENDPOINTS,
        others: Delay = OTHERS,
        clock: Callable[[], float] = time.monotonic,
        calendar: Callable[[], float] = time.time,
    ) -> None:
        self._calendar = calendar
        self._window = Window(owners, endpoints, others)
        self._clock = clock
        self._changed = asyncio.Event()

    def add(self, changes: Mapping[ObjectKey, float | None]) -> None:
        """Note changed keys, each with the time at which it happened (seconds since the epoch) if that is known. Call
        it on the event loop; it never blocks."""
        now = self._clock()
        # The cluster's clock and this one may differ: nothing happens after it was heard of.
        behind = self._calendar() - now
        happened = {key: None if at is None else min(now, at - behind) for key, at in changes.items()}
        self._window.add(happened, now)
        self._changed.set()

    async def next(self) -> Due:
        """What is due, as soon as anything is; never empty."""
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
