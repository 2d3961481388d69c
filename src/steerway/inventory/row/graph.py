"""The graph of client workloads and services."""

import msgspec

from steerway.inventory.row.client import ClientState
from steerway.inventory.row.service import ServiceState


class WorkloadNode(msgspec.Struct, frozen=True):
    """A client workload."""

    id: str
    streams: int
    state: ClientState


class ServiceLoad(msgspec.Struct, frozen=True):
    """Requests since the start of this replica, as clients report them."""

    issued: int
    errors: int


class ServiceNode(msgspec.Struct, frozen=True):
    """A service, with its number of healthy endpoints. `load` is null without reports."""

    id: str
    state: ServiceState
    endpoints: int
    load: ServiceLoad | None


class GraphEdge(msgspec.Struct, frozen=True):
    """Streams of a workload that subscribe to resources of a service, and some of their names."""

    id: str
    workload: str
    service: str
    streams: int
    state: ClientState
    names: list[str]


class Graph(msgspec.Struct, frozen=True):
    """`truncated`: there are more edges."""

    workloads: list[WorkloadNode]
    services: list[ServiceNode]
    edges: list[GraphEdge]
    truncated: bool
