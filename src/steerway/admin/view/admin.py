"""Everything that the admin server reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from prometheus_client.registry import Collector

from steerway.admin.view.client import IdentityView, LocalityView, SubscribersView
from steerway.admin.view.engine import EngineView
from steerway.admin.view.informer import InformerView
from steerway.admin.view.journal import JournalView
from steerway.admin.view.store import StoreView
from steerway.explain.target import Targets
from steerway.inventory.inventory import Inventory
from steerway.inventory.problem import ProblemView
from steerway.inventory.service_detail import ServiceDetails

Phase: TypeAlias = Literal["starting", "serving", "draining"]


@dataclass(frozen=True, slots=True)
class AdminView:
    """Everything that the admin server reads.

    `phase`, `informers`, `problems` (of all stages), `service_count` and `explain` are called on the event loop; the
    others may be called in a thread. `locality` is that of the client at an address, `identity` that of the client of a
    stream (None: no authentication). `render` converts a serialised resource of a type_url to JSON values. `explain`
    gets the parameters of a request, and raises TranslateError for an invalid one.
    `collectors` are scraped besides `telemetry.REGISTRY`. `max_event_streams`: viewers of events at a time.
    """

    engine: EngineView
    store: StoreView
    phase: Callable[[], Phase]
    informers: Callable[[], Sequence[InformerView]]
    problems: Callable[[], Sequence[ProblemView]]
    locality: Callable[[str], LocalityView | None]
    identity: Callable[[int], IdentityView | None]
    render: Callable[[str, bytes], dict[str, Any]]
    subscribers: Callable[[], SubscribersView]
    explain: Callable[[Mapping[str, str]], dict[str, Any]]
    service_count: Callable[[], int]
    inventory: Inventory
    details: ServiceDetails
    targets: Targets
    journal: JournalView
    replica: str
    max_event_streams: int
    collectors: Sequence[Collector] = ()
