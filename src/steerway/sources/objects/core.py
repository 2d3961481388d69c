"""The facts: slim, frozen, typed Kubernetes objects, and raw xDS resources from files.

Only the fields that some later stage reads are kept; every further field costs memory once per object in the
cluster and must name its reader. Both sources (API server, files) give exactly these types, so that the same
manifests have the same meaning from either. This module, with `gateway` and `traffic_policy`, which hold what is
attached to Services, is the only part of `sources` that `catalog` imports.

Field meanings: Kubernetes API reference, Service v1 and EndpointSlice discovery.k8s.io/v1.
"""

import datetime
from typing import Any, TypeAlias

import msgspec

from steerway.sources.objects.certificate_request import PodCertificateRequest
from steerway.sources.objects.slim import TRIGGER_ANNOTATION as TRIGGER_ANNOTATION
from steerway.sources.objects.slim import ObjectKey as ObjectKey
from steerway.sources.objects.slim import ObjectMeta as ObjectMeta
from steerway.sources.objects.slim import ServiceMeta as ServiceMeta
from steerway.sources.objects.slim import Slim
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.gateway import BackendTLSPolicy, GRPCRoute, HTTPRoute, ReferenceGrant
from steerway.sources.policy.server_policy import ServerPolicy
from steerway.sources.policy.traffic_policy import TrafficPolicy

TCP = "TCP"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
"""The label of an EndpointSlice that names its Service (same namespace)."""

ANNOTATION_PREFIX = "steerway.io/"

PRIVATE_ANNOTATION = "steerway.io/private"
"""The annotation of a Service or Namespace that keeps it from clients of other namespaces."""


ENABLED_ANNOTATION = "steerway.io/enabled"
"""The annotation of a Service or Namespace that turns serving it on or off."""


EXPORT_ANNOTATION = "steerway.io/export-to"
"""The annotation of a Service or Namespace that lists the other namespaces whose clients may see it."""


class Namespace(Slim, frozen=True):
    """Kept for its annotations and labels."""

    metadata: ObjectMeta

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("Namespace", "", self.metadata.name)


ANY_PORT = 0
"""Number of the port of a Service that has none: a target may have any number. Only the short mapping gives it; the API
server requires 1 and above."""


class ServicePort(Slim, frozen=True):
    port: int
    name: str | None = None
    protocol: str | None = None  # None or "" means TCP
    app_protocol: str | None = None
    target_port: int | str | None = None  # None means `port`

    @property
    def is_tcp(self) -> bool:
        return (self.protocol or TCP) == TCP


class ServiceSpec(Slim, frozen=True):
    ports: list[ServicePort] | None = None
    selector: dict[str, str] | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")
    type: str | None = None
    external_name: str | None = None
    ip_families: list[str] | None = None
    publish_not_ready_addresses: bool = False
    internal_traffic_policy: str | None = None  # None means Cluster
    traffic_distribution: str | None = None
    session_affinity: str | None = None  # None means None


class Service(Slim, frozen=True):
    metadata: ServiceMeta
    spec: ServiceSpec = ServiceSpec()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("Service", self.metadata.namespace, self.metadata.name)


