"""A journal beside counts of clients that a test sets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from steerway.admin.api.type_name import short_name
from steerway.catalog.model.identity import ServiceId
from steerway.commit import Commit, Put
from steerway.journal.entry import Work
from steerway.journal.journal import Journal
from steerway.journal.row import Rows
from steerway.origin import Origin
from steerway.sources.objects.core import ObjectKey

ENDPOINT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
SLICE = ObjectKey("EndpointSlice", "shop", "backend-abc")
BACKEND = ServiceId("shop", "backend")


@dataclass
class Counts:
    """The clients of one change."""

    change: int
    sent: int = 0
    acked: int = 0
    nacked: int = 0
    pending: int = 0
    ended: int = 0
    first_sent_seconds: float | None = None
    last_acked_seconds: float | None = None


@dataclass
class Refused:
    """A NACK."""

    change: int = 0
    node_id: str = "web-1"
    type_url: str = CLUSTER
    resources: list[str] = field(default_factory=lambda: ["backend"])
    refused: int = 1
    message: str = "bad cluster"
    suppressed: int = 0


@dataclass
class Limited:
    """Clients at a limit."""

    limit: str = "streams"
    delayed: bool = False
    count: int = 1
    peer: str = "10.0.0.9:4711"


class World:
    """`now` is the monotonic clock, and `counts` what the engine counts."""

    def __init__(self, most: int = 100) -> None:
        self.now = 1000.0
        self.counts: dict[int, Counts] = {}
        self.asked: list[list[int]] = []
        self.journal = Journal(
            most,
            Rows("steerway-0", short_name),
            self._propagations,
            calendar=lambda: 1_800_000_000.5 + self.now,
            clock=lambda: self.now,
        )

    def publish(
        self,
        *,
        objects: Sequence[ObjectKey] = (SLICE,),
        services: Sequence[ServiceId] = (BACKEND,),
        put: Sequence[tuple[str, str]] = ((ENDPOINT, "backend"),),
        origin: Origin | None = None,
        work: Work | None = None,
    ) -> int:
        """Record one change; returns its id."""
        change = self.journal.reserve()
        commit = Commit(put=[Put(type_url, name, "", b"") for type_url, name in put])
        origins = {} if origin is None else {services[0]: origin}
        self.journal.record(change, frozenset(objects), frozenset(services), commit, origins, work)
        return change

    def rows(self) -> list[dict[str, Any]]:
        return [msgspec.to_builtins(row) for row in self.journal.rows()]

    def row(self, change: int) -> dict[str, Any]:
        return next(row for row in self.rows() if row["id"] == str(change))

    def _propagations(self, changes: Sequence[int]) -> list[Counts]:
        self.asked.append(list(changes))
        return [self.counts[change] for change in changes if change in self.counts]
