"""From the results of one fleet to its figures. Pure: no clock, no I/O.

Definitions (times are seconds after the first request was due):

* **requests**: all that were due; **errors**: those that did not end with status OK (a passed deadline is
  one).
* **longest gap**: the longest part of [0, `seconds`] in which no request of the fleet *ended with success*.
  The time before the first success and the time after the last one count too, so a fleet that never
  recovers has a gap up to the end, and one without any success has a gap of `seconds`.
* **max/mean**: successes due in a window, per backend; the highest count over the mean. Backends are those
  that were ready during the whole window, also when they answered nothing, and any other that answered. 1.0
  is even. The window is the last part of the run. If the fleet had no success there, it is the whole run
  and the backends are those that answered at all; `balance_from` and `balance_to` give the period. None if
  the fleet never had a success.
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


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the run, and the backends that were ready during all of it."""

    start: float
    end: float
    ready: frozenset[str]


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
    max_over_mean: float | None
    balance_from: float
    balance_to: float
    backends: Mapping[str, int]
    """Successes per backend in the window of the balance."""
    p50_ms: float | None
    p99_ms: float | None
    """Time from due to answer of the successful requests."""
    succeeded: tuple[int, ...]
    failed: tuple[int, ...]
    """Successes and errors in each second of the run, by the time they were due."""
    answering: tuple[int, ...]
    """How many backends answered in each second."""
    busiest: int
    """The most requests that one backend answered in one second."""


def measure(records: Sequence[Record], seconds: float, window: Window) -> Figures:
    """The figures of one fleet over a run of `seconds`; `window` is the last part, for the balance."""
    successes = [record for record in records if record.code == OK]
    errors = [record for record in records if record.code != OK]
    gap_from, gap_to = longest_gap((record.done for record in successes), seconds)
    late = [record for record in successes if window.start <= record.due < window.end]
    whole = not late
    counts = Counter(record.backend for record in (successes if whole else late))
    if not whole:
        counts.update(dict.fromkeys(window.ready, 0))
    loads_per_second = backends_per_second(successes, seconds)
    latencies = sorted(record.done - record.due for record in successes)
    return Figures(
        requests=len(records),
        errors=len(errors),
        codes=Counter(record.code for record in errors),
        longest_gap_seconds=gap_to - gap_from,
        gap_from=gap_from,
        gap_to=gap_to,
        max_over_mean=max_over_mean(counts.values()),
        balance_from=0.0 if whole else window.start,
        balance_to=seconds if whole else window.end,
        backends=dict(sorted(counts.items())),
        p50_ms=percentile_ms(latencies, 0.50),
        p99_ms=percentile_ms(latencies, 0.99),
        succeeded=per_second(successes, seconds),
        failed=per_second(errors, seconds),
        answering=tuple(len(loads) for loads in loads_per_second),
        busiest=max(max(loads.values(), default=0) for loads in loads_per_second),
    )


def longest_gap(successes: Iterable[float], seconds: float) -> tuple[float, float]:
    """The longest part of [0, seconds] without any of these times inside it; the earliest of equals."""
    inside = sorted(time for time in successes if 0 <= time <= seconds)
    return max(pairwise([0.0, *inside, seconds]), key=lambda gap: gap[1] - gap[0])


def max_over_mean(counts: Iterable[int]) -> float | None:
    """The highest count over the mean of all; None when nothing was counted."""
    values = list(counts)
    total = sum(values)
    return max(values) * len(values) / total if total else None


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
