"""The types of `/api/v1/streams`, `/api/v1/resources`, `/api/v1/loads` and `/api/v1/explain`, for the API document.

Their values are made by `stream`, `resource`, `load` and `explanation`; tests hold both together.
"""

from typing import Any, Literal

import msgspec

from steerway.inventory.row.client import ClientState


class StreamResource(msgspec.Struct):
    """One name on one stream, with `resources=true`."""

    name: str
    version: str
    status: Literal["requested", "sent", "acked", "nacked", "does_not_exist"]
    error: str | None
    sent_age_seconds: float | None


class StreamNack(msgspec.Struct):
    """The last refusal of a type."""

    message: str
    version: str
    age_seconds: float | None


class StreamChange(msgspec.Struct):
    """The duration of each step of the last acknowledged change."""

    event_to_received_seconds: float | None
    received_to_published_seconds: float
    published_to_sent_seconds: float
    sent_to_acked_seconds: float
    event_to_acked_seconds: float | None


class StreamType(msgspec.Struct):
    """One type on one stream. `absent`: names that do not exist, with the reason."""

    type: str
    type_url: str
    wildcard: bool
    names: list[str]
    waiting: list[str]
    absent: dict[str, str]
    absent_count: int
    version_sent: str
    version_acked: str
    state: ClientState
    in_sync: bool
    sent_age_seconds: float | None
    acked_age_seconds: float | None
    nack: StreamNack | None
    last_change: StreamChange | None
    resources: list[StreamResource] | msgspec.UnsetType = msgspec.UNSET


class StreamIdentity(msgspec.Struct):
    """What a client proved, and how."""

    method: str
    name: str


class StreamRow(msgspec.Struct):
    """A client stream. `locality`: the known facts about its address."""

    id: int
    node: str
    client: str
    address: str
    locality: dict[str, str] | None
    identity: StreamIdentity | None
    audience: str
    service: str
    protocol: Literal["sotw", "delta"]
    age_seconds: float
    state: ClientState
    in_sync: bool
    limitations: list[str]
    types: list[StreamType]


class StreamList(msgspec.Struct):
    """The client streams. `next` is `after` of the next page, null on the last one and without `limit`."""

    streams: list[StreamRow]
    next: str | None


class ResourceRow(msgspec.Struct):
    """An entry of the resource store for one audience. `body`: of a single resource only."""

    type: str
    type_url: str
    name: str
    audience: str
    version: str
    size_bytes: int
    absent: str | None
    body: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET


class ResourceList(msgspec.Struct):
    """Entries of the resource store, without bodies."""

    resources: list[ResourceRow]


class VariantList(msgspec.Struct):
    """The variants of one resource, with bodies."""

    variants: list[ResourceRow]


class LocalityLoad(msgspec.Struct):
    """Requests to one locality."""

    region: str
    zone: str
    sub_zone: str
    issued: int
    successful: int
    errors: int
    in_progress: int


class ClusterLoad(msgspec.Struct):
    """Requests to one cluster. `dropped`: requests that clients dropped, by category."""

    cluster: str
    endpoints: str
    localities: list[LocalityLoad]
    dropped: dict[str, int]


class LoadDocument(msgspec.Struct):
    """Load reports since the start of this replica."""

    reporters: int
    reports: int
    ignored_rows: int
    clusters: list[ClusterLoad]


class Explanation(msgspec.Struct):
    """What a target means to a client, and the clients that have its resources."""

    target: dict[str, Any]
    facts: dict[str, Any]
    policy: list[dict[str, Any]]
    access: dict[str, Any] | None
    client: dict[str, Any]
    resources: list[dict[str, Any]]
    clients: list[dict[str, Any]]
