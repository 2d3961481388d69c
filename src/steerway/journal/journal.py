"""The journal of one replica: record on the event loop, read in any thread.

Recording keeps references only. Counts of clients are read from the engine when the journal is read, for changes that
some clients have not acknowledged yet.
"""

import itertools
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Protocol

from steerway.catalog.model.identity import ServiceId
from steerway.commit import Commit
from steerway.journal import entry as entries
from steerway.journal.entry import (
    MAX_REFUSALS,
    ClientCounts,
    Entry,
    Example,
    Kind,
    Propagation,
    Refusal,
    Work,
)
from steerway.journal.ring import Ring
from steerway.journal.row import ChangeRow, Rows
from steerway.origin import Origin
from steerway.sources.objects.core import ObjectKey

MAX_BYTES = 16 << 20
"""Approximate memory of all entries."""
_CLIENT_SHARE = 4
"""Entries that clients cause are one in so many at the most, so that no client removes the changes from the journal."""
MERGE_SECONDS = 10.0
"""Refusals of the same change and type within this time are one entry."""
SETTLE_SECONDS = 1.0
"""A change is not complete before this age: streams are woken after the publication."""
FOLLOW_SECONDS = 5.0
"""The counts of a complete change are read until this age: a client that was busy may be sent it later."""
MAX_EXAMPLES = 100
"""Changes that are exemplars of metrics at a scrape."""
EVICTIONS = frozenset(
    {
        "control_frames",
        "cpu_time",
        "request_buffers",
        "request_bytes",
        "subscription",
        "subscription_bytes",
        "subscription_bytes_per_connection",
        "subscription_bytes_per_peer",
        "subscription_bytes_per_stream",
        "unread",
    }
)
"""Limits that disconnect clients which were served before; the others refuse or delay new ones."""


class RefusedView(Protocol):
    """A NACK; as `steerway._engine.Nack`."""

    @property
    def change(self) -> int: ...
    @property
    def node_id(self) -> str: ...
    @property
    def type_url(self) -> str: ...
    @property
    def resources(self) -> Sequence[str]: ...
    @property
    def refused(self) -> int: ...
    @property
    def message(self) -> str: ...
    @property
    def suppressed(self) -> int: ...


class LimitedView(Protocol):
    """Clients reached a limit; as `steerway._engine.Limited`."""

    @property
    def limit(self) -> str: ...
    @property
    def delayed(self) -> bool: ...
    @property
    def count(self) -> int: ...
    @property
    def peer(self) -> str: ...


