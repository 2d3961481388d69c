"""What one client gets for a target."""

import msgspec


class LeftOutRow(msgspec.Struct, frozen=True):
    """An address of an EndpointSlice that no client gets, or that the client in question does not get."""

    address: str
    reason: str
    zone: str | None = None
    pod: str | None = None


class TargetEndpoint(msgspec.Struct, frozen=True):
    """An endpoint that the client gets. `share`: of the requests of its cluster while all healthy endpoints can be
    reached; that of lower priorities is 0."""

    address: str
    port: int
    zone: str | None
    region: str | None
    node: str | None
    pod: str | None
    state: str
    priority: int
    weight: int
    locality_weight: int
    share: float


class TargetCluster(msgspec.Struct, frozen=True):
    """A cluster that requests to the target may go to. `weight`: its share of the requests of one rule; null where
    rules differ."""

    name: str
    weight: float | None
    endpoints: list[TargetEndpoint]
    left_out: list[LeftOutRow]


class TargetRow(msgspec.Struct, frozen=True):
    """`error`: why the client gets nothing, null if it does. `name`: the resource name that the target means."""

    target: str
    service: str | None
    port: int | None
    name: str | None
    clusters: list[TargetCluster]
    limitations: list[str]
    error: str | None


class TargetList(msgspec.Struct, frozen=True):
    """In the order of the request."""

    targets: list[TargetRow]
