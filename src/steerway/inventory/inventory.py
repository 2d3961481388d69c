"""The inventory: all services and clients as rows.

`touch`, `change` and `observe` are called on the event loop, everything else in any other thread. Rows of services are
kept and computed anew for services that changed; what the engine knows is read at a limited rate.
"""

import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from steerway.catalog.model.identity import ServiceId
from steerway.explain.subscriber import Subscribers
from steerway.inventory import client_rows, graph, service_table
from steerway.inventory.client_index import ClientIndex
from steerway.inventory.client_rows import Locality, NodeDetails
from steerway.inventory.engine_view import EngineView
from steerway.inventory.problem import ProblemView, object_of
from steerway.inventory.row.client import ClientRow, ClientState, NodeRow
from steerway.inventory.row.graph import Graph, GraphEdge
from steerway.inventory.row.service import ServiceRow
from steerway.inventory.service_table import ServiceFacts, ServiceTable
from steerway.inventory.snapshot import MAX_AGE_SECONDS, Snapshot, Snapshots, state_counts, unsettled
from steerway.inventory.subscription_table import Subscription, worst
from steerway.runtime import garbage
from steerway.runtime.isolation import isolated

_PREPARE_SECONDS = 0.25
_REFRESH_SECONDS = 10.0
"""Between reads of all streams without a request. They leave little to do for the first request after a while."""
_SLICE = 250
"""Services, or five times as many as workloads, that are computed at a time. A request waits for some milliseconds."""
_GROWTH = 4
"""A refresh follows at once when the number of streams has changed by more than this fraction."""


