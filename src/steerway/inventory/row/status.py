"""The state of a replica."""

import msgspec


class InformerRow(msgspec.Struct, frozen=True):
    """A watched kind of an API server, and the age of its last message. `installed`: the API server knows the kind."""

    cluster: str
    kind: str
    namespace: str
    synced: bool
    silent_seconds: float
    stale: bool
    installed: bool


class ChangesStatus(msgspec.Struct, frozen=True):
    """`last_id`: of the newest change in the journal; null before the first."""

    last_id: str | None


class StatusRow(msgspec.Struct, frozen=True):
    """`age_seconds`: of the process; `config_age_seconds`: since the last change was published. `resources`: by type.
    `refused`: how often each limit refused a client since the start. `absent`: subscribed names without a resource.
    `oldest_unacked_seconds`: of the updates that clients have not answered."""

    replica: str
    version: str
    phase: str
    ready: bool
    missing: list[str]
    age_seconds: float
    time: str
    config_age_seconds: float | None
    services: int
    workloads: int
    streams: int
    states: dict[str, int]
    resources: dict[str, int]
    problems: int
    informers: list[InformerRow]
    refused: dict[str, int]
    oldest_unacked_seconds: float | None
    absent: int
    changes: ChangesStatus
