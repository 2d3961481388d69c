"""The debounce window: which changes wait, for how long, and which of them are committed together. No clock, no I/O.

A change waits in a *lane*: one per owner for EndpointSlices (urgent, 5 ms), one per owner for everything else (50 ms),
and one for all atomic batches, which show a source as of one moment and are committed whole. One of more than
`COMMIT_OBJECTS` is committed in groups of what is linked (see `groups`), so that no commit takes long.

An API server has one watch per kind, so the objects of one change arrive one by one. These rules put them together::

    EndpointSlice ──▶ urgent lane ──keeps endpoints──▶ committed alone, after the short quiet time
                          └─────takes the last one──▶ ordinary lane of its owner
    anything else ──▶ ordinary lane ──▶ committed with every ordinary lane that it is linked to, once all are quiet

Lanes are linked when they hold one key, when a route in one names the owner of the other as a backend, before or after
the change, or when one batch put keys into both. So a Service that goes waits for the route that leaves it, and a route
waits for the Services and grants that it needs, as long as they arrive within the quiet time of each other. The maximum
wait of the lane that waited longest bounds the group.
"""

import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from steerway import telemetry
from steerway.origin import Origin
from steerway.sources.commit_group import Groups
from steerway.sources.objects.core import Object, ObjectKey
from steerway.sources.store import Change

Owners = Callable[[ObjectKey], Collection[Hashable]]
"""The owners of a changed object: its services, for most. A key without an owner is not given out."""
References = Callable[[ObjectKey], Collection[Hashable]]
"""The owners that a changed object refers to, before and after the change."""
KeepsEndpoints = Callable[[Mapping[ObjectKey, Sequence[Object | None]]], bool]
"""Whether the services of changed EndpointSlices keep an endpoint on each port that has one: as of the last commit, and
as it was before each of the changes, which may not be committed either. With each key come its objects before them."""


@dataclass(frozen=True, slots=True)
class Delay:
    """*Quiet time*: how long nothing more must have changed. *Maximum wait*: counted from the first change, however
    busy the cluster is (a trailing debounce without a maximum starves during a big rollout). Both in seconds."""

    quiet_seconds: float
    max_wait_seconds: float

    def __post_init__(self) -> None:
        if not 0 <= self.quiet_seconds <= self.max_wait_seconds:
            raise ValueError(
                f"quiet time {self.quiet_seconds} s is not within 0..{self.max_wait_seconds} s (maximum wait)"
            )


COMMIT_OBJECTS = 400
"""Changed objects from which on a commit takes no further ones that are not linked to them: about 40 ms of work on one
core when clients use all of them, and other tasks wait for no more than one commit."""
_ATOMIC = "atomic"
_SLICE = "EndpointSlice"


@dataclass(frozen=True, slots=True)
class Due:
    """One commit: changed keys, and for each owner the change that waited longest."""

    keys: frozenset[ObjectKey]
    origins: Mapping[Hashable, Origin]


_K = TypeVar("_K")
_LaneKey = tuple[Hashable, bool]
"""An owner, and whether the lane is the urgent one."""
_ATOMIC_LANE: _LaneKey = (_ATOMIC, True)


@dataclass(slots=True)
class _Lane:
    delay: Delay
    number: int
    received: float
    last: float
    changes: int = 0
    keys: set[ObjectKey] = field(default_factory=set)
    earlier: dict[ObjectKey, list[Object | None]] = field(default_factory=dict)
    """Of an urgent lane: the objects before each of their changes in it."""
    origins: dict[Hashable, Origin] = field(default_factory=dict)
    links: set[Hashable] = field(default_factory=set)
    due_at: float = 0.0
    """When its group is due, as far as that was looked at; never past its own maximum wait."""
    open: bool = False
    """Whether further parts of an atomic batch follow: then it is not due."""

    @property
    def latest(self) -> float:
        return self.received + self.delay.max_wait_seconds

    @property
    def quiet_at(self) -> float:
        return self.last + self.delay.quiet_seconds

    @property
    def due(self) -> float:
        return math.inf if self.open else max(self.due_at, min(self.quiet_at, self.latest))

    def note(self, key: ObjectKey, owner: Hashable, event: float | None, now: float) -> None:
        origin = self.origins.setdefault(owner, Origin(now))
        if event is not None and (origin.event is None or event < origin.event):
            self.origins[owner] = origin._replace(event=event)
        self.keys.add(key)
        self.changes += 1
        self.last = now


