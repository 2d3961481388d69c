"""An engine of plain values, and an inventory over it and a real catalog."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from envoy.config.core.v3.base_pb2 import Node

from steerway.catalog.catalog import Catalog
from steerway.catalog.locality.client_locality import PodLocality
from steerway.catalog.model.identity import ServiceId
from steerway.explain import Explainer, access
from steerway.explain.subscriber import Subscribers
from steerway.explain.target import Targets
from steerway.inventory.client_index import Admitted, ClientIndex
from steerway.inventory.inventory import Inventory
from steerway.inventory.row.client import STATES
from steerway.inventory.service_detail import ServiceDetails
from steerway.inventory.service_table import ServiceTable
from steerway.journal.row import ChangeRow
from steerway.sources.objects.core import EndpointSlice, Object, ObjectKey
from steerway.sources.store import Problem
from steerway.translate.translator import Translator
from steerway.translate.xds import type_url
from testbed.translator_options import translator_options

DOMAIN = "cluster.local"


@dataclass
class Part:
    """One type on one stream."""

    type_url: str
    names: list[str]
    nack_message: str = ""


@dataclass
class Stream:
    """One stream."""

    id: int
    node: bytes
    audience: str
    subscriptions: list[Part]
    state: str = "in_sync"
    label: str = ""
    age_seconds: float = 5.0


@dataclass
class Group:
    """The streams of one label."""

    label: str
    streams: int = 0
    states: dict[str, int] = field(default_factory=dict)
    oldest_unacked_seconds: float | None = None
    oldest_age_seconds: float = 5.0


@dataclass
class Edge:
    """The streams of one label with one name."""

    label: str
    type_url: str
    name: str
    streams: int = 0
    states: dict[str, int] = field(default_factory=dict)
    since_seconds: float = 4.0


@dataclass
class LabelEdges:
    """All edges of one label."""

    label: str
    version: int
    edges: list[Edge]


@dataclass
class Load:
    """Requests to a locality."""

    cluster: str
    issued: int
    errors: int = 0
    successful: int = 0
    in_progress: int = 0
    region: str = ""
    zone: str = "eu-1a"
    sub_zone: str = ""


@dataclass
class Loads:
    """Load reports."""

    localities: list[Load] = field(default_factory=list)


@dataclass
class Stats:
    """Counters."""

    resources: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    absent: int = 0
    oldest_unacked_seconds: float | None = None


class Engine:
    """Counts its streams as the native engine does."""

    def __init__(self) -> None:
        self.all: dict[int, Stream] = {}
        self.reported = Loads()
        self.counters = Stats()

    def label(self, labels: Sequence[tuple[int, str]]) -> None:
        for stream, label in labels:
            self.all[stream].label = label

    def groups(self) -> list[Group]:
        groups: dict[str, Group] = {}
        for stream in self.all.values():
            group = groups.setdefault(stream.label, Group(stream.label))
            group.streams += 1
            group.states[stream.state] = group.states.get(stream.state, 0) + 1
        return list(groups.values())

    def changed_edges(self, known: dict[str, int]) -> tuple[list[LabelEdges], list[str]]:
        by_label: dict[str, list[Edge]] = {}
        for edge in self._edges():
            by_label.setdefault(edge.label, []).append(edge)
        every = [LabelEdges(label, hash(str(edges)), edges) for label, edges in by_label.items()]
        changed = [edges for edges in every if known.get(edges.label) != edges.version]
        return changed, [label for label in known if label not in by_label]

    def _edges(self) -> list[Edge]:
        edges: dict[tuple[str, str, str], Edge] = {}
        for stream in self.all.values():
            for part in stream.subscriptions:
                for name in part.names:
                    key = stream.label, part.type_url, name
                    edge = edges.setdefault(key, Edge(*key))
                    edge.streams += 1
                    edge.states[stream.state] = edge.states.get(stream.state, 0) + 1
        return list(edges.values())

    def states(self) -> tuple[bytes, bytes]:
        ids = sorted(self.all)
        packed = b"".join(id.to_bytes(8, "little") for id in ids)
        return packed, bytes(STATES.index(self.all[id].state) for id in ids)  # type: ignore[arg-type]

    def streams(self, *, ids: Sequence[int] | None = None) -> list[Stream]:
        return [stream for id, stream in sorted(self.all.items()) if ids is None or id in ids]

    def loads(self) -> Loads:
        return self.reported

    def stats(self) -> Stats:
        return self.counters


def names_of(service: str, port: int, listener: str = "") -> list[Part]:
    """The subscriptions of a gRPC client that dials a service, as `NAMESPACE/NAME`."""
    namespace, _, name = service.partition("/")
    canonical = f"{name}.{namespace}.svc.{DOMAIN}:{port}"
    return [
        Part(type_url.LISTENER, [listener or f"{name}.{namespace}:{port}"]),
        *(Part(served, [canonical]) for served in (type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT)),
    ]


class World:
    """Objects in a catalog, streams in an engine, and the inventory of both."""

    def __init__(self, *objects: Object) -> None:
        self.now = 0.0
        self.objects: dict[ObjectKey, Object] = {}
        self.localities: dict[str, PodLocality] = {}
        self.problems: list[Problem] = []
        self.engine = Engine()
        self.catalog = Catalog()
        self.index = ClientIndex(self.localities.get, self.engine.label)
        self.table = ServiceTable(self.catalog.service, self._slices, lambda: self.now)
        self.catalog.listen(self.table.touch)
        self.inventory = Inventory(
            self.engine,
            self.index,
            self.table,
            lambda: self.problems,
            self.localities.get,
            lambda: Subscribers(self.catalog.service, DOMAIN),
            DOMAIN,
            max_age_seconds=0.0,
        )
        self.put(*objects)

    def put(self, *objects: Object) -> None:
        self.objects |= {obj.key: obj for obj in objects}
        self.table.change(self.catalog.update(self.objects.get, [obj.key for obj in objects]))

    def delete(self, *objects: Object) -> None:
        for obj in objects:
            del self.objects[obj.key]
        self.table.change(self.catalog.update(self.objects.get, [obj.key for obj in objects]))

    def details(self, changes: Callable[[], Iterable[ChangeRow]] = tuple) -> ServiceDetails:
        return ServiceDetails(
            self.inventory,
            self.catalog.service,
            self._slices,
            lambda address: self.localities.get(f"{address}:0"),
            self.engine.loads,
            changes,
            DOMAIN,
        )

    def targets(self) -> Targets:
        translator = Translator(self.catalog.service, services=lambda: self.catalog, **translator_options())
        explainer = Explainer(
            find=self.catalog.service,
            known=lambda: self.catalog,
            metadata=lambda id: self.catalog.metadata(self.objects.get, id),
            preview=translator.preview_in_threads(self.catalog.service, lambda: self.catalog),
            topology="zone",
            domain=DOMAIN,
            namespace="shop",
            buckets=0,
            access=access.of_catalog(self.catalog, self.objects.get),
        )
        return Targets(explainer, self._slices, lambda address: self.localities.get(f"{address}:0"))

    def _slices(self, id: ServiceId) -> list[EndpointSlice]:
        return self.catalog.endpoint_slices(self.objects.get, id)

    def connect(
        self,
        node_id: str,
        *parts: Part,
        peer: str = "10.0.0.9:1",
        audience: str = "grpc/go/shop",
        agent: Mapping[str, Any] | None = None,
    ) -> Stream:
        about = agent or {"user_agent_name": "gRPC Go", "user_agent_version": "1.80.0"}
        node = Node(id=node_id, **about).SerializeToString()
        stream = Stream(len(self.engine.all) + 1, node, audience, list(parts))
        self.engine.all[stream.id] = stream
        self.index.admit([Admitted(stream.id, peer, node, audience)])
        return stream
