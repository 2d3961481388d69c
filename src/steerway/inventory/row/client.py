"""Rows of clients: by workload, and by node id."""

from typing import Any, Literal, get_args

import msgspec

ClientState = Literal["refused", "waiting", "behind", "absent", "in_sync"]
"""States of a client, the worst first: it refused the last response, a name has no answer yet, the newest response is
not acknowledged, a name does not exist, none of these."""
STATES: tuple[ClientState, ...] = get_args(ClientState)


class ClientRow(msgspec.Struct, frozen=True):
    """A client workload. `kind` is null where no pod is known; `nodes`: distinct node ids; `state` is the worst one.
    `services` and `limitations` are counts; `age_seconds` is that of the oldest stream."""

    id: str
    namespace: str
    name: str
    kind: str | None
    streams: int
    nodes: int
    states: dict[str, int]
    state: ClientState
    libraries: dict[str, int]
    zones: dict[str, int]
    services: int
    limitations: int
    oldest_unacked_seconds: float | None
    age_seconds: float | None


class NodeRow(msgspec.Struct, frozen=True):
    """A client by its node id. `nack`: the message of the last refusal that is not settled."""

    id: str
    workload: str
    client: str
    address: str
    zone: str | None
    node: str | None
    pod: str | None
    streams: int
    state: ClientState
    states: dict[str, int]
    services: int
    limitations: int
    nack: str | None
    age_seconds: float | None


class NodeDetail(NodeRow, frozen=True):
    """`stream_details`: its streams, as in `/api/v1/streams?resources=true`."""

    stream_details: list[dict[str, Any]]
