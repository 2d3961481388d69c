"""The mesh in its own words. Frozen, hashable, ordered: equal facts give equal values.

This module is the only part of `catalog` that `translate` imports.
"""

import enum
from dataclasses import dataclass


class ServiceId(tuple[str, str]):
    """Identity of a service: namespace and name."""

    __slots__ = ()

    def __new__(cls, namespace: str, name: str) -> "ServiceId":
        return super().__new__(cls, (namespace, name))

    @property
    def namespace(self) -> str:
        return self[0]

    @property
    def name(self) -> str:
        return self[1]

    def __str__(self) -> str:
        return f"{self[0]}/{self[1]}"


class EndpointState(enum.Enum):
    """What traffic an endpoint may get. Endpoints that may get none are not in the catalog at all."""

    HEALTHY = "healthy"
    DRAINING = "draining"
    """Still serving while it terminates: no new traffic where the client can tell the difference."""


@dataclass(frozen=True, slots=True, order=True)
class Locality:
    region: str = ""
    zone: str = ""
    sub_zone: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of one port. `address` is a canonical IP literal; `hostname` is the pod's DNS label or ""."""

    address: str
    port: int
    state: EndpointState = EndpointState.HEALTHY
    locality: Locality = Locality()
    hostname: str = ""


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
    """A service that can be served: its TCP ports in the order of the manifest."""

    id: ServiceId
    ports: tuple[Port, ...] = ()
