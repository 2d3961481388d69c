"""A catalog of many services, and an engine of plain values with many streams in the place of the native one.

The values have the types of `steerway._engine`. What the native engine takes for a read is measured by its own tests.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from envoy.config.core.v3.base_pb2 import Node

from steerway.catalog.catalog import Catalog
from steerway.explain.subscriber import Subscribers
from steerway.inventory.client_index import Admitted, ClientIndex
from steerway.inventory.inventory import Inventory
from steerway.inventory.row.client import STATES
from steerway.inventory.service_table import ServiceTable
from steerway.sources.objects.core import (
    SERVICE_NAME_LABEL,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Object,
    ObjectKey,
    ObjectMeta,
    Service,
    ServiceMeta,
    ServicePort,
    ServiceSpec,
)
from steerway.translate.xds import type_url

DOMAIN = "cluster.local"
_LETTERS = "bcdfghjklmnpqrstvwxz"
_NAMESPACES = 100
_PER_CLIENT = 4
"""Services that a client dials."""
_ENDPOINTS = 5
_TYPES = (type_url.LISTENER, type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT)


@dataclass
class Group:
    """The streams of one label."""

    label: str
    streams: int = 0
    states: Counter[str] = field(default_factory=Counter)
    oldest_unacked_seconds: float | None = None
    oldest_age_seconds: float = 60.0


@dataclass
class Edge:
    """The streams of one label with one name."""

    label: str
    type_url: str
    name: str
    streams: int = 0
    states: Counter[str] = field(default_factory=Counter)
    since_seconds: float = 60.0


@dataclass
class LabelEdges:
    """All edges of one label."""

    label: str
    edges: list[Edge] = field(default_factory=list)
    version: int = 1


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
    label: str = ""
    age_seconds: float = 60.0
    state: str = "in_sync"


@dataclass
class Loads:
    """Load reports: none."""

    localities: list[object] = field(default_factory=list)


class Engine:
    """Streams as values. `edges` and `groups` are computed once, as of the end of the construction."""

    def __init__(self) -> None:
        self.streams_by_id: dict[int, Stream] = {}
        self._groups: dict[str, Group] = {}
        self._edges: dict[tuple[str, str, str], Edge] = {}
        self._by_label: dict[str, LabelEdges] = {}
        self._reads = 0

    def label(self, labels: Sequence[tuple[int, str]]) -> None:
        for id, label in labels:
            stream = self.streams_by_id[id]
            stream.label = label
            state = stream.state = _state(id)
            group = self._groups.setdefault(label, Group(label))
            group.streams += 1
            group.states[state] += 1
            for part in stream.subscriptions:
                for name in part.names:
                    key = label, part.type_url, name
                    if key not in self._edges:
                        self._edges[key] = Edge(*key)
                        self._by_label.setdefault(label, LabelEdges(label)).edges.append(self._edges[key])
                    edge = self._edges[key]
                    edge.streams += 1
                    edge.states[state] += 1

    def groups(self) -> list[Group]:
        return list(self._groups.values())

    def changed_edges(self, known: dict[str, int]) -> tuple[list[LabelEdges], list[str]]:
        """One label in a hundred changes with each call."""
        self._reads += 1
        for edges in list(self._by_label.values())[self._reads % 100 :: 100]:
            edges.version += 1
        return [edges for edges in self._by_label.values() if known.get(edges.label) != edges.version], []

    def states(self) -> tuple[bytes, bytes]:
        ids = sorted(self.streams_by_id)
        packed = b"".join(id.to_bytes(8, "little") for id in ids)
        return packed, bytes(STATES.index(_state(id)) for id in ids)  # type: ignore[arg-type]

    def streams(self, *, ids: Sequence[int] | None = None) -> list[Stream]:
        return [self.streams_by_id[id] for id in (self.streams_by_id if ids is None else ids)]

    def loads(self) -> Loads:
        return Loads()

    def stats(self) -> object:
        raise NotImplementedError


@dataclass(frozen=True)
class World:
    """What the routes read."""

    inventory: Inventory
    catalog: Catalog
    objects: dict[ObjectKey, Object]
    table: ServiceTable


def world(services: int, streams: int, replicas: int) -> World:
    """`replicas`: streams of one workload."""
    objects: dict[ObjectKey, Object] = {}
    for number in range(services):
        for obj in _objects(number):
            objects[obj.key] = obj
    catalog, engine = Catalog(), Engine()
    index = ClientIndex(lambda _: None, engine.label)
    table = ServiceTable(catalog.service, lambda id: catalog.endpoint_slices(objects.get, id))
    catalog.listen(table.touch)
    table.change(catalog.update(objects.get, objects))
    for number in range(streams):
        _connect(engine, index, number, replicas, services)
    subscribers = lambda: Subscribers(catalog.service, DOMAIN)  # noqa: E731
    inventory = Inventory(engine, index, table, list, lambda _: None, subscribers, DOMAIN)  # type: ignore[arg-type]
    return World(inventory, catalog, objects, table)


def objects_of(number: int, address: str) -> EndpointSlice:
    """The slice of a service, with another address."""
    endpoint_slice = _objects(number)[1]
    assert isinstance(endpoint_slice, EndpointSlice)
    return EndpointSlice(
        endpoint_slice.metadata,
        endpoint_slice.address_type,
        [Endpoint([address]), *(endpoint_slice.endpoints or [])[1:]],
        endpoint_slice.ports,
    )


def _objects(number: int) -> tuple[Object, ...]:
    namespace, name = f"ns-{number % _NAMESPACES}", f"svc-{number}"
    endpoints = [
        Endpoint([f"10.{number >> 8 & 255}.{number & 255}.{host}"], zone=f"eu-1{'abc'[host % 3]}")
        for host in range(1, _ENDPOINTS + 1)
    ]
    return (
        Service(ServiceMeta(name, namespace), ServiceSpec(ports=[ServicePort(50051, "grpc")])),
        EndpointSlice(
            ObjectMeta(f"{name}-1", namespace, labels={SERVICE_NAME_LABEL: name}),
            "IPv4",
            endpoints,
            [EndpointPort("grpc", 50051)],
        ),
    )


def _connect(engine: Engine, index: ClientIndex, number: int, replicas: int, services: int) -> None:
    workload = number // replicas
    suffix = "".join(_LETTERS[number // 20**digit % 20] for digit in range(5))
    node = Node(
        id=f"app-{workload}-6d4cf56db6-{suffix}", user_agent_name="gRPC Go", user_agent_version="1.80.0"
    ).SerializeToString()
    parts: dict[str, list[str]] = {served: [] for served in _TYPES}
    for step in range(_PER_CLIENT):
        target = (workload * 7 + step * 1201) % services
        host = f"svc-{target}.ns-{target % _NAMESPACES}"
        for served in _TYPES:
            canonical = f"{host}.svc.{DOMAIN}:50051"
            parts[served].append(f"{host}:50051" if served == type_url.LISTENER else canonical)
    audience = f"grpc/go/ns-{workload % _NAMESPACES}"
    subscriptions = [Part(served, names) for served, names in parts.items()]
    engine.streams_by_id[number + 1] = Stream(number + 1, node, audience, subscriptions)
    peer = f"10.{200 + (number >> 16)}.{number >> 8 & 255}.{number & 255}:{number % 60000 + 1}"
    index.admit([Admitted(number + 1, peer, node, audience)])


def _state(id: int) -> str:
    """One in a hundred is behind."""
    return "behind" if id % 100 == 0 else "in_sync"
