"""What is measured of a control plane, and how far it may grow."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.table import Table, ratio
from bench.usage import rss_bytes
from testbed.process.control_plane import ControlPlane

MB = 1 << 20
_ASKED = 20
_ROUNDS = 6
_LATENCY_RATIO = 2.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a process holds. `rss` in bytes."""

    rss: int
    descriptors: int
    threads: int
    tasks: int
    connections: int

    @classmethod
    def take(cls, plane: ControlPlane, pid: int) -> Self:
        process = Path("/proc") / str(pid)
        return cls(
            rss=rss_bytes(pid),
            descriptors=len(list((process / "fd").iterdir())),
            threads=len(list((process / "task").iterdir())),
            tasks=round(plane.metric("steerway_asyncio_tasks")),
            connections=round(plane.metric("steerway_connections")),
        )

    def most(self, other: "Sizes") -> "Sizes":
        """The greater of each."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return Sizes(*(max(pair) for pair in pairs))


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of an honest client: from a change on the API server to the client, and from a connect to its answer."""

    update: float
    first_answer: float

    @classmethod
    def measure(cls, update: Callable[[], float], first_answer: Callable[[], float]) -> Self:
        """Medians of the best of some rounds: the machine may be busy with other things. Each call is one sample."""
        rounds = [
            ([update() for _ in range(_ASKED)], [first_answer() for _ in range(_ASKED)])
            for _ in range(_ROUNDS)
        ]
        return cls(
            min(statistics.median(updates) for updates, _ in rounds),
            min(statistics.median(answers) for _, answers in rounds),
        )


@dataclass(frozen=True, slots=True)
class State:
    """A quiet control plane at one time: before the soak, or after it."""

    sizes: Sizes
    latency: Latency


@dataclass(frozen=True, slots=True)
class Limit:
    """How much greater a value may be afterwards: `before * ratio + more`."""

    title: str
    value: Callable[[State], float]
    unit: float
    ratio: float
    more: float

    def exceeded(self, before: State, after: State) -> bool:
        return self.value(after) > self.value(before) * self.ratio + self.more

    def __str__(self) -> str:
        return f"{self.ratio:g}x" + (f" + {self.more / self.unit:g}" if self.more else "")


LIMITS = (
    Limit("RSS, MB", lambda state: state.sizes.rss, MB, 1.25, 20 * MB),
    Limit("descriptors", lambda state: state.sizes.descriptors, 1, 1, 4),
    Limit("threads", lambda state: state.sizes.threads, 1, 1, 4),
    Limit("asyncio tasks", lambda state: state.sizes.tasks, 1, 1, 2),
    Limit("connections", lambda state: state.sizes.connections, 1, 1, 0),
    Limit("update to an honest client, ms", lambda state: state.latency.update, 1e-3, _LATENCY_RATIO, 5e-3),
    Limit("first answer, ms", lambda state: state.latency.first_answer, 1e-3, _LATENCY_RATIO, 5e-3),
)
"""A latency of few milliseconds may double on a busy machine; memory that is reused may be fragmented."""


def table(title: str, before: State, most: Sizes, beside: Latency, after: State) -> Table:
    """Before, beside the abuse, and after."""
    during = State(most, beside)
    rows = [
        [
            limit.title,
            *(f"{limit.value(state) / limit.unit:,.1f}" for state in (before, during, after)),
            ratio(limit.value(after) / limit.value(before)) if limit.value(before) else "-",
            str(limit),
        ]
        for limit in LIMITS
    ]
    return Table(title, ("", "before", "during, most or median", "after", "ratio", "may be"), rows)


def settled(plane: ControlPlane, pid: int, connections: int, seconds: float) -> Sizes:
    """What it holds once so many connections are left, or after so many seconds at the latest."""
    end = time.monotonic() + seconds
    while (sizes := Sizes.take(plane, pid)).connections > connections and time.monotonic() < end:
        time.sleep(0.5)
    return sizes
