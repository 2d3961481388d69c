"""Warns of names that clients ask for and that do not exist: each once for a client workload, at a limited rate.

What is absent is looked up in the engine from time to time, and soon after a client was answered that a name is absent.
The engine keeps nothing for it, and what is kept here is bounded, whatever clients ask for. Lines that have no room now
are logged later, so that this paces itself more slowly than `log_limit` would.
"""

import asyncio
import re
import shlex
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from steerway.errors import TranslateError
from steerway.peer import network
from steerway.runtime.isolation import isolated
from steerway.text import bounded
from steerway.translate.client.audience import namespace_of
from steerway.translate.resource_name import parse_target

log = structlog.get_logger()

LOOK_SECONDS = 10.0
"""How often names are looked up when no client was answered that one is absent."""
SETTLE_SECONDS = 1.0
"""Clients that start together are answered one after the other: they are reported together."""
REMOVED_SECONDS = 5.0
"""How long a removed name is missed before it is reported: clients let go of what they do not need any more."""
GAP_SECONDS = 3 * LOOK_SECONDS
"""A name that was missed before and not since is missed from now on."""
FORGET_SECONDS = 600.0
"""A name that nobody missed for so long is reported anew when it is missed again."""
MAX_STREAMS = 1000
"""Streams with absent names that one look reports; the next one goes on behind them."""
MAX_REMEMBERED = 10_000
"""Names of workloads that are remembered; the one that was missed longest ago is forgotten first."""
MAX_LINES = 30
"""Lines at once, and `LINES_PER_SECOND` in the long run: what is left out is reported later."""
LINES_PER_SECOND = 0.2