class EndpointConditions(Slim, frozen=True):
    """None means: `ready` true, `serving` as `ready`, `terminating` false (EndpointConditions, API
    reference)."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Hint(Slim, frozen=True):
    """A zone or node whose clients an endpoint is for (ForZone, ForNode)."""

    name: str


class EndpointHints(Slim, frozen=True):
    for_zones: list[Hint] | None = None
    for_nodes: list[Hint] | None = None


class Endpoint(Slim, frozen=True):
    addresses: list[str]
    conditions: EndpointConditions | None = None
    hostname: str | None = None
    node_name: str | None = None
    zone: str | None = None
    hints: EndpointHints | None = None


class EndpointPort(Slim, frozen=True):
    name: str | None = None
    port: int | None = None
    protocol: str | None = None  # None or "" means TCP
    app_protocol: str | None = None

    @property
    def is_tcp(self) -> bool:
        return (self.protocol or TCP) == TCP


class EndpointSlice(Slim, frozen=True):
    metadata: ObjectMeta
    address_type: str
    endpoints: list[Endpoint] | None = None
    ports: list[EndpointPort] | None = None

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("EndpointSlice", self.metadata.namespace, self.metadata.name)


class OwnerReference(Slim, frozen=True):
    """The object that a Pod belongs to. One of them at the most is its controller."""

    kind: str = ""
    name: str = ""
    controller: bool = False


class PodMeta(Slim, frozen=True):
    """`creation_timestamp` is RFC 3339 in UTC, so that its order is the order of time. Owners and labels: for the
    workload of a client, and for the Services that select it."""

    name: str
    namespace: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    owner_references: list[OwnerReference] | None = None
    labels: dict[str, str] | None = None


class PodSpec(Slim, frozen=True):
    node_name: str = ""
    service_account_name: str = ""
    host_network: bool = False


class PodIP(Slim, frozen=True):
    ip: str = ""


class PodStatus(Slim, frozen=True):
    phase: str = ""
    pod_ips: list[PodIP] | None = msgspec.field(default=None, name="podIPs")


class Pod(Slim, frozen=True):
    """A pod as a client: its addresses, its node and its owner. Containers and conditions are not kept."""

    metadata: PodMeta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("Pod", self.metadata.namespace, self.metadata.name)


class Topology(Slim, frozen=True):
    """Well-known labels of a Node; the others are dropped."""

    zone: str = msgspec.field(default="", name="topology.kubernetes.io/zone")
    region: str = msgspec.field(default="", name="topology.kubernetes.io/region")


class NodeMeta(Slim, frozen=True):
    name: str
    labels: Topology = Topology()


class NodeAddress(Slim, frozen=True):
    address: str = ""


class NodeStatus(Slim, frozen=True):
    addresses: list[NodeAddress] | None = None


class Node(Slim, frozen=True):
    """A node as the place of pods. Equal through all its heartbeats."""

    metadata: NodeMeta
    status: NodeStatus = NodeStatus()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("Node", "", self.metadata.name)


class XdsResource(msgspec.Struct, frozen=True):
    """A raw xDS resource as written in a file: protobuf JSON mapping, not yet parsed as protobuf.

    `name` is the resource's own name field (`name`, or `cluster_name` for a ClusterLoadAssignment), `body`
    the whole document with its `@type`, `where` is `file:line`. `ttl` is the time to live of the `Resource` that the
    document was wrapped in, in protobuf's JSON mapping (`"10s"`); "" without one.
    """

    type_url: str
    name: str
    body: dict[str, Any]
    where: str
    ttl: str = ""

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("XdsResource", self.type_url, self.name)


Attached: TypeAlias = (
    GRPCRoute
    | HTTPRoute
    | ReferenceGrant
    | BackendTLSPolicy
    | TrafficPolicy
    | ServerPolicy
    | AuthorizationPolicy
)
"""What is attached to Services and routes."""
Object: TypeAlias = (
    Namespace | Service | EndpointSlice | Pod | Node | XdsResource | PodCertificateRequest | Attached
)


def happened(old: Object | None, new: Object | None) -> float | None:
    """When what changed an object happened (seconds since the epoch), as far as its new version states it.

    Only an EndpointSlice does, and only with a time that its old version did not have: others than its controller write
    it, too, and leave the time as it was.
    """
    if not isinstance(new, EndpointSlice) or (trigger := new.metadata.change_trigger) is None:
        return None
    if isinstance(old, EndpointSlice) and old.metadata.change_trigger == trigger:
        return None
    try:
        return datetime.datetime.fromisoformat(trigger).timestamp()
    except ValueError:  # not a time
        return None
