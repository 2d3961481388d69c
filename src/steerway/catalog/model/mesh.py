"""The mesh in its own words. Frozen, hashable, ordered: equal facts give equal values.

This module, `policy`, `protocol`, `tls` and `route`, `locality` and `connection` are the parts of `catalog` that
`translate` imports.
"""

import enum
from dataclasses import dataclass, replace
from typing import NamedTuple

from steerway.catalog.model.identity import ServiceId as ServiceId
from steerway.catalog.model.policy import NOTHING, Policy
from steerway.catalog.model.protocol import Statement, stated
from steerway.catalog.model.route import NO_ROUTE, Routing
from steerway.catalog.model.security import PLAINTEXT, PortTls
from steerway.catalog.model.tls import BackendTLS
from steerway.sources.objects.core import ANY_PORT as ANY_PORT
from steerway.sources.objects.core import ObjectKey


class EndpointState(enum.Enum):
    """What traffic an endpoint may get. Endpoints that may get none are not in the catalog at all."""

    HEALTHY = "healthy"
    DRAINING = "draining"
    """Still serving while it terminates: no new traffic from clients that distinguish it."""
    UNREADY = "unready"
    """Not ready: no traffic, unless the service's policy has it used when too few others are left."""


class Locality(NamedTuple):
    """Where an endpoint is; all parts may be ""."""

    region: str = ""
    zone: str = ""
    sub_zone: str = ""


class Endpoint(NamedTuple):
    """One address of one port. `address` is a canonical IP literal; `hostname` is the pod's DNS label or "".

    A tuple, because thousands are built, sorted and compared for one change of a big service.
    """

    address: str
    port: int
    state: EndpointState = EndpointState.HEALTHY
    locality: Locality = Locality()
    hostname: str = ""
    priority: int = 0
    """0 is used first; the next greater one when no endpoint of it can be reached."""
    node: str = ""
    for_zones: tuple[str, ...] = ()
    for_nodes: tuple[str, ...] = ()
    """Hints: zones and nodes whose clients the endpoint is for, sorted; empty for those of all."""


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port of a service. `endpoints` is sorted and holds no (address, port) twice.

    `number` is `ANY_PORT` for a port without a number, which every number of a target means. `name` is "" for an
    unnamed port; `app_protocol` is "" when not set. `policy` has all sections for the port.
    `named_by`: the kinds of the routes that name it, where its name and appProtocol state no protocol.
    """

    number: int
    name: str = ""
    app_protocol: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    policy: Policy = NOTHING
    routing: Routing = NO_ROUTE
    named_by: frozenset[str] = frozenset()
    tls: BackendTLS | None = None
    mtls: PortTls = PLAINTEXT
    """What gRPC servers behind it speak."""

    @property
    def protocol(self) -> Statement:
        """What its endpoints speak, and where that is stated."""
        return stated(self.app_protocol, self.name, self.named_by)

    @property
    def has_healthy(self) -> bool:
        return any(endpoint.state is EndpointState.HEALTHY for endpoint in self.endpoints)

    @property
    def label(self) -> str:
        """`50051 (grpc)`, `50051`, or `any` without a number."""
        number = "any" if self.number == ANY_PORT else str(self.number)
        return f"{number} ({self.name})" if self.name else number


@dataclass(frozen=True, slots=True)
class Service:
    """A service that can be served: its TCP ports in the order of the manifest.

    `private`: it is not for every authenticated client. `external_name`: the host name that it stands for
    instead of endpoints, on any port; "" for a service with endpoints.
    """

    id: ServiceId
    ports: tuple[Port, ...] = ()
    private: bool = False
    external_name: str = ""
    local_only: bool = False
    """`internalTrafficPolicy: Local`: clients want endpoints of their own node only."""
    distribution: str = ""
    """`trafficDistribution`: `PreferSameZone` and the like; "" when not set."""
    uid: str = ""
    """Another one for each Service object of this name; "" where it is not known."""
    exported_to: frozenset[str] | None = None
    """Namespaces besides its own whose clients can use it; None: all."""
    outside: str = ""
    """What leaves it out of the scope, as the end of a sentence: it is no target of clients, and here because a route
    of a Service in the scope names it. "" for one in the scope."""
    tls: BackendTLS | None = None
    """Of ports that are not listed here: those of an external name, or of another cluster."""

    @property
    def shape(self) -> "Service":
        """All of it but the endpoints, which change most often and matter to assignments alone."""
        return replace(self, ports=tuple(replace(port, endpoints=()) for port in self.ports))

    def is_for(self, namespace: str) -> bool:
        """Whether clients of the namespace can use it."""
        return self.exported_to is None or namespace == self.id.namespace or namespace in self.exported_to

    def backs(self, namespace: str) -> bool:
        """Whether routes may send clients of the namespace to it."""
        return self.is_for(namespace) and (not self.private or namespace == self.id.namespace)

    def port(self, number: int) -> Port | None:
        """A port by its number; one without a number, and one that stands for a host name, take requests on any."""
        numbers = (number, ANY_PORT)
        port = next((port for wanted in numbers for port in self.ports if port.number == wanted), None)
        return Port(number, tls=self.tls) if port is None and self.external_name else port


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of a service that is not served as written: the object, the reason, and the fix."""

    where: str
    reason: str
    hint: str = ""
    about: ObjectKey | None = None
    partial: bool = False
    """Clients of another kind are served all the same."""

    @classmethod
    def of(cls, about: ObjectKey, reason: str, hint: str) -> "Problem":
        """One that the object's owner can see there."""
        return cls(str(about), reason, hint, about)
