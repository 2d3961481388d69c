"""A world of plain values for the admin server to look at."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from steerway.access.identity import Identity
from steerway.admin.view import AdminView, Phase
from steerway.catalog.locality.client_locality import PodLocality
from steerway.errors import SteerwayError
from steerway.sources.kubernetes import InformerStatus
from steerway.sources.store import Problem
from steerway.translate.protobuf.render import to_json
from tests.unit.inventory import inventory_world
from tests.unit.inventory.inventory_world import Stats
from tests.unit.journal.journal_world import World as Journal

TYPE = "type.googleapis.com/"
LISTENER = TYPE + "envoy.config.listener.v3.Listener"
CLUSTER = TYPE + "envoy.config.cluster.v3.Cluster"
SECRET = TYPE + "envoy.extensions.transport_sockets.tls.v3.Secret"


@dataclass
class Resource:
    """One name on one stream."""

    name: str
    version: str = "v1"
    status: str = "acked"
    error: str = ""
    sent_age_seconds: float | None = 3.0


@dataclass
class Change:
    """Seconds of each step of the last change that a client took."""

    event_to_received: float | None = 0.0041266
    received_to_published: float = 0.006
    published_to_sent: float = 0.0002
    sent_to_acked: float = 0.0007
    event_to_acked: float | None = 0.0110266


@dataclass
class Absent:
    """A name on one stream that there is nothing for."""

    name: str
    reason: str = "no such service"
    removed: bool = False


@dataclass
class Subscription:
    """One type on one stream, in sync unless a test sets another state."""

    type_url: str = LISTENER
    wildcard: bool = False
    names: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    absent: list[Absent] = field(default_factory=list)
    more_absent: int = 0
    version_sent: str = "v1"
    version_acked: str = "v1"
    sent_age_seconds: float | None = 1.23456
    acked_age_seconds: float | None = 1.0
    change: Change | None = None
    nack_version: str = ""
    nack_message: str = ""
    nack_age_seconds: float | None = None
    resources: list[Resource] = field(default_factory=list)

    @property
    def absent_count(self) -> int:
        return len(self.absent) + self.more_absent


@dataclass
class Stream:
    """One client stream."""

    id: int = 1
    node_id: str = "web-1"
    node: bytes = b""
    peer: str = "10.0.0.9:4711"
    audience: str = "grpc/unknown/shop"
    service: str = "envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
    delta: bool = False
    age_seconds: float = 12.0
    subscriptions: list[Subscription] = field(default_factory=list)


@dataclass
class Entry:
    """One entry of the store; with a body it is served, without one it is absent."""

    type_url: str
    name: str
    audience: str = ""
    body: bytes = b""
    reason: str = ""

    @property
    def version(self) -> str:
        return "" if self.reason else f"v{len(self.body)}"

    @property
    def size(self) -> int:
        return len(self.body)


@dataclass
class LocalityLoad:
    """Requests to one locality."""

    cluster: str = "backend"
    service: str = "backend"
    region: str = ""
    zone: str = "eu-1a"
    sub_zone: str = ""
    issued: int = 0
    successful: int = 0
    errors: int = 0
    in_progress: int = 0


@dataclass
class DroppedLoad:
    """Dropped requests of one category."""

    cluster: str = "backend"
    service: str = "backend"
    category: str = ""
    count: int = 0


@dataclass
class Loads:
    """What clients report."""

    reporters: int = 0
    reports: int = 0
    ignored: int = 0
    localities: list[LocalityLoad] = field(default_factory=list)
    dropped: list[DroppedLoad] = field(default_factory=list)


@dataclass
class Subscribers:
    """Limitations of clients, by the bytes of their Nodes."""

    clients: dict[bytes, str] = field(default_factory=dict)
    stated: dict[tuple[bytes, str], list[str]] = field(default_factory=dict)

    def client(self, node: bytes) -> str:
        return self.clients.get(node, "grpc-go 1.85")

    def limitations(self, node: bytes, _audience: str, subscribed: Iterable[tuple[str, str]]) -> list[str]:
        return [stated for _, name in subscribed for stated in self.stated.get((node, name), [])]


@dataclass
class World:
    """Everything behind the view; tests change it between requests."""

    all_streams: list[Stream] = field(default_factory=list)
    all_entries: list[Entry] = field(default_factory=list)
    all_problems: list[Problem] = field(default_factory=list)
    localities: dict[str, PodLocality] = field(default_factory=dict)
    identities: dict[int, Identity] = field(default_factory=dict)
    all_loads: Loads = field(default_factory=Loads)
    unsynced: list[str] = field(default_factory=list)
    obstacles: list[Problem] = field(default_factory=list)
    phase: Phase = "serving"
    informers: list[InformerStatus] = field(default_factory=list)
    subscribers: Subscribers = field(default_factory=Subscribers)
    explanation: dict[str, Any] | SteerwayError = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)
    journal: Journal = field(default_factory=Journal)

    inventory: inventory_world.World = field(default_factory=inventory_world.World)

    @property
    def synced(self) -> bool:
        return not self.unsynced

    def problems_of(self, source: str) -> list[Problem]:
        return self.obstacles if source == "kubernetes" else []

    def stats(self) -> Stats:
        return self.inventory.engine.counters

    def streams(
        self,
        *,
        resources: bool = False,
        ids: Sequence[int] | None = None,
        after: int = 0,
        limit: int = 0,
    ) -> list[Stream]:
        """Rows of resources only on request, as the engine does."""
        if after or limit:
            following = [stream for stream in self.streams(resources=resources) if stream.id > after]
            return following[: limit or None]
        if ids is not None:
            return [stream for stream in self.streams(resources=resources) if stream.id in ids]
        if resources:
            return self.all_streams
        plain = [
            [replace(part, resources=[]) for part in stream.subscriptions] for stream in self.all_streams
        ]
        pairs = zip(self.all_streams, plain, strict=True)
        return [replace(stream, subscriptions=parts) for stream, parts in pairs]

    def entries(self) -> list[Entry]:
        return self.all_entries

    def loads(self) -> Loads:
        return self.all_loads

    def body(self, type_url: str, name: str, audience: str) -> bytes | None:
        for entry in self.all_entries:
            if (entry.type_url, entry.name, entry.audience) == (
                type_url,
                name,
                audience,
            ) and not entry.reason:
                return entry.body
        return None

    def explain(self, asked: Mapping[str, str]) -> dict[str, Any]:
        self.asked = asked
        if isinstance(self.explanation, SteerwayError):
            raise self.explanation
        return self.explanation

    def view(self) -> AdminView:
        return AdminView(
            engine=self,
            store=self,
            phase=lambda: self.phase,
            informers=lambda: self.informers,
            problems=lambda: self.all_problems,
            locality=self.localities.get,
            identity=self.identities.get,
            render=to_json,
            subscribers=lambda: self.subscribers,
            explain=self.explain,
            service_count=lambda: 3,
            inventory=self.inventory.inventory,
            details=self.inventory.details(self.journal.journal.rows),
            targets=self.inventory.targets(),
            journal=self.journal.journal,
            replica="steerway-0",
            max_event_streams=2,
        )
