"""What the engine knows of all streams, read at most twice a second, whatever is asked for meanwhile."""

import threading
import time
from array import array
from collections.abc import Callable, Mapping
from typing import NamedTuple

from steerway.inventory.client_index import ClientIndex
from steerway.inventory.engine_view import EngineView, GroupView
from steerway.inventory.row.client import STATES, ClientState
from steerway.inventory.subscription_table import SubscriptionTable
from steerway.runtime import garbage

MAX_AGE_SECONDS = 0.5
"""A read of 40,000 streams takes a part of that: counts in lists are older by this time at the most."""


class Snapshot(NamedTuple):
    """The streams: by workload at one moment, and by subscription as of the last read."""

    groups: Mapping[str, GroupView]
    subscriptions: SubscriptionTable


class Snapshots:
    """`domain`: the cluster domain. Thread-safe. `max_age_seconds`: that of a snapshot which is used again."""

    def __init__(
        self,
        engine: EngineView,
        index: ClientIndex,
        domain: str,
        max_age_seconds: float = MAX_AGE_SECONDS,
    ) -> None:
        self._engine = engine
        self._index = index
        self._max_age_seconds = max_age_seconds
        self._lock = threading.Lock()
        self._last: Snapshot | None = None
        self._table = SubscriptionTable(domain)
        self._changed: set[str] = set()
        self._due = 0.0

    def read(self) -> Snapshot:
        """The last snapshot, or a new one where that is too old."""
        with self._lock:
            if self._last is None or time.monotonic() >= self._due:
                self._last = self._new()
                self._due = time.monotonic() + self._max_age_seconds
            return self._last

    def changed_services(self) -> set[str]:
        """Services whose subscriptions became others since the last call."""
        with self._lock:
            changed, self._changed = self._changed, set()
            return changed

    def _new(self) -> Snapshot:
        # Objects without cycles: a collection would stop all threads for nothing.
        with garbage.load() as load:
            groups = {group.label: group for group in self._engine.groups() if group.label}
            changed, gone = self._engine.changed_edges(self._table.versions)
            load.objects = sum(len(edges.edges) for edges in changed)
            self._changed |= self._table.update(changed, gone, self._namespaces())
        return Snapshot(groups, self._table)

    def _namespaces(self) -> Callable[[str], str | None]:
        workloads = self._index.workloads()

        def namespace_of(label: str) -> str | None:
            clients = workloads.get(label)
            return None if clients is None else clients.namespace

        return namespace_of


def state_counts(engine: EngineView) -> dict[ClientState, int]:
    """The number of streams in each state that any of them is in."""
    _, states = engine.states()
    counts = ((state, states.count(index)) for index, state in enumerate(STATES))
    return {state: count for state, count in counts if count}


def unsettled(engine: EngineView) -> dict[int, ClientState]:
    """The state of each stream that is not in sync, by id."""
    packed, states = engine.states()
    # Of little-endian machines, as all that the engine is built for are.
    ids = array("Q", packed)
    in_sync = len(STATES) - 1
    return {id: STATES[state] for id, state in zip(ids, states, strict=True) if state != in_sync}
