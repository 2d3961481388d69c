"""Scenarios `hot`, `spread`, `tls` and `scale`: what one update costs from publication to acknowledgement.

Contestants take turns within a round, so that a slow minute of the machine hits all of them.
"""

import itertools
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from statistics import median

from bench.plan import Layout, Plan
from bench.scenario import summary, trial
from bench.scenario.session import Session
from bench.scenario.summary import Row, Spread
from bench.scenario.trial import Measurement
from bench.server.contestant import (
    CONTESTANTS,
    ENGINE,
    ENGINE_TLS,
    FLOOR,
    LINEAR_CACHE,
    LINEAR_CACHE_TLS,
    SNAPSHOT,
    SNAPSHOT_PER_NODE,
)
from bench.table import Table, ratio

_TITLES = {contestant.key: contestant.title for contestant in CONTESTANTS}
_COLUMNS = (
    "server",
    "CPU µs per update",
    "x LinearCache",
    "x floor",
    "in kernel",
    "all updated p50 ms",
    "max ms",
    "x LinearCache",
    "kB per stream",
    "bytes per update",
)
_SCALE = (100, 1_000, 10_000)
_SCALE_CLIENTS = 1_000
_SCALE_SERVICES = 300


def _write_line(measured: Measurement) -> str:
    return f"{measured.cpu_us_per_update:.1f} µs, {summary.time_to_all(measured):.0f} ms"


def _spread(spread: Spread, digits: int) -> str:
    return f"{spread.median:.{digits}f} ({spread.least:.{digits}f}-{spread.greatest:.{digits}f})"


def _cells(row: Row) -> list[str]:
    return [
        _TITLES[row.contestant],
        _spread(row.cpu_us_per_update, 1),
        ratio(row.cpu_to_linear_cache),
        ratio(row.cpu_to_floor),
        f"{row.system_share:.0%}",
        _spread(row.all_updated_p50_ms, 0),
        f"{row.all_updated_max_ms:.0f}",
        ratio(row.time_to_linear_cache),
        _spread(row.memory_kb_per_stream, 1),
        f"{row.bytes_per_update:,.0f}",
    ]


def table(layout: Layout, plan: Plan, measurements: list[Measurement]) -> Table:
    """One row per contestant."""
    what = {
        "hot": "Hot: one service that all clients hold changes",
        "spread": "Spread: one service in three changes, each held by the clients of its block",
    }
    rows = summary.summarise(measurements, LINEAR_CACHE, FLOOR)
    title = f"{what[layout]} ({plan.clients:,} clients, {plan.services:,} services)"
    return Table(title, _COLUMNS, [_cells(row) for row in rows])


def run(layout: Layout, session: Session) -> list[Table]:
    """All contestants without TLS, in rounds."""
    # A SnapshotCache sends each of a hundred changes to everybody, and makes a hundred snapshots for each of its nodes:
    # seconds for one change of 300 clients.
    left_out = {SNAPSHOT, SNAPSHOT_PER_NODE} if layout == "spread" else set()
    chosen = _TITLES.keys() - left_out - {ENGINE_TLS, LINEAR_CACHE_TLS}
    rounds = _rounds(layout, layout, chosen, session)
    return [table(layout, session.plan, rounds)] if rounds else []


def run_tls(session: Session) -> list[Table]:
    """The hot layout with TLS 1.3 and without, and what a connection costs that way."""
    rounds = _rounds("tls", "hot", {ENGINE, ENGINE_TLS, LINEAR_CACHE, LINEAR_CACHE_TLS}, session)
    rows = [
        [
            _TITLES[row.contestant],
            _spread(row.cpu_us_per_update, 1),
            ratio(row.cpu_to_linear_cache),
            _spread(row.all_updated_p50_ms, 0),
            _spread(row.connect_cpu_us, 0),
            _spread(row.memory_kb_per_stream, 1),
        ]
        for row in summary.summarise(rounds, LINEAR_CACHE, FLOOR)
    ]
    columns = (
        "server",
        "CPU µs per update",
        "x LinearCache without",
        "all updated p50 ms",
        "CPU µs per connection",
        "kB per stream",
    )
    title = (
        f"TLS: the hot change, and connecting ({session.plan.clients:,} clients, ECDSA P-256, no resumption)"
    )
    return [Table(title, columns, rows)] if rows else []


def _rounds(label: str, layout: Layout, keys: Iterable[str], session: Session) -> list[Measurement]:
    plan, measurements = session.plan, []
    for number, contestant in itertools.product(range(1, plan.rounds + 1), session.contestants(keys)):
        measure = partial(trial.run, contestant, layout, number, plan, session.programs)
        title = f"{label} {number}/{plan.rounds}, {contestant.title}"
        if measured := session.attempt(title, measure, _write_line):
            measurements.append(measured)
    return measurements


def run_scale(session: Session) -> list[Table]:
    """The cost of one update while services, then clients, grow a hundredfold."""
    small = replace(session.plan, clients=_SCALE_CLIENTS, services=_SCALE_SERVICES)
    return [
        _grow("services", [replace(small, services=size) for size in _SCALE], session),
        _grow("clients", [replace(small, clients=size) for size in _SCALE], session),
    ]


def _grow(axis: str, plans: list[Plan], session: Session) -> Table:
    chosen = session.contestants((ENGINE, LINEAR_CACHE))
    costs: dict[tuple[str, Plan], list[float]] = {}
    for number, plan, contestant in itertools.product(range(1, session.plan.rounds + 1), plans, chosen):
        # As many updates for few clients as for many.
        changes = max(plan.changes, plan.changes * _SCALE_CLIENTS // plan.clients)
        sized = replace(plan, changes=changes)
        label = f"scale {number}, {plan.services:,} services, {plan.clients:,} clients, {contestant.title}"
        measure = partial(trial.run, contestant, "hot", number, sized, session.programs)
        if measured := session.attempt(label, measure, _write_line):
            costs.setdefault((contestant.key, plan), []).append(measured.cpu_us_per_update)
    rows = []
    for contestant in chosen:
        medians = [median(costs.get((contestant.key, plan), [0.0])) for plan in plans]
        growth = medians[-1] / medians[0] if medians[0] else None
        rows.append([contestant.title, *(f"{cost:.1f}" for cost in medians), ratio(growth)])
    fixed = f"{_SCALE_CLIENTS:,} clients" if axis == "services" else f"{_SCALE_SERVICES:,} services"
    columns = ("server, CPU µs per update", *(f"{size:,} {axis}" for size in _SCALE), "last to first")
    return Table(f"Cost of a hot change as {axis} grow ({fixed})", columns, rows)