class Journal:
    """`most`: entries. `propagations` returns rows for those of the given changes that the engine still counts.
    `trace_id`: that of a change, None without one."""

    def __init__(
        self,
        most: int,
        rows: Rows,
        propagations: Callable[[Sequence[int]], Iterable[Propagation]],
        calendar: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        trace_id: Callable[[int], int | None] = lambda _: None,
    ) -> None:
        self._rows = rows
        self._propagations = propagations
        self._calendar = calendar
        self._clock = clock
        self._trace_id = trace_id
        by_clients = max(1, most // _CLIENT_SHARE)
        self._changes = Ring(max(1, most - by_clients), MAX_BYTES - MAX_BYTES // _CLIENT_SHARE)
        self._of_clients = Ring(by_clients, MAX_BYTES // _CLIENT_SHARE)
        self._recent: dict[tuple[int, str], Entry] = {}
        self._ids = itertools.count(1)
        self._last_id = 0
        self._revisions = itertools.count(1)
        self._last_change: float | None = None
        self._lock = threading.Lock()
        """Of the rings, which are recorded to and read in different threads."""

    @property
    def last_id(self) -> int:
        """The id of the newest entry; 0: none."""
        return self._last_id

    @property
    def changed_seconds(self) -> float | None:
        """The time since a change of an object was published, or all of them at the start; None: not yet."""
        return None if self._last_change is None else self._clock() - self._last_change

    def reserve(self) -> int:
        """The id of a change that is about to be published: for the engine, then for `record`."""
        return next(self._ids)

    def record(
        self,
        id_: int,
        objects: Collection[ObjectKey],
        services: Collection[ServiceId],
        commit: Commit,
        origins: Mapping[Hashable, Origin],
        work: Work | None = None,
    ) -> None:
        """A change was published with the id of `reserve`. The cost grows with the entries of the commit only."""
        now = self._clock()
        received = min((origin.received for origin in origins.values()), default=None)
        events = [origin.event for origin in origins.values() if origin.event is not None]
        names, count = entries.resources(commit)
        self._last_change = now
        self._append(
            self._changes,
            Entry(
                id=id_,
                kind="change",
                time=self._calendar(),
                published=now,
                objects=entries.kept_objects(objects),
                object_count=len(objects),
                services=entries.kept(services),
                service_count=len(services),
                resources=names,
                resource_count=count,
                event_seconds=now - min(events) if events else None,
                received_seconds=None if received is None else now - received,
                began_seconds=None if work is None else now - work.began,
                translated_seconds=None if work is None else now - work.translated,
                settled=not commit,
                followed=bool(commit),
            ),
        )

    def record_start(self, detail: str) -> None:
        """This replica serves clients from now on."""
        self._last_change = self._clock()
        self._append(self._changes, self._entry("start", detail))

    def record_nacks(self, nacks: Iterable[RefusedView]) -> None:
        """Clients refused responses: one entry for each change and type, and the refusals of the change itself."""
        now = self._clock()
        self._recent = {
            key: recent for key, recent in self._recent.items() if now - recent.published < MERGE_SECONDS
        }
        for nack in nacks:
            refusal = Refusal(nack.node_id, nack.type_url, nack.message, self._calendar())
            with self._lock:
                change = self._changes.get(nack.change) if nack.change else None
            if change is not None:
                self._refuse(change, refusal)
            self._refuse(self._of_nack(nack, change), refusal, 1 + nack.suppressed)

    def record_limits(self, limits: Iterable[LimitedView]) -> None:
        """Clients reached limits."""
        for limit in limits:
            kind: Kind = "eviction" if limit.limit in EVICTIONS else "limit"
            effect = "delayed" if limit.delayed else "disconnected" if kind == "eviction" else "refused"
            clients = "client" if limit.count == 1 else "clients"
            detail = f"limit {limit.limit} {effect} {limit.count} {clients}; the last one is {limit.peer}"
            self._append(self._of_clients, self._entry(kind, detail))

    def objects(self, change: int) -> tuple[ObjectKey, ...]:
        """The first objects of a change; none when it is not kept any more."""
        with self._lock:
            entry = self._changes.get(change)
        return () if entry is None else entry.objects

    def age_seconds(self, entry: Entry) -> float:
        """The time since an entry was recorded."""
        return self._clock() - entry.published

    def rows(self) -> list[ChangeRow]:
        """All entries as rows of `/api/v1/changes`, newest first."""
        return [self._rows.row(entry) for entry in reversed(self.entries())]

    def changed(self, after: int) -> tuple[int, list[ChangeRow]]:
        """Rows that are new or different since the cursor `after` (0: all), oldest first; and the next cursor."""
        entries = self.entries(after)
        cursor = max((entry.revision for entry in entries), default=after)
        return cursor, [self._rows.row(entry) for entry in entries]

    def examples(self) -> list[Example]:
        """The newest changes that clients have acknowledged, newest first."""
        acked = (
            entry
            for entry in reversed(self.entries())
            if entry.kind == "change" and entry.settled and entry.clients.acked
        )
        return [
            Example.of(entry, self._trace_id(entry.id)) for entry in itertools.islice(acked, MAX_EXAMPLES)
        ]

    def entries(self, after: int = 0) -> list[Entry]:
        """Entries with a revision above `after`, ordered by id, with the current counts of clients."""
        self._update()
        with self._lock:
            every = [*self._changes.list(), *self._of_clients.list()]
        return sorted((entry for entry in every if entry.revision > after), key=lambda entry: entry.id)

    def _update(self) -> None:
        """Read the counts of changes that are not complete, and of recent ones."""
        now = self._clock()
        with self._lock:
            followed = {
                entry.id: entry
                for entry in self._changes.list()
                if not entry.settled or (entry.followed and now - entry.published < FOLLOW_SECONDS)
            }
        if not followed:
            return
        rows = {row.change: ClientCounts.of(row) for row in self._propagations(list(followed))}
        for id_, change in followed.items():
            clients = rows.get(id_)
            settled = clients is None or (not clients.pending and now - change.published >= SETTLE_SECONDS)
            if clients is None:
                clients = change.clients._replace(pending=0)
            if (clients, settled) != (change.clients, change.settled):
                change.clients = clients
                change.settled = settled
                change.revision = next(self._revisions)

    def _entry(self, kind: Kind, detail: str) -> Entry:
        return Entry(
            id=next(self._ids), kind=kind, time=self._calendar(), published=self._clock(), detail=detail
        )

    def _of_nack(self, nack: RefusedView, change: Entry | None) -> Entry:
        key = nack.change, nack.type_url
        entry = self._recent.get(key)
        if entry is None:
            entry = self._recent[key] = self._entry("nack", "")
            entry.resources = {nack.type_url: tuple(nack.resources[: entries.MAX_NAMES])}
            entry.resource_count = nack.refused
            if change is not None:
                entry.objects, entry.object_count = change.objects, change.object_count
                entry.services, entry.service_count = change.services, change.service_count
            self._append(self._of_clients, entry)
        return entry

    def _refuse(self, entry: Entry, refusal: Refusal, clients: int = 0) -> None:
        if len(entry.refusals) < MAX_REFUSALS and all(refusal[:3] != other[:3] for other in entry.refusals):
            entry.refusals.append(refusal)
        entry.clients = entry.clients._replace(nacked=entry.clients.nacked + clients)
        entry.revision = next(self._revisions)

    def _append(self, ring: Ring, entry: Entry) -> None:
        entry.revision = next(self._revisions)
        with self._lock:
            ring.append(entry)
            self._last_id = max(self._last_id, entry.id)