class Inventory:
    """`problems` returns those of all stages. `subscribers` makes the limitations of clients anew. `max_age_seconds`:
    see `Snapshots`."""

    name = "inventory"

    def __init__(
        self,
        engine: EngineView,
        index: ClientIndex,
        table: ServiceTable,
        problems: Callable[[], Iterable[ProblemView]],
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
        self.problems: tuple[ProblemView, ...] = ()
        """As of the last `observe`."""
        self._problem_counts: Mapping[str, int] = {}
        self._rows: dict[str, ServiceRow] = {}
        self._counted: Mapping[str, int] = {}
        """The problems that the rows were computed from."""
        self._ids: list[str] | None = None
        """Those of the rows in their order; None: to be sorted."""
        self._changed: set[str] = set()
        self._pending: set[str] = set()
        """Services whose facts are computed, and whose rows are not yet."""
        self._prepared_streams = 0
        """How many there were at the last `prepare`."""
        self._subscribers: tuple[int, Subscribers] | None = None

    def touch(self, ids: Iterable[ServiceId]) -> None:
        """Services were built anew; their values may be equal to before."""
        self._table.touch(ids)

    def change(self, ids: Collection[ServiceId]) -> None:
        """Services changed, appeared or went."""
        self._table.change(ids)

    async def run(self) -> None:
        """Compute what follows from the catalog and the streams soon after each change, so that no request has to;
        until cancelled."""
        due = 0.0
        while True:
            await asyncio.sleep(_PREPARE_SECONDS)
            with isolated("service"):
                if time.monotonic() >= due or self._has_grown():
                    due = time.monotonic() + _REFRESH_SECONDS
                    await self.prepare()
                elif self._table.touched and await self._in_slices(self._prepare_facts) > _SLICE:
                    due = 0.0  # many services: their rows, too

    async def prepare(self) -> None:
        """Compute all rows that are not up to date, in slices, between which requests are answered."""
        self._prepared_streams = len(self.index)
        await self._in_slices(self._prepare_facts)
        await self._in_slices(self._prepare_rows)
        ids = sorted(self.index.workloads())
        step = _SLICE // 5
        for start in range(0, len(ids), step):
            await asyncio.to_thread(self.clients, ids[start : start + step])

    def _has_grown(self) -> bool:
        before = self._prepared_streams
        return abs(len(self.index) - before) > max(_SLICE, before // _GROWTH)

    def observe(self) -> None:
        """Read what only the event loop may read, before rows are read in a thread."""
        problems = tuple(self._problems_of_stages())
        if problems != self.problems:
            self.problems = problems
            self._problem_counts = Counter(map(object_of, problems))

    def changed_services(self) -> Collection[str]:
        """The ids of services whose rows changed or went since the last call."""
        with self._lock:
            self._refresh()
            changed, self._changed = self._changed, set()
            return changed

    def services(self, ids: Collection[str] | None = None) -> list[ServiceRow]:
        """Rows by id, of these services or of all; without ages (see `aged`)."""
        with self._lock:
            self._refresh()
            rows = self._rows
            return [rows[id] for id in (self._sorted() if ids is None else sorted(ids)) if id in rows]

    def service_ids(self) -> Sequence[str]:
        """The ids of all services, in their order."""
        with self._lock:
            self._refresh()
            return self._sorted()

    @property
    def config_age_seconds(self) -> float | None:
        """Since a service changed; None: never."""
        return self._table.age_seconds()

    def start(self) -> None:
        """The services read so far are the state at the start: they have not changed since."""
        self._table.forget_ages()

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
        """The worst state of each node id that is not in sync."""
        worst_of: dict[str, ClientState] = {}
        for id, state in unsettled(self._engine).items():
            stream = self.index.stream(id)
            if stream is not None:
                worst_of[stream.node_id] = worst((state, worst_of.get(stream.node_id, state)))
        return worst_of

    def client_nodes(self, node_ids: Iterable[str]) -> list[NodeRow]:
        """Rows of these node ids, in their order."""
        node_ids = list(node_ids)
        ids = [id for node_id in node_ids for id in self.index.of_node(node_id)]
        details = NodeDetails(self.index, self._engine.streams(ids=ids), self.subscribers())
        states, rows = details.states, []
        for node_id in node_ids:
            known = map(self.index.stream, self.index.of_node(node_id))
            if streams := [stream for stream in known if stream is not None]:
                rows.append(client_rows.node_row(node_id, streams, states, self._locality))
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

    def subscriptions(self, workloads: Iterable[str] | None = None) -> list[Subscription]:
        """Which workload subscribes to which service, of these workloads or of all."""
        table = self._snapshots.read().subscriptions
        if workloads is None:
            return table.all()
        return [subscription for id in workloads for subscription in table.of_workload(id).values()]

    def subscriptions_of(self, service: str) -> Mapping[str, Subscription]:
        """Those to one service, by workload."""
        return self._snapshots.read().subscriptions.of_service(service)

    def state_counts(self) -> Mapping[ClientState, int]:
        """The number of streams in each state that any of them is in."""
        return state_counts(self._engine)

    def subscribers(self) -> Subscribers:
        """Limitations of clients. They are kept as long as no route and no policy changes."""
        version = self._table.calls_version
        if self._subscribers is None or self._subscribers[0] != version:
            self._subscribers = version, self._make_subscribers()
        return self._subscribers[1]

    @staticmethod
    async def _in_slices(compute: Callable[[], int]) -> int:
        """Call it in a thread until it has computed nothing more; returns how many it computed."""
        # One bulk for the garbage collector: each slice is too small to be frozen by itself.
        with garbage.load() as load:
            while count := await asyncio.to_thread(compute):
                load.objects += count
            return load.objects

    def _prepare_facts(self) -> int:
        with self._lock:
            return self._compute_facts(_SLICE)

    def _prepare_rows(self) -> int:
        with self._lock:
            return self._refresh(_SLICE)

    def _compute_facts(self, limit: int | None = None) -> int:
        """Returns how many were computed, `limit` at most."""
        with garbage.load() as load:
            computed = self._table.refresh(limit)
            load.objects = len(computed)
        self._pending |= computed
        return len(computed)

    def _sorted(self) -> Sequence[str]:
        if self._ids is None:
            self._ids = sorted(self._rows)
        return self._ids

    def _refresh(self, limit: int | None = None) -> int:
        """Compute rows anew whose parts are others, `limit` at most; returns how many. The caller holds the lock."""
        self._compute_facts()
        snapshot = self._snapshots.read()
        self._pending |= self._snapshots.changed_services()
        self._pending |= self._with_other_problems()
        touched = set(itertools.islice(self._pending, limit))
        self._pending -= touched
        with garbage.load() as load:
            load.objects = len(touched)
            for id in touched:
                self._renew(id, snapshot)
        return len(touched)

    def _renew(self, id: str, snapshot: Snapshot) -> None:
        """Compute the row of a service anew."""
        before, facts = self._rows.get(id), self._table.facts.get(id)
        if facts is None:
            if before is not None:
                del self._rows[id]
                self._changed.add(id)
                self._ids = None
            return
        row = self._row(facts, snapshot, before)
        if before is None:
            self._ids = None
        # Equal rows of facts that were computed anew are no change.
        if row is not before and row != before:
            self._rows[id] = row
            self._changed.add(id)

    def _with_other_problems(self) -> set[str]:
        """Services with another number of problems than at the last call."""
        now, before = self._problem_counts, self._counted
        if now is before:
            return set()
        self._counted = now
        others = {name for name in now.keys() | before.keys() if now.get(name) != before.get(name)}
        facts_of = self._table.facts
        return (
            {id for id, facts in facts_of.items() if not others.isdisjoint(facts.objects)}
            if others
            else set()
        )

    def _row(self, facts: ServiceFacts, snapshot: Snapshot, before: ServiceRow | None = None) -> ServiceRow:
        counts = self._problem_counts
        problems = sum(counts.get(name, 0) for name in facts.objects) if counts else 0
        return service_table.row(facts, snapshot.subscriptions.of_service(facts.id), problems, before)
