"""The inventory: all services and clients as rows.

`touch`, `change` and `observe` are called on the event loop, everything else in any other thread. Rows of services are
kept and computed anew for services that changed; what the engine knows is read at a limited rate.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

import msgspec

from steerway.catalog.model.identity import ServiceId
from steerway.explain.subscriber import Subscribers
from steerway.inventory import client_rows, graph, service_table
from steerway.inventory.client_index import ClientIndex
from steerway.inventory.client_rows import Locality, NodeDetails
from steerway.inventory.engine_view import EngineView
from steerway.inventory.row.client import STATES, ClientRow, ClientState, NodeRow
from steerway.inventory.row.graph import Graph, GraphEdge
from steerway.inventory.row.service import ServiceRow
from steerway.inventory.service_table import ServiceFacts, ServiceTable
from steerway.inventory.snapshot import MAX_AGE_SECONDS, Snapshot, Snapshots, states_by_stream
from steerway.inventory.subscription_table import Subscription, worst
from steerway.runtime import garbage
from steerway.runtime.isolation import isolated

_PREPARE_SECONDS = 0.25


class Problem(Protocol):
    """A problem of a stage."""

    @property
    def where(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def hint(self) -> str: ...


class Inventory:
    """`problems` returns those of all stages. `subscribers` makes the limitations of clients anew. `max_age_seconds`:
    see `Snapshots`."""

    name = "inventory"

    def __init__(
        self,
        engine: EngineView,
        index: ClientIndex,
        table: ServiceTable,
        problems: Callable[[], Iterable[Problem]],
        locality: Locality,
        subscribers: Callable[[], Subscribers],
        domain: str,
        max_age_seconds: float = MAX_AGE_SECONDS,
    ) -> None:
        self._engine = engine
        self.index = index
        self._table = table
        self._problems_of_stages = problems
        self._locality = locality
        self._make_subscribers = subscribers
        self._domain = domain
        self._snapshots = Snapshots(engine, index, domain, max_age_seconds)
        self._lock = threading.Lock()
        """Of what is kept between reads."""
        self.problems: tuple[Problem, ...] = ()
        """As of the last `observe`."""
        self._problem_counts: Mapping[str, int] = {}
        self._rows: dict[str, ServiceRow] = {}
        self._read: tuple[Snapshot, Mapping[str, int]] | None = None
        """What the rows were computed from."""
        self._changed: set[str] = set()
        self._pending: frozenset[str] = frozenset()
        """Services whose facts were computed since the last read."""
        self._subscribers: tuple[int, Subscribers] | None = None

    def touch(self, ids: Iterable[ServiceId]) -> None:
        """Services were built anew; their values may be equal to before."""
        self._table.touch(ids)

    def change(self, ids: Collection[ServiceId]) -> None:
        """Services changed, appeared or went."""
        self._table.change(ids)

    async def run(self) -> None:
        """Compute what follows from the catalog soon after each change, so that no request has to; until cancelled."""
        while True:
            await asyncio.sleep(_PREPARE_SECONDS)
            if self._table.touched:
                with isolated("service"):
                    await asyncio.to_thread(self._prepare)

    def observe(self) -> None:
        """Read what only the event loop may read, before rows are read in a thread."""
        problems = tuple(self._problems_of_stages())
        if problems != self.problems:
            self.problems = problems
            self._problem_counts = Counter(map(object_of, problems))

    def changed_services(self) -> Collection[str]:
        """The ids of services whose rows changed or went since the last call."""
        with self._lock, garbage.load():
            self._refresh()
            changed, self._changed = self._changed, set()
            return changed

    def services(self, ids: Collection[str] | None = None) -> list[ServiceRow]:
        """Rows by id, of these services or of all; without ages (see `aged`)."""
        with self._lock:
            if ids is None:
                with garbage.load():
                    self._refresh()
                return [self._rows[id] for id in sorted(self._rows)]
            self._pending |= self._table.refresh()
            snapshot, facts = self._snapshots.read(), self._table.facts
            rows = self._rows
            return [self._row(facts[id], snapshot, rows.get(id)) for id in sorted(ids) if id in facts]

    def service_ids(self) -> list[str]:
        """The ids of all services, in their order."""
        with self._lock:
            self._pending |= self._table.refresh()
            return sorted(self._table.facts)

    @property
    def config_age_seconds(self) -> float | None:
        """Since a service changed; None: never."""
        return self._table.age_seconds()

    def objects_of(self, id: str) -> Collection[str]:
        """The objects whose problems are those of a service, as `KIND NAMESPACE/NAME`."""
        facts = self._table.facts.get(id)
        return () if facts is None else facts.objects

    def aged(self, rows: Iterable[ServiceRow]) -> list[ServiceRow]:
        """The same rows with the age of the last change of each."""
        age = self._table.changed_age_seconds
        return [msgspec.structs.replace(row, changed_age_seconds=age(row.id)) for row in rows]

    def clients(self, ids: Collection[str] | None = None) -> list[ClientRow]:
        """Rows of these workloads, or of all, by id."""
        snapshot = self._snapshots.read()
        workloads = self.index.workloads()
        subscribers = self.subscribers()
        return [
            client_rows.workload_row(
                workloads[id],
                snapshot.groups.get(id),
                snapshot.subscriptions.of_workload(id),
                subscribers,
            )
            for id in sorted(workloads if ids is None else workloads.keys() & ids)
        ]

    def client_states(self) -> Mapping[str, ClientState]:
        """The worst state of each workload."""
        groups = self._snapshots.read().groups
        return {label: worst(group.states) for label, group in groups.items()}

    def node_states(self) -> Mapping[str, ClientState]:
        """The worst state of each node id."""
        worst_of: dict[str, ClientState] = {}
        states = self.states()
        for stream in self.index.streams():
            state = states.get(stream.stream, STATES[-1])
            before = worst_of.get(stream.node_id)
            if before is None or STATES.index(state) < STATES.index(before):
                worst_of[stream.node_id] = state
        return worst_of

    def client_nodes(self, node_ids: Iterable[str]) -> list[NodeRow]:
        """Rows of these node ids, in their order."""
        states = self.states()
        rows = []
        for node_id in node_ids:
            known = map(self.index.stream, self.index.of_node(node_id))
            if streams := [stream for stream in known if stream is not None]:
                rows.append(client_rows.node_row(node_id, streams, states, self._locality))
        ids = [id for row in rows for id in self.index.of_node(row.id)]
        details = NodeDetails(self.index, self._engine.streams(ids=ids), self.subscribers())
        return [details.complete(row, self._domain) for row in rows]

    def graph(self, subscriptions: Iterable[Subscription] | None = None) -> Graph:
        """The graph of these subscriptions, or of all."""
        shown = self.subscriptions() if subscriptions is None else list(subscriptions)
        ids = {subscription.workload for subscription in shown}
        return graph.graph(
            shown,
            {row.id: row for row in self.clients(ids)},
            {row.id: row for row in self.services({subscription.service for subscription in shown})},
            graph.loads_by_service(self._engine.loads(), self._domain),
        )

    def edges(self) -> list[GraphEdge]:
        """All edges of the graph."""
        return [graph.edge(subscription) for subscription in self.subscriptions()]

    def subscriptions(self) -> list[Subscription]:
        """Which workload subscribes to which service."""
        by_service = self._snapshots.read().subscriptions.by_service
        return [subscription for workloads in by_service.values() for subscription in workloads.values()]

    def subscriptions_of(self, service: str) -> Mapping[str, Subscription]:
        """Those to one service, by workload."""
        return self._snapshots.read().subscriptions.of_service(service)

    def states(self) -> Mapping[int, ClientState]:
        """The state of each stream."""
        return states_by_stream(self._engine)

    def subscribers(self) -> Subscribers:
        """Limitations of clients. They are kept as long as no route and no policy changes."""
        version = self._table.calls_version
        if self._subscribers is None or self._subscribers[0] != version:
            self._subscribers = version, self._make_subscribers()
        return self._subscribers[1]

    def _prepare(self) -> None:
        with self._lock, garbage.load():
            self._pending |= self._table.refresh()

    def _refresh(self) -> None:
        """Compute the rows anew whose parts are others. The caller holds the lock."""
        touched = self._table.refresh() | self._pending
        self._pending = frozenset()
        read = self._snapshots.read(), self._problem_counts
        facts_of = self._table.facts
        ids: Collection[str] = touched
        if self._read is None or any(now is not before for now, before in zip(read, self._read, strict=True)):
            ids = facts_of.keys()
        self._read = read
        for id in touched - facts_of.keys():
            if self._rows.pop(id, None) is not None:
                self._changed.add(id)
        for id in ids & facts_of.keys():
            before = self._rows.get(id)
            row = self._row(facts_of[id], read[0], before)
            # Equal rows of facts that were computed anew are no change.
            if row is not before and row != before:
                self._rows[id] = row
                self._changed.add(id)

    def _row(self, facts: ServiceFacts, snapshot: Snapshot, before: ServiceRow | None = None) -> ServiceRow:
        counts = self._problem_counts
        problems = sum(counts.get(name, 0) for name in facts.objects) if counts else 0
        return service_table.row(facts, snapshot.subscriptions.of_service(facts.id), problems, before)


def object_of(problem: Problem) -> str:
    """The object of a problem, as `KIND NAMESPACE/NAME`."""
    about = getattr(problem, "about", None)
    return problem.where if about is None else str(about)
