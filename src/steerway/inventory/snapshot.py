"""What the engine knows of all streams, read at most twice a second, whatever is asked for meanwhile."""

import threading
import time
from array import array
from collections.abc import Mapping
from typing import NamedTuple

from steerway.inventory.client_index import ClientIndex
from steerway.inventory.engine_view import EngineView, GroupView
from steerway.inventory.row.client import STATES, ClientState
from steerway.inventory.subscription_table import SubscriptionTable
from steerway.runtime import garbage

MAX_AGE_SECONDS = 0.5
"""A read of 40,000 streams takes a part of that: counts in lists are older by this time at the most."""


class Snapshot(NamedTuple):
    """The streams at one moment: by workload, by subscription."""

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
        self._domain = domain
        self._max_age_seconds = max_age_seconds
        self._lock = threading.Lock()
        self._last: Snapshot | None = None
        self._due = 0.0

    def read(self) -> Snapshot:
        """The last snapshot, or a new one where that is too old."""
        with self._lock:
            if self._last is None or time.monotonic() >= self._due:
                # Thousands of objects without cycles: a collection would stop all threads for nothing.
                with garbage.load():
                    self._last = self._new()
                self._due = time.monotonic() + self._max_age_seconds
            return self._last

    def _new(self) -> Snapshot:
        groups = {group.label: group for group in self._engine.groups() if group.label}
        workloads = self._index.workloads()

        def namespace_of(label: str) -> str | None:
            clients = workloads.get(label)
            return None if clients is None else clients.namespace

        return Snapshot(groups, SubscriptionTable(self._engine.edges(), namespace_of, self._domain))


def states_by_stream(engine: EngineView) -> dict[int, ClientState]:
    """The state of each stream."""
    packed, states = engine.states()
    # Of little-endian machines, as all that the engine is built for are.
    ids = array("Q", packed)
    return dict(zip(ids, map(STATES.__getitem__, states), strict=True))
