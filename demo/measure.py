"""From the results of one fleet to its figures. Pure: no clock, no I/O.

Definitions (times are seconds after the first request was due):

* **requests**: all that were due; **errors**: those that did not end with status OK (a passed deadline is
  one).
* **longest gap**: the longest part of [0, `seconds`] in which no request of the fleet *ended with success*.
  The time before the first success and the time after the last one count too, so a fleet that never
  recovers has a gap up to the end, and one without any success has a gap of `seconds`.
* **balance**: the successes due in a window, per backend, once *before* the rollout (from the first request
  to its start) and once *after* it (the last part of the run). Backends are those that were ready during the
  whole window, also when they answered nothing, and any other that answered. If the fleet had no success in
  the last part, `after` is the whole run with the backends that answered at all; `start` and `end` give the
  period.
* **largest share**: the part of these successes that the busiest backend answered. With N backends, 1/N is
  even. **max/mean** is the same as a multiple of the even share, 1.0 being even. Both are None without a
  success.
* **connections**: the TCP connections, as the backends see them, that carried these successes.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

OK = "OK"


class Record(NamedTuple):
    """One finished request."""

    due: float
    """When it was to be sent; it counts in this second whenever it was really sent."""
    done: float
    code: str
    """gRPC status code name."""
    backend: str
    """The address that answered; empty on error."""
    peer: str
    """The other end of the connection, as the backend knows it; empty on error."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the run, and the backends that were ready during all of it."""

    start: float
    end: float
    ready: frozenset[str]


@dataclass(frozen=True, slots=True)
class Balance:
    """How the load of one fleet was spread over the backends in a part of the run."""

    start: float
    end: float
    backends: Mapping[str, int]
    """Successes per backend."""
    connections: int

    @property
    def largest_share(self) -> float | None:
        """The part of the successes that the busiest backend answered; None without any."""
        total = sum(self.backends.values())
        return max(self.backends.values()) / total if total else None

    @property
    def max_over_mean(self) -> float | None:
        """The highest count over the mean of all; None when nothing was counted."""
        total = sum(self.backends.values())
        return max(self.backends.values()) * len(self.backends) / total if total else None


@dataclass(frozen=True, slots=True)
class Figures:
    """What one fleet experienced; the module docstring defines each figure."""

    requests: int
    errors: int
    codes: Mapping[str, int]
    """Errors by status code name."""
    longest_gap_seconds: float
    gap_from: float
    gap_to: float
    before: Balance
    after: Balance
    p50_ms: float | None
    p99_ms: float | None
    """Time from due to answer of the successful requests."""
    succeeded: tuple[int, ...]
    failed: tuple[int, ...]
    """Successes and errors in each second of the run, by the time they were due."""
    loads: tuple[Mapping[str, int], ...]
    """Successes in each second, by the backend that answered."""

    @property
    def answering(self) -> tuple[int, ...]:
        """How many backends answered in each second."""
        return tuple(len(load) for load in self.loads)

    @property
    def busiest(self) -> int:
        """The most requests that one backend answered in one second."""
        return max(max(load.values(), default=0) for load in self.loads)


def measure(records: Sequence[Record], seconds: float, before: Window, after: Window) -> Figures:
    """The figures of one fleet over a run of `seconds`, with the balance in the two windows."""
    successes = [record for record in records if record.code == OK]
    errors = [record for record in records if record.code != OK]
    gap_from, gap_to = longest_gap((record.done for record in successes), seconds)
    last = balance(successes, after)
    if last.largest_share is None:
        last = balance(successes, Window(0.0, seconds, frozenset()))
    latencies = sorted(record.done - record.due for record in successes)
    return Figures(
        requests=len(records),
        errors=len(errors),
        codes=Counter(record.code for record in errors),
        longest_gap_seconds=gap_to - gap_from,
        gap_from=gap_from,
        gap_to=gap_to,
        before=balance(successes, before),
        after=last,
        p50_ms=percentile_ms(latencies, 0.50),
        p99_ms=percentile_ms(latencies, 0.99),
        succeeded=per_second(successes, seconds),
        failed=per_second(errors, seconds),
        loads=tuple(backends_per_second(successes, seconds)),
    )


def balance(successes: Sequence[Record], window: Window) -> Balance:
    """The balance of these successes in a window."""
    inside = [record for record in successes if window.start <= record.due < window.end]
    counts = Counter(record.backend for record in inside)
    counts.update(dict.fromkeys(window.ready, 0))
    connections = {(record.backend, record.peer) for record in inside}
    return Balance(window.start, window.end, dict(sorted(counts.items())), len(connections))


def longest_gap(successes: Iterable[float], seconds: float) -> tuple[float, float]:
    """The longest part of [0, seconds] without any of these times inside it; the earliest of equals."""
    inside = sorted(time for time in successes if 0 <= time <= seconds)
    return max(pairwise([0.0, *inside, seconds]), key=lambda gap: gap[1] - gap[0])


def percentile_ms(ascending: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of times in seconds, as milliseconds; None of nothing."""
    if not ascending:
        return None
    return 1000 * ascending[max(0, math.ceil(share * len(ascending)) - 1)]


def per_second(records: Iterable[Record], seconds: float) -> tuple[int, ...]:
    """How many were due in each second of the run; a started last second is one too."""
    return tuple(loads.total() for loads in backends_per_second(records, seconds))


def backends_per_second(records: Iterable[Record], seconds: float) -> list[Counter[str]]:
    """How many were due in each second, by the backend that answered."""
    bins: list[Counter[str]] = [Counter() for _ in range(max(1, math.ceil(seconds)))]
    for record in records:
        bins[min(int(record.due), len(bins) - 1)][record.backend] += 1
    return bins
