"""What the admin server reads from the rest of steerway, and nothing more.

The engine, its streams and its entries are protocols here, so that the server can be tested without a native
engine. Their members mean what `steerway/_engine.pyi` says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from prometheus_client.registry import Collector

Phase: TypeAlias = Literal["starting", "serving", "draining"]


class ResourceView(Protocol):
    """One name on one stream."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def sent_age_seconds(self) -> float | None: ...


class SubscriptionView(Protocol):
    """One type on one stream."""

    @property
    def type_url(self) -> str: ...
    @property
    def wildcard(self) -> bool: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def waiting(self) -> Sequence[str]: ...
    @property
    def version_sent(self) -> str: ...
    @property
    def version_acked(self) -> str: ...
    @property
    def sent_age_seconds(self) -> float | None: ...
    @property
    def acked_age_seconds(self) -> float | None: ...
    @property
    def nack_version(self) -> str: ...
    @property
    def nack_message(self) -> str: ...
    @property
    def nack_age_seconds(self) -> float | None: ...
    @property
    def resources(self) -> Sequence[ResourceView]: ...


class StreamView(Protocol):
    """One client stream."""

    @property
    def id(self) -> int: ...
    @property
    def node_id(self) -> str: ...
    @property
    def node(self) -> bytes: ...
    @property
    def peer(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def delta(self) -> bool: ...
    @property
    def age_seconds(self) -> float: ...
    @property
    def subscriptions(self) -> Sequence[SubscriptionView]: ...


class EntryView(Protocol):
    """One entry of the resource store; `reason` is not empty for an absent one."""

    @property
    def type_url(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def reason(self) -> str: ...


class EngineView(Protocol):
    """The engine's read-only calls. They are thread-safe; the server makes them off the event loop."""

    def streams(self, *, resources: bool = False) -> Sequence[StreamView]: ...
    def entries(self) -> Sequence[EntryView]: ...
    def body(self, type_url: str, name: str, audience: str) -> bytes | None: ...


class ProblemView(Protocol):
    """Something an operator should mend, from sources and from the catalog alike."""

    @property
    def where(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def cure(self) -> str: ...


class StoreView(Protocol):
    """Readiness of the object store. Read on the event loop only."""

    @property
    def synced(self) -> bool: ...
    @property
    def unsynced(self) -> list[str]: ...
    def problems_of(self, source: str) -> Sequence[ProblemView]: ...


@dataclass(frozen=True, slots=True)
class AdminView:
    """Everything that the admin server can see.

    `phase` and `problems` (those of sources and catalog together) are called on the event loop. `render`
    turns a serialised resource of a type_url into JSON values, in a thread. `collectors` are scraped besides
    `telemetry.REGISTRY`.
    """

    engine: EngineView
    store: StoreView
    phase: Callable[[], Phase]
    problems: Callable[[], Sequence[ProblemView]]
    render: Callable[[str, bytes], dict[str, Any]]
    collectors: Sequence[Collector] = ()
