"""The object store: what all sources know, as one map, with one readiness and one list of problems.

One writer at a time (the event loop), many readers. A `Batch` is applied whole: readers never see half of it,
and the listener is called once. When two sources (or two files) give the same object, the first registered
source wins and the other is a `Problem`; when the winner goes, the other takes its place.

It does not parse, does not debounce and does not know what an object means.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from steerway import telemetry
from steerway.runtime.isolation import isolated
from steerway.sources.objects.core import Object, ObjectKey, happened


@dataclass(frozen=True, slots=True)
class Problem:
    """Something an operator should fix. `where` names a file:line or an object; `hint` is the fix.

    `about` is the object of an API server that it is about, where there is one to be seen; `subject` the object that a
    file describes.
    """

    where: str
    reason: str
    hint: str = ""
    about: ObjectKey | None = None
    subject: ObjectKey | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" + (f" ({self.hint})" if self.hint else "")


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes of one source that become visible together.

    `problems` replaces the problem lists of the named subjects (a file name, an object): an empty list clears
    it. `atomic`: the batch shows objects of every kind as of one moment, so it is published as one commit. That of an
    API server never is, which has one watch per kind.
    """

    put: tuple[Object, ...] = ()
    delete: tuple[ObjectKey, ...] = ()
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    atomic: bool = False

    def parts(self, size: int) -> "Iterator[Batch]":
        """The same changes in batches of at most that many objects; at least one."""
        if len(self.put) + len(self.delete) <= size:
            yield self
            return
        for start in range(0, len(self.put), size):
            yield Batch(put=self.put[start : start + size], atomic=self.atomic)
        for start in range(0, len(self.delete), size):
            yield Batch(delete=self.delete[start : start + size], atomic=self.atomic)
        yield Batch(problems=self.problems, atomic=self.atomic)


class Change(NamedTuple):
    """How a visible object became another one."""

    before: Object | None
    """The object before the batch; None when there was none."""
    event: float | None = None
    """When it happened (seconds since the epoch), if that is known."""
    atomic: bool = False
    """Whether it belongs to an atomic batch."""


Changes = Mapping[ObjectKey, Change]
"""Keys whose visible object changed."""
Listener = Callable[[Changes], None]
PART_OBJECTS = 250
"""Of a large batch at once: some milliseconds' work, with what listeners do of it."""


class ObjectStore:
    """All objects of all sources; see the module's docstring."""

    def __init__(self) -> None:
        self._sources: dict[str, dict[ObjectKey, Object]] = {}
        self._problems: dict[str, dict[str, tuple[Problem, ...]]] = {}
        self._synced: dict[str, bool] = {}
        self._listeners: list[Listener] = []
        self._partial = 0

    def register(self, source: str) -> None:
        """Announce a source before it runs: the store is not synced until each registered source is."""
        if source in self._sources:
            raise ValueError(f"source {source} is registered already")
        self._sources[source] = {}
        self._problems[source] = {}
        self._synced[source] = False
        telemetry.INFORMER_SYNCED.labels(source).set(0)

    def listen(self, listener: Listener) -> None:
        """Call `listener` with what changed, once per batch or part of one, and with nothing on sync and at the end of
        a batch in parts."""
        self._listeners.append(listener)

    def apply(self, source: str, batch: Batch) -> None:
        """Make a batch visible at once. An object equal to the present one is no change."""
        objects = self._sources[source]
        put = {new.key: new for new in batch.put}
        before = {key: self.get(key) for key in (*batch.delete, *put)}
        for key in batch.delete:
            objects.pop(key, None)
        objects.update(put)
        _count(source, "put", put)
        _count(source, "delete", batch.delete)
        if batch.problems:
            self._replace_problems(source, batch.problems)
        changed = {
            key: Change(old, happened(old, now), batch.atomic)
            for key, old in before.items()
            if (now := self.get(key)) != old
        }
        if changed:
            self._notify(changed)

    async def apply_in_parts(self, source: str, batch: Batch) -> None:
        """Make a batch visible, a large one in parts with other tasks between them. `partial` is true meanwhile: the
        stages behind the debouncer see an atomic batch once all of it is here."""
        parts = list(batch.parts(PART_OBJECTS))
        if len(parts) == 1:
            self.apply(source, batch)
            return
        self._partial += 1
        try:
            for part in parts:
                self.apply(source, part)
                await asyncio.sleep(0)
        finally:
            self._partial -= 1
            self._notify({})

    @property
    def partial(self) -> bool:
        """Whether further parts of a batch are to come."""
        return self._partial > 0

    def mark_synced(self, source: str) -> None:
        """The source has given everything that it knew at its start. Never taken back."""
        if not self._synced[source]:
            self._synced[source] = True
            telemetry.INFORMER_SYNCED.labels(source).set(1)
            self._notify({})

    @property
    def synced(self) -> bool:
        return all(self._synced.values())

    @property
    def unsynced(self) -> list[str]:
        """Names of the sources that have not given their first full state yet."""
        return [source for source, done in self._synced.items() if not done]

    async def until_synced(self) -> None:
        """Wait until every source has given its first full state."""
        synced = asyncio.Event()

        def look(_changed: Changes = MappingProxyType({})) -> None:
            if self.synced:
                synced.set()

        self.listen(look)
        look()
        await synced.wait()

    def get(self, key: ObjectKey) -> Object | None:
        for objects in self._sources.values():
            if (obj := objects.get(key)) is not None:
                return obj
        return None

    def source_of(self, key: ObjectKey) -> str | None:
        """Whose version of an object is visible; None when there is none."""
        return next((source for source, objects in self._sources.items() if key in objects), None)

    def objects(self) -> Iterator[Object]:
        """Each visible object once, first registered source first."""
        seen: set[ObjectKey] = set()
        for objects in self._sources.values():
            for key, obj in objects.items():
                if key not in seen:
                    seen.add(key)
                    yield obj

    def problems(self) -> list[Problem]:
        """All present problems, the shadowed duplicates among them."""
        problems = [problem for source in self._problems for problem in self.problems_of(source)]
        if len(self._sources) < 2:
            return problems
        owner: dict[ObjectKey, str] = {}
        for source, objects in self._sources.items():
            problems.extend(
                _shadowed(key, owner[key], source)
                for key in objects
                if owner.setdefault(key, source) != source
            )
        return problems

    def problems_of(self, source: str) -> list[Problem]:
        """The problems of one source, without those about objects that several sources gave."""
        return [problem for problems in self._problems[source].values() for problem in problems]

    def _replace_problems(self, source: str, changes: Mapping[str, tuple[Problem, ...]]) -> None:
        problems = self._problems[source]
        for subject, current in changes.items():
            if current:
                problems[subject] = current
            else:
                problems.pop(subject, None)

    def _notify(self, changed: Changes) -> None:
        for listener in self._listeners:
            with isolated("listener"):
                listener(changed)


def _count(source: str, event: str, keys: Iterable[ObjectKey]) -> None:
    for kind, count in Counter(key.kind for key in keys).items():
        telemetry.INFORMER_EVENTS.labels(source, kind, event).inc(count)


def _shadowed(key: ObjectKey, winner: str, source: str) -> Problem:
    return Problem(str(key), f"given by {winner} and by {source}; {winner} is used", "remove one of them")
