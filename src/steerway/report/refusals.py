"""Refused changes for Events: NACKs of clients, gathered by object, client library, type and error.

A replica receives the NACKs of its own clients only, so each replica writes them, whichever has the Lease. The series
of an Event does not contain the number of clients, so that replicas count the same Event up.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from steerway import telemetry
from steerway.report.budget import Budget
from steerway.report.events import Report, bounded
from steerway.sources.objects.core import ObjectKey

RESOURCE_REJECTED = "ResourceRejected"
"""The reason of these Events."""
GATHER_SECONDS = 5.0
"""From the first NACK of a series to its Event: the other clients refuse within it."""
REPEAT_SECONDS = 300.0
"""Between two Events of a series whose NACKs go on."""
_KEPT_SECONDS = 1800.0
"""A series without a NACK for so long ends; the next one counts its clients anew."""
_MOST_SERIES = 1000
_MOST_OBJECTS = 10
"""Of one NACK."""
_MOST_CLIENTS = 1000
"""Distinct node ids that are counted in a series."""
_BURST = 100
_REFILL_SECONDS = 5.0
"""Events of one replica about all objects: a library that refuses everything does not flood the API server."""


class NackView(Protocol):
    """As `steerway._engine.Nack`."""

    @property
    def stream(self) -> int: ...
    @property
    def change(self) -> int: ...
    @property
    def node_id(self) -> str: ...
    @property
    def type_url(self) -> str: ...
    @property
    def resources(self) -> Sequence[str]: ...
    @property
    def message(self) -> str: ...
    @property
    def suppressed(self) -> int: ...


class Series(NamedTuple):
    """`client`: library and version. `type`: the short name (`cds`). `error`: the text of the client."""

    about: ObjectKey
    client: str
    type: str
    error: str


@dataclass(slots=True)
class _Clients:
    """The clients of a series. `more`: whether there may be others than these. `due`: the time of the next Event; None:
    nothing is new since the last one."""

    due: float | None
    last: float
    written: float | None = None
    nodes: set[str] = field(default_factory=set)
    more: bool = False

    def __str__(self) -> str:
        number = len(self.nodes)
        text = "1 client" if number == 1 else f"{number} clients"
        return f"at least {text}" if self.more else text


class Refusals:
    """`objects`: those that a NACK is about. `client`: the library and version of a stream. `type_name`: the short name
    of a type URL. `replica`: the name of this one. Times are in seconds of any monotonic clock."""

    def __init__(
        self,
        objects: Callable[[NackView], Collection[ObjectKey]],
        client: Callable[[int], str],
        type_name: Callable[[str], str],
        replica: str,
    ) -> None:
        self._objects = objects
        self._client = client
        self._type_name = type_name
        self._replica = replica
        self._series: dict[Series, _Clients] = {}
        self._budgets: dict[ObjectKey, Budget] = {}
        self._all = Budget(0.0, _BURST, _REFILL_SECONDS)
        self._ready: deque[Report] = deque()

    def take(self, nacks: Iterable[NackView], now: float) -> None:
        """Note NACKs."""
        for nack in nacks:
            error = _printable(nack.message)
            client, type_ = self._client(nack.stream), self._type_name(nack.type_url)
            for about in sorted(self._objects(nack))[:_MOST_OBJECTS]:
                self._note(Series(about, client, type_, error), nack, now)

    def _note(self, series: Series, nack: NackView, now: float) -> None:
        clients = self._series.get(series)
        if clients is None:
            if len(self._series) >= _MOST_SERIES:
                telemetry.EVENTS.labels("dropped").inc()
                return
            clients = self._series[series] = _Clients(now + GATHER_SECONDS, now)
        if clients.due is None:
            earliest = now if clients.written is None else clients.written + REPEAT_SECONDS
            clients.due = max(now + GATHER_SECONDS, earliest)
        clients.last = now
        if len(clients.nodes) < _MOST_CLIENTS or nack.node_id in clients.nodes:
            clients.nodes.add(nack.node_id)
        else:
            clients.more = True
        clients.more |= bool(nack.suppressed)

    def look(self, now: float) -> None:
        """Make the Events that are due."""
        for series, clients in list(self._series.items()):
            if clients.due is not None and now >= clients.due:
                clients.due, clients.written = None, now
                budget = self._budgets.setdefault(series.about, Budget(now))
                if budget.take(now) and self._all.take(now):
                    self._ready.append(self._report(series, clients))
                else:
                    telemetry.EVENTS.labels("dropped").inc()
            elif clients.due is None and now >= clients.last + _KEPT_SECONDS:
                del self._series[series]
        self._budgets = {key: budget for key, budget in self._budgets.items() if not budget.full(now)}

    def next(self) -> Report | None:
        """The next Event to write; None: there is none."""
        return self._ready.popleft() if self._ready else None

    def _report(self, series: Series, clients: _Clients) -> Report:
        head = f"{series.client} refused {series.type} resources ({clients} of replica {self._replica})"
        text = f"{head}, and keeps the last accepted ones: {series.error}"
        identity = "\n".join((RESOURCE_REJECTED, series.client, series.type, series.error))
        return Report(series.about, bounded(text), RESOURCE_REJECTED, identity)


def _printable(text: str) -> str:
    """On one line, without control characters: terminals show the text of an Event as it is."""
    return " ".join("".join(mark if mark.isprintable() else " " for mark in text).split()) or "no error text"
