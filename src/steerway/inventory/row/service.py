"""Rows of services."""

from typing import Literal

import msgspec

from steerway.explain.target_row import LeftOutRow
from steerway.inventory.row.problem import ProblemRow
from steerway.journal.row import ChangeRow

ServiceState = Literal["error", "warning", "ok", "idle"]
"""error: a port with clients has no healthy endpoint, all backends of a rule of a route with clients are missing, or a
client refused a resource. warning: problems, a missing backend, or clients that wait, are behind or miss a name. idle:
no clients."""
EndpointState = Literal["healthy", "draining", "unready"]


class PortRow(msgspec.Struct, frozen=True):
    """`number` is null for a port that any number of a target means; `protocol` where one is stated."""

    number: int | None
    name: str
    protocol: str | None


class EndpointCounts(msgspec.Struct, frozen=True):
    """Addresses of all ports, each once, in its best state."""

    healthy: int = 0
    draining: int = 0
    unready: int = 0
    total: int = 0


class ServiceClients(msgspec.Struct, frozen=True):
    """Streams that subscribe to a resource of the service, and the number of their workloads."""

    streams: int = 0
    workloads: int = 0
    states: dict[str, int] = {}


class ServiceRow(msgspec.Struct, frozen=True):
    """A service. `zones`: healthy endpoints by zone; `policies` and `routes`: what is attached, as `KIND NAME`."""

    id: str
    namespace: str
    name: str
    ports: list[PortRow]
    endpoints: EndpointCounts
    zones: dict[str, int]
    policies: list[str]
    routes: list[str]
    clients: ServiceClients
    problems: int
    state: ServiceState
    changed_age_seconds: float | None


class EndpointRow(msgspec.Struct, frozen=True):
    """An endpoint of a port. `priority` is that of its cluster, as merged; `weight` is its own."""

    address: str
    port: int
    state: EndpointState
    zone: str | None
    region: str | None
    node: str | None
    pod: str | None
    priority: int
    weight: int


class PortDetail(msgspec.Struct, frozen=True):
    """`policy`: each section that is set, with its value as text."""

    number: int | None
    name: str
    protocol: str | None
    endpoints: list[EndpointRow]
    policy: dict[str, str]
    left_out: list[LeftOutRow]


class BackendRow(msgspec.Struct, frozen=True):
    """`service` is null for a share that fails. `share`: of the requests of the rule."""

    service: str | None
    port: int | None
    weight: int
    share: float


class RuleRow(msgspec.Struct, frozen=True):
    """A rule: what it matches, what it does to requests, and where they go."""

    matches: list[str]
    filters: list[str]
    backends: list[BackendRow]


class RoutingRow(msgspec.Struct, frozen=True):
    """A route, with its rules in the order in which they are tried."""

    object: str
    rules: list[RuleRow]


class SubscriberRow(msgspec.Struct, frozen=True):
    """A client workload that subscribes to resources of the service, and their names."""

    workload: str
    streams: int
    states: dict[str, int]
    since_seconds: float | None
    names: list[str]


class PropagationRow(msgspec.Struct, frozen=True):
    """From publications of changes of the service to the last ACK of each. `buckets`: upper bound in seconds (null:
    none) and number of observations, not cumulative."""

    count: int
    p50_seconds: float | None
    p99_seconds: float | None
    max_seconds: float | None
    buckets: list[tuple[float | None, int]]


class LoadRow(msgspec.Struct, frozen=True):
    """Requests to one locality, as clients report them."""

    locality: str
    issued: int
    successful: int
    errors: int
    in_progress: int


class ServiceDetail(ServiceRow, frozen=True):
    """A service with all that is known of it. `changes`: the last ones, as in `/api/v1/changes`."""

    port_details: list[PortDetail]
    routing: list[RoutingRow]
    subscribers: list[SubscriberRow]
    problem_details: list[ProblemRow]
    propagation: PropagationRow
    load: list[LoadRow]
    changes: list[ChangeRow]
