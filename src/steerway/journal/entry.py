"""One entry of the journal, as it is recorded: references to keys, no texts. `row.py` makes its texts.

Lists are cut when they are recorded, so that an entry of a large commit does not keep all of it; the counts are those
of the whole change.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias

from steerway.catalog.model.identity import ServiceId
from steerway.commit import Absent, Commit, Forgotten, Missing, Put
from steerway.journal.trace_id import text as trace_text
from steerway.sources.objects.core import ObjectKey

Kind: TypeAlias = Literal["change", "start", "nack", "eviction", "limit"]
"""A published change; the start of this replica; clients that refused a response; clients that a limit disconnected;
clients that a limit refused or delayed."""

MAX_KEPT = 100
"""Objects and services of one entry."""
MAX_NAMES = 20
"""Names of one type of one entry."""
MAX_REFUSALS = 10
"""Refusals of one entry."""
_ENTRY_BYTES = 1024
_KEY_BYTES = 160
"""Approximate memory of an entry without its lists, and of one key in them beside its text."""


class Propagation(Protocol):
    """How far a change has reached the clients; as `steerway._engine.Propagation`."""

    @property
    def change(self) -> int: ...
    @property
    def sent(self) -> int: ...
    @property
    def acked(self) -> int: ...
    @property
    def nacked(self) -> int: ...
    @property
    def pending(self) -> int: ...
    @property
    def ended(self) -> int: ...
    @property
    def first_sent_seconds(self) -> float | None: ...
    @property
    def last_acked_seconds(self) -> float | None: ...


class ClientCounts(NamedTuple):
    """A `Propagation` as a value: clients, and seconds since the change was published."""

    sent: int = 0
    acked: int = 0
    nacked: int = 0
    pending: int = 0
    ended: int = 0
    first_sent_seconds: float | None = None
    last_acked_seconds: float | None = None

    @classmethod
    def of(cls, row: Propagation) -> "ClientCounts":
        return cls(*(getattr(row, name) for name in cls._fields))


NO_CLIENTS = ClientCounts()


class Refusal(NamedTuple):
    """A client refused a response; texts are those of the client, cut by the engine. `time`: since the epoch."""

    node: str
    type_url: str
    message: str
    time: float


@dataclass(slots=True, kw_only=True)
class Entry:
    """See the module's docstring. `time` is in seconds since the epoch, `published` on the monotonic clock.

    `event_seconds` and `received_seconds`: from the event in the cluster, and from its receipt, to the publication;
    `began_seconds` and `translated_seconds`: from the begin and the end of the work on the batch. None where they are
    unknown. `followed`: the engine counts its clients. `settled`: none of them is pending. `revision` increases with
    each change of the entry. `traced`: its trace was exported.
    """

    id: int
    kind: Kind
    time: float
    published: float
    detail: str = ""
    objects: tuple[ObjectKey, ...] = ()
    object_count: int = 0
    services: tuple[ServiceId, ...] = ()
    service_count: int = 0
    resources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    resource_count: int = 0
    event_seconds: float | None = None
    received_seconds: float | None = None
    began_seconds: float | None = None
    translated_seconds: float | None = None
    clients: ClientCounts = NO_CLIENTS
    settled: bool = True
    followed: bool = False
    refusals: list[Refusal] = field(default_factory=list)
    revision: int = 0
    traced: bool = False

    @property
    def size(self) -> int:
        """Approximate memory in bytes."""
        keys = len(self.objects) + len(self.services) + len(self.refusals)
        names = [name for names in self.resources.values() for name in names]
        texts = sum(map(len, names)) + sum(len(refusal.message) for refusal in self.refusals)
        return _ENTRY_BYTES + (keys + len(names)) * _KEY_BYTES + texts


class Work(NamedTuple):
    """Begin and end of the work on a batch, before its publication; on the monotonic clock."""

    began: float
    translated: float


class Example(NamedTuple):
    """A change that clients acknowledged, as an exemplar of a metric: its labels, and the seconds by step of
    `steerway_change_latency_seconds`, where they are known."""

    labels: Mapping[str, str]
    time: float
    seconds: Mapping[str, float]

    @classmethod
    def of(cls, entry: Entry, trace_id: int | None) -> "Example":
        """Of an entry of kind `change`."""
        seconds: dict[str, float] = {}
        acked = entry.clients.last_acked_seconds
        if entry.received_seconds is not None:
            seconds["received_to_published"] = entry.received_seconds
            if acked is not None:
                seconds["received_to_acked"] = entry.received_seconds + acked
        if entry.event_seconds is not None and acked is not None:
            seconds["event_to_acked"] = entry.event_seconds + acked
        labels = {"change": str(entry.id)}
        if trace_id is not None:
            labels["trace_id"] = trace_text(trace_id)
        return cls(labels, entry.time, seconds)


def kept(keys: Collection[ServiceId]) -> tuple[ServiceId, ...]:
    """The first services."""
    return tuple(itertools.islice(keys, MAX_KEPT))


def kept_objects(keys: Collection[ObjectKey]) -> tuple[ObjectKey, ...]:
    """The first objects, those that are no EndpointSlices before the others."""
    if len(keys) <= MAX_KEPT:
        return tuple(keys)
    others = itertools.islice((key for key in keys if key.kind != "EndpointSlice"), MAX_KEPT)
    return tuple(itertools.islice(dict.fromkeys((*others, *itertools.islice(keys, MAX_KEPT))), MAX_KEPT))


def resources(commit: Commit) -> tuple[dict[str, tuple[str, ...]], int]:
    """The first names of each type in a commit, and the number of all names. The variants of a name count once."""
    names: dict[str, dict[str, None]] = {}
    entries: Iterator[Put | Absent | Forgotten | Missing] = itertools.chain(
        commit.put, commit.absent, commit.denied, commit.forget, commit.missing
    )
    for entry in entries:
        names.setdefault(entry.type_url, {})[entry.name] = None
    count = sum(map(len, names.values()))
    return {type_url: tuple(itertools.islice(of, MAX_NAMES)) for type_url, of in names.items()}, count
