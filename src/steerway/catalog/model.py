"""The mesh in its own words. Frozen, hashable, ordered: equal facts give equal values.

This module and `reach`, which says which endpoints whose client gets, are the parts of `catalog` that `translate`
imports.
"""

import enum
from dataclasses import dataclass
from typing import NamedTuple

from steerway.sources.objects import ObjectKey


class ServiceId(NamedTuple):
    """Identity of a service."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class EndpointState(enum.Enum):
    """What traffic an endpoint may get. Endpoints that may get none are not in the catalog at all."""

    HEALTHY = "healthy"
    DRAINING = "draining"
    """Still serving while it terminates: no new traffic where the client can tell the difference."""


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

    `name` is "" for an unnamed port; `app_protocol` is "" when not set.
    """

    number: int
    name: str = ""
    app_protocol: str = ""
    endpoints: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """A service that can be served: its TCP ports in the order of the manifest.

    `private`: it is not for every client that has proved who it is. `external_name`: the host name that it stands for
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
    sticky: bool = False
    """`sessionAffinity: ClientIP`: a client wants to stay with one endpoint."""
    exported_to: frozenset[str] | None = None
    """Namespaces besides its own whose clients are told of it; None: all."""

    def is_for(self, namespace: str) -> bool:
        """Whether clients of the namespace are told of it."""
        return self.exported_to is None or namespace == self.id.namespace or namespace in self.exported_to


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of a service that is not served, or otherwise than it says: the object, why, and what to do about it."""

    where: str
    reason: str
    cure: str = ""
    about: ObjectKey | None = None

    @classmethod
    def of(cls, about: ObjectKey, reason: str, cure: str) -> "Problem":
        """One that the object's owner can see there."""
        return cls(str(about), reason, cure, about)
