"""From single trials to one row per contestant: medians over rounds, their spread, ratios to the peers.

Pure functions. A ratio is the median of the ratios within each round, not the ratio of medians: what disturbs
the machine for a while disturbs all contestants of that round.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.plan import Layout
from bench.scenario.trial import Measurement

Figure = Callable[[Measurement], float]


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of one figure over the rounds."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant under one layout. Ratios are None where the other did not take part."""

    contestant: str
    layout: Layout
    rounds: int
    cpu_us_per_update: Spread
    cpu_to_linear_cache: float | None
    cpu_to_floor: float | None
    system_share: float
    all_updated_p50_ms: Spread
    all_updated_max_ms: float
    time_to_linear_cache: float | None
    time_to_floor: float | None
    connect_cpu_us: Spread
    memory_kb_per_stream: Spread
    memory_to_linear_cache: float | None
    bytes_per_update: float
    updates_per_response: float


def cpu(measurement: Measurement) -> float:
    """CPU time of the server per delivered and acknowledged update, in microseconds."""
    return measurement.cpu_us_per_update


def time_to_all(measurement: Measurement) -> float:
    """Median over the changes of the time until all clients had it, in ms."""
    return median(measurement.all_updated_ms)


def memory(measurement: Measurement) -> float:
    """Proportional memory that one connected stream adds, in kB."""
    return measurement.pss_kb_per_stream


def ratio(mine: Sequence[Measurement], other: Sequence[Measurement], figure: Figure) -> float | None:
    """Median over the rounds that both have of mine / other; None when there is no such round."""
    by_round = {measurement.round: figure(measurement) for measurement in other}
    pairs = [(figure(measurement), by_round.get(measurement.round)) for measurement in mine]
    ratios = [value / base for value, base in pairs if base]
    return median(ratios) if ratios else None


def row(
    mine: Sequence[Measurement], linear_cache: Sequence[Measurement], floor: Sequence[Measurement]
) -> Row:
    """`mine` are the trials of one contestant under one layout, at least one; the others may be empty."""
    first = mine[0]
    return Row(
        contestant=first.contestant,
        layout=first.layout,
        rounds=len(mine),
        cpu_us_per_update=Spread.of([cpu(m) for m in mine]),
        cpu_to_linear_cache=ratio(mine, linear_cache, cpu),
        cpu_to_floor=ratio(mine, floor, cpu),
        system_share=median(m.system_share for m in mine),
        all_updated_p50_ms=Spread.of([time_to_all(m) for m in mine]),
        all_updated_max_ms=max(max(m.all_updated_ms) for m in mine),
        time_to_linear_cache=ratio(mine, linear_cache, time_to_all),
        time_to_floor=ratio(mine, floor, time_to_all),
        connect_cpu_us=Spread.of([m.connect_cpu_us_per_client for m in mine]),
        memory_kb_per_stream=Spread.of([memory(m) for m in mine]),
        memory_to_linear_cache=ratio(mine, linear_cache, memory),
        bytes_per_update=median(m.bytes_per_update for m in mine),
        updates_per_response=sum(m.updates for m in mine) / sum(m.responses for m in mine),
    )


def summarise(measurements: Sequence[Measurement], linear_cache: str, floor: str) -> list[Row]:
    """One row per layout and contestant, in the order in which they first appear."""
    groups: dict[tuple[Layout, str], list[Measurement]] = {}
    for measurement in measurements:
        groups.setdefault((measurement.layout, measurement.contestant), []).append(measurement)
    layouts = list(dict.fromkeys(layout for layout, _ in groups))
    return [
        row(mine, groups.get((layout, linear_cache), []), groups.get((layout, floor), []))
        for wanted in layouts
        for (layout, _), mine in groups.items()
        if layout == wanted
    ]