class Window:
    """See the module's docstring. `now` is an argument: seconds of any monotonic clock. A change costs the logarithm of
    the number of lanes, and a group is searched once for each time that it may be due.

    Atomic batches have the delay of `endpoints`: their source has waited for its writer already.
    """

    def __init__(
        self,
        owners: Owners,
        references: References = lambda _: (),
        keeps_endpoints: KeepsEndpoints = lambda _: True,
        *,
        endpoints: Delay,
        others: Delay,
    ) -> None:
        self._owners = owners
        self._references = references
        self._keeps_endpoints = keeps_endpoints
        self._endpoints = endpoints
        self._others = others
        self._lanes: dict[_LaneKey, _Lane] = {}
        self._linked_from: defaultdict[Hashable, set[Hashable]] = defaultdict(set)
        """Owner → owners of ordinary lanes that are linked to it."""
        self._holders: defaultdict[ObjectKey, set[Hashable]] = defaultdict(set)
        """Waiting key → owners whose lanes hold it."""
        self._groups = Groups()
        """Of the atomic lane: which of its keys are committed together."""
        # A lane is not due before its newest entry; entries of lanes that are gone stay until they come to the
        # top, and the entry of a lane that is due later is renewed there.
        self._queue: list[tuple[float, int, _LaneKey]] = []
        self._numbers = itertools.count()

    def add(self, changes: Mapping[ObjectKey, Change], now: float, more: bool = False) -> list[ObjectKey]:
        """Let keys wait; they restart the quiet time of their owners, never the maximum wait. `Change.event` is on the
        clock of `now`. `more`: further parts of an atomic batch follow, at least as an empty change; until then none of
        it is due. Returns the keys that have an owner, and so wait."""
        waiting = []
        batch: set[Hashable] = set()
        for key, change in changes.items():
            # An object that comes and goes before it is committed has no owner any more: those from before count.
            if not (owners := {*self._owners(key), *self._holders.get(key, ())}):
                continue
            waiting.append(key)
            if change.atomic:
                lane = self._lane(_ATOMIC_LANE, now)
                for owner in owners:
                    lane.note(key, owner, change.event, now)
                self._groups.add(key, owners, () if key.kind == _SLICE else self._references(key))
                continue
            urgent = key.kind == _SLICE
            for owner in owners:
                lane = self._lane((owner, urgent), now)
                lane.note(key, owner, change.event, now)
                if urgent:
                    lane.earlier.setdefault(key, []).append(change.before)
                self._holders[key].add(owner)
            if not urgent:
                self._link(owners, {*owners, *self._references(key)})
                batch.update(owners)
        if len(batch) > 1:
            self._link([next(iter(batch))], batch)
        self._open_atomic(more)
        return waiting

    def _open_atomic(self, more: bool) -> None:
        """Hold the atomic lane while more is to come."""
        lane = self._lanes.get(_ATOMIC_LANE)
        if lane is not None and lane.open != more:
            lane.open = more
            heapq.heappush(self._queue, (lane.due, lane.number, _ATOMIC_LANE))

    @property
    def due(self) -> float | None:
        """The time from which `take` may give something, or None when nothing waits."""
        while self._queue:
            due, number, lane_key = self._queue[0]
            lane = self._lanes.get(lane_key)
            if lane is None or lane.number != number:
                heapq.heappop(self._queue)
            elif lane.due <= due:
                return due if due < math.inf else None
            else:
                heapq.heapreplace(self._queue, (lane.due, number, lane_key))
        return None

    def take(self, now: float, most: int = COMMIT_OBJECTS) -> Due:
        """What is due, as one commit: as soon as it has `most` keys, the rest is left for the next. Empty when all that
        seemed due waits for something it is linked to."""
        keys: set[ObjectKey] = set()
        origins: dict[Hashable, Origin] = {}
        while len(keys) < most and (due := self.due) is not None and due <= now:
            for lane_key in self._ready(self._queue[0][2], now):
                lane = self._part(most, now) if lane_key == _ATOMIC_LANE else self._remove(lane_key)
                for owner, origin in lane.origins.items():
                    origins[owner] = origin.older(origins.get(owner))
                telemetry.DEBOUNCE_SECONDS.observe(max(0.0, now - lane.received))
                telemetry.DEBOUNCED_CHANGES.observe(lane.changes)
                keys |= lane.keys
        return Due(frozenset(keys), origins)

    def _part(self, most: int, now: float) -> _Lane:
        """The atomic lane, or of a large one the next groups, as a lane; what else is due comes before the others."""
        lane = self._lanes[_ATOMIC_LANE]
        if len(lane.keys) <= most or len(taken := self._groups.take(most)) == len(lane.keys):
            self._groups = Groups()
            return self._remove(_ATOMIC_LANE)
        owners = set().union(*taken.values())
        part = _Lane(lane.delay, lane.number, lane.received, lane.last, len(taken), set(taken))
        part.origins = {owner: lane.origins.pop(owner) for owner in owners & lane.origins.keys()}
        lane.keys -= part.keys
        lane.changes -= part.changes
        lane.due_at = now
        return part

    def _ready(self, lane_key: _LaneKey, now: float) -> Iterable[_LaneKey]:
        """The lanes to commit with one that is due by itself; none when it has to wait for others."""
        owner, urgent = lane_key
        if lane_key == _ATOMIC_LANE:
            return (lane_key,)
        if urgent:
            return self._ready_slices(owner)
        group = self._group(owner)
        lanes = [self._lanes[member, False] for member in group]
        due = min(max(lane.quiet_at for lane in lanes), min(lane.latest for lane in lanes))
        if due > now:
            for lane in lanes:
                lane.due_at = due
            return ()
        # What the members refer to may have new endpoints that wait: a route to a Service goes out with them.
        named = group.union(*(lane.links for lane in lanes))
        urgent_lanes: list[_LaneKey] = [(link, True) for link in named if (link, True) in self._lanes]
        return [*((member, False) for member in group), *urgent_lanes]

    def _ready_slices(self, owner: Hashable) -> Iterable[_LaneKey]:
        """An urgent lane, with slices of its owner that were deferred before; none when it has to be deferred, too."""
        if self._defer_slices(owner):
            return ()
        if (ordinary := self._lanes.get((owner, False))) is not None:
            slices = {key for key in ordinary.keys if key.kind == _SLICE}
            self._lanes[owner, True].keys |= slices
            ordinary.keys -= slices
            if not ordinary.keys:
                self._remove((owner, False))
        return ((owner, True),)

    def _defer_slices(self, owner: Hashable) -> bool:
        """Move slices of an owner to its ordinary lane if they take the last endpoint away; whether they do."""
        lane = self._lanes.get((owner, True))
        if lane is None or self._keeps_endpoints(lane.earlier):
            return False
        ordinary = self._lane((owner, False), lane.received)
        ordinary.keys |= lane.keys
        self._remove((owner, True))
        ordinary.received = min(ordinary.received, lane.received)
        ordinary.last = max(ordinary.last, lane.last)
        ordinary.changes += lane.changes
        for deferred_key, origin in lane.origins.items():
            ordinary.origins[deferred_key] = origin.older(ordinary.origins.get(deferred_key))
        for key in lane.keys:
            self._link([owner], self._holders[key])
        heapq.heappush(self._queue, (ordinary.due, ordinary.number, (owner, False)))
        return True

    def _group(self, owner: Hashable) -> set[Hashable]:
        """The owners of all ordinary lanes that are linked to one, itself among them."""
        group, todo = set[Hashable](), [owner]
        while todo:
            member = todo.pop()
            if member in group:
                continue
            self._defer_slices(member)
            if (lane := self._lanes.get((member, False))) is not None:
                group.add(member)
                todo += lane.links
                todo += self._linked_from.get(member, ())
        return group

    def _lane(self, lane_key: _LaneKey, now: float) -> _Lane:
        lane = self._lanes.get(lane_key)
        if lane is None:
            delay = self._endpoints if lane_key[1] else self._others
            lane = self._lanes[lane_key] = _Lane(delay, next(self._numbers), now, now)
            heapq.heappush(self._queue, (lane.due, lane.number, lane_key))
        return lane

    def _link(self, owners: Iterable[Hashable], others: Collection[Hashable]) -> None:
        for owner in owners:
            lane = self._lanes[owner, False]
            for other in others:
                if other != owner and other not in lane.links:
                    lane.links.add(other)
                    self._linked_from[other].add(owner)

    def _remove(self, lane_key: _LaneKey) -> _Lane:
        lane = self._lanes.pop(lane_key)
        beside = self._lanes.get((lane_key[0], not lane_key[1]))
        for key in lane.keys - (beside.keys if beside is not None else set()):
            _discard(self._holders, key, lane_key[0])
        for other in lane.links:
            _discard(self._linked_from, other, lane_key[0])
        return lane


def _discard(index: defaultdict[_K, set[Hashable]], at: _K, owner: Hashable) -> None:
    """Take an owner out of an index, which keeps no empty sets."""
    owners = index[at]
    owners.discard(owner)
    if not owners:
        del index[at]
