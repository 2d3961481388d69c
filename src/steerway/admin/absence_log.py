"""Warnings about names that clients subscribe to and that do not exist: one per name and client workload, at a limited
rate.

Absent names are read from the engine periodically, and soon after an answer "absent". The engine keeps no state for it,
and the state here is bounded, whatever clients subscribe to. Lines over the rate are logged later instead of dropped,
at a lower rate than that of `steerway.log.limit`.
"""

import asyncio
import shlex
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from steerway.errors import TranslateError
from steerway.inventory.workload import prefix
from steerway.peer import network
from steerway.runtime.isolation import isolated
from steerway.text import bounded
from steerway.translate.client.audience import decode
from steerway.translate.resource_name import parse_target

log = structlog.get_logger()

LOOK_SECONDS = 10.0
"""Period of reads when no answer was "absent"."""
SETTLE_SECONDS = 1.0
"""Wait after an answer "absent", so that clients that start together are reported together."""
REMOVED_SECONDS = 5.0
"""How long a removed name must be missing before it is reported: clients unsubscribe from names that they no longer
need."""
GAP_SECONDS = 3 * LOOK_SECONDS
"""A name that is missing again after this gap counts as missing from then on."""
FORGET_SECONDS = 600.0
"""A name that no client missed for this time is reported again when it is missing again."""
MAX_STREAMS = 1000
"""Streams with absent names per read; the next read continues after them."""
MAX_REMEMBERED = 10_000
"""Remembered names of workloads; the one that was missing longest ago is dropped first."""
MAX_LINES = 30
"""Burst of lines; `LINES_PER_SECOND` on average. Further names are reported later."""
LINES_PER_SECOND = 0.2


class AbsenceView(Protocol):
    """An absent name of a stream: see `steerway/_engine.pyi`."""

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
    """One page of them."""

    @property
    def rows(self) -> Sequence[AbsenceView]: ...


class EngineView(Protocol):
    """The engine's calls in use, off the event loop."""

    def absences(self, *, after: int = 0, streams: int = 0) -> AbsencesView: ...


@dataclass(slots=True)
class _Memory:
    """State of one name of one workload. `reported`: whether it was logged since it is missing."""

    since: float
    missed_at: float
    reported: bool = False


class AbsenceLog:
    """Logs `absent_name`. `domain` is the cluster domain, which targets may end with."""

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
        """A client got the answer "absent": read soon."""
        self._answered.set()

    async def run(self) -> None:
        """Read and log until cancelled."""
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
        """Names that are missing now, of some streams: each call continues where the last one ended. Blocks."""
        rows = self._engine.absences(after=self._after, streams=MAX_STREAMS).rows
        more = len({row.stream for row in rows}) == MAX_STREAMS
        self._after = rows[-1].stream if more else 0
        return rows

    @property
    def unfinished(self) -> bool:
        """Whether the last read left out streams."""
        return self._after > 0

    def report(self, rows: Sequence[AbsenceView]) -> None:
        """Log new names, one per workload in turn, so that a workload with many names does not hide the others."""
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
        """Names to log, each name of a workload once: networks in turn, and the workloads of each in turn."""
        turns: Counter[tuple[str, str, str]] = Counter()
        due: dict[int, tuple[int, _Memory, AbsenceView]] = {}
        for row in rows:
            memory = self._remember(row, now)
            waits = row.removed and now - memory.since < REMOVED_SECONDS
            if memory.reported or waits or id(memory) in due:
                continue
            # Clients choose their namespace and id, but not their network.
            origin = network(row.peer), decode(row.audience).namespace, prefix(row.node_id)
            due[id(memory)] = turns[origin], memory, row
            turns[origin] += 1
        ranks: Counter[str] = Counter()
        ordered = []
        for _, memory, row in sorted(due.values(), key=lambda entry: entry[0]):
            share = network(row.peer)
            ordered.append((ranks[share], memory, row))
            ranks[share] += 1
        return [(memory, row) for _, memory, row in sorted(ordered, key=lambda entry: entry[0])]

    def _remember(self, row: AbsenceView, now: float) -> _Memory:
        # The hash of str is seeded: a client cannot choose names that collide with those of others.
        key = hash((decode(row.audience).namespace, prefix(row.node_id), row.type_url, row.name))
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
        namespace = decode(row.audience).namespace
        log.warning(
            "absent_name",
            namespace=namespace,
            workload=bounded(prefix(row.node_id)),
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
        """How to list similar names."""
        try:
            parse_target(name, namespace, self._domain)
        except TranslateError:
            return "see /api/v1/resources on the admin port for the names of this type"
        return shlex.join(["steerway", "explain", bounded(name), "--namespace", namespace])