_RANDOM = "[bcdf-hj-np-tv-xz2456789]"
"""Characters of names that Kubernetes makes up."""
_OF_DEPLOYMENT = re.compile(f"-{_RANDOM}{{6,10}}-{_RANDOM}{{5}}$")
"""What a Deployment adds to its name for a pod: the hash of its template, and a random part."""
_OF_OTHERS = re.compile(rf"-(\d+|{_RANDOM}{{5}})$")
"""What a StatefulSet or a DaemonSet adds."""
_UNIQUE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class AbsenceView(Protocol):
    """A name that a stream asks for and that does not exist: see `steerway/_engine.pyi`."""

    @property
    def stream(self) -> int: ...
    @property
    def node_id(self) -> str: ...
    @property
    def peer(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def type_url(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def removed(self) -> bool: ...
    @property
    def count(self) -> int: ...


class AbsencesView(Protocol):
    """Some of such names."""

    @property
    def rows(self) -> Sequence[AbsenceView]: ...


class EngineView(Protocol):
    """What is asked of the engine, off the event loop."""

    def absences(self, *, after: int = 0, streams: int = 0) -> AbsencesView: ...


@dataclass(slots=True)
class _Memory:
    """What is known of one name of one workload. `reported`: whether a line was written since it is missed."""

    since: float
    missed_at: float
    reported: bool = False


class AbsenceLog:
    """Writes `absent_name`; `domain` is the cluster's, which targets may end with."""

    name = "absent names"

    def __init__(self, engine: EngineView, domain: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._domain = domain
        self._clock = clock
        self._answered = asyncio.Event()
        self._after = 0
        self._memories: OrderedDict[int, _Memory] = OrderedDict()
        self._lines = float(MAX_LINES)
        self._counted_at = clock()
        self._unreported = 0

    def hint(self) -> None:
        """A client was answered that a name is absent: look soon."""
        self._answered.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._answered.wait()
                await asyncio.sleep(SETTLE_SECONDS)
            except TimeoutError:
                pass
            self._answered.clear()
            with isolated("absent names"):
                self.report(await asyncio.to_thread(self.look))
            if self.unfinished:
                self._answered.set()

    def look(self) -> Sequence[AbsenceView]:
        """The names that some streams miss now: each call goes on where the last one ended. Blocks."""
        rows = self._engine.absences(after=self._after, streams=MAX_STREAMS).rows
        more = len({row.stream for row in rows}) == MAX_STREAMS
        self._after = rows[-1].stream if more else 0
        return rows

    @property
    def unfinished(self) -> bool:
        """Whether the last look left out streams."""
        return self._after > 0

    def report(self, rows: Sequence[AbsenceView]) -> None:
        """Log what was not logged before, of each workload a name in turn: one with many must not hide the others."""
        now = self._clock()
        self._lines = min(MAX_LINES, self._lines + (now - self._counted_at) * LINES_PER_SECOND)
        self._counted_at = now
        unreported = 0
        for memory, row in self._due(rows, now):
            if self._lines < 1:
                unreported += 1
                continue
            self._lines -= 1
            memory.reported = True
            self._warn(row)
        self._unreported = unreported

    def _due(self, rows: Sequence[AbsenceView], now: float) -> list[tuple[_Memory, AbsenceView]]:
        """What is to be logged, each name of a workload once: networks in turn, and of each its workloads in turn."""
        turns: Counter[tuple[str, str, str]] = Counter()
        due: dict[int, tuple[int, _Memory, AbsenceView]] = {}
        for row in rows:
            memory = self._remember(row, now)
            waits = row.removed and now - memory.since < REMOVED_SECONDS
            if memory.reported or waits or id(memory) in due:
                continue
            # Clients make up namespaces and ids, and not the network that they are in.
            origin = network(row.peer), namespace_of(row.audience), workload(row.node_id)
            due[id(memory)] = turns[origin], memory, row
            turns[origin] += 1
        places: Counter[str] = Counter()
        ordered = []
        for _, memory, row in sorted(due.values(), key=lambda entry: entry[0]):
            share = network(row.peer)
            ordered.append((places[share], memory, row))
            places[share] += 1
        return [(memory, row) for _, memory, row in sorted(ordered, key=lambda entry: entry[0])]

    def _remember(self, row: AbsenceView, now: float) -> _Memory:
        # The hash of str is seeded: a client cannot make up names that are taken for another's.
        key = hash((namespace_of(row.audience), workload(row.node_id), row.type_url, row.name))
        memory = self._memories.get(key)
        if memory is None or now - memory.missed_at > FORGET_SECONDS:
            memory = self._memories[key] = _Memory(now, now)
        elif now - memory.missed_at > GAP_SECONDS:
            memory.since = now
        memory.missed_at = now
        self._memories.move_to_end(key)
        if len(self._memories) > MAX_REMEMBERED:
            self._memories.popitem(last=False)
        return memory

    def _warn(self, row: AbsenceView) -> None:
        namespace = namespace_of(row.audience)
        log.warning(
            "absent_name",
            namespace=namespace,
            workload=bounded(workload(row.node_id)),
            peer=row.peer,
            type=row.type_url.rpartition(".")[2],
            name=bounded(row.name),
            reason=bounded(row.reason),
            removed=row.removed,
            absent_names=row.count,
            unreported=self._unreported,
            hint=self._hint(row.name, namespace),
        )

    def _hint(self, name: str, namespace: str) -> str:
        """What shows the nearest names."""
        try:
            parse_target(name, namespace, self._domain)
        except TranslateError:
            return "see /api/v1/resources on the admin port for the names of this type"
        return shlex.join(["steerway", "explain", bounded(name), "--namespace", namespace])


def workload(node_id: str) -> str:
    """What the clients of one workload have in common in their ids: for `web-6d4cf56db6-x7k2p.shop`, `web`.

    Known are ids that begin with the name of a pod or host, and those of Istio (`sidecar~IP~POD.NAMESPACE~DOMAIN`); an
    id that is random says nothing, and is "".
    """
    parts = node_id.split("~")
    pod = (parts[2] if len(parts) == 4 else parts[0]).partition(".")[0]
    if _UNIQUE.fullmatch(pod):
        return ""
    name = _OF_DEPLOYMENT.sub("", pod)
    return name if name != pod else _OF_OTHERS.sub("", pod)
