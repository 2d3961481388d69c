"""The result as a table for people, as JSON for programs, and as the dated part of `docs/benchmarks.md`."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.contestant import CONTESTANTS
from bench.machine import Machine
from bench.plan import Layout, Plan
from bench.summary import Row, Spread
from bench.trial import Measurement

_TITLES = {contestant.key: contestant.title for contestant in CONTESTANTS}
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"
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


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that one run found."""

    plan: Plan
    machine: Machine
    rows: list[Row]
    measurements: list[Measurement]
    failures: list[str]


def _spread(spread: Spread, digits: int) -> str:
    return f"{spread.median:.{digits}f} ({spread.least:.{digits}f}-{spread.greatest:.{digits}f})"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"


def _cells(row: Row) -> list[str]:
    return [
        _TITLES[row.contestant],
        _spread(row.cpu_us_per_update, 1),
        _ratio(row.cpu_to_linear_cache),
        _ratio(row.cpu_to_floor),
        f"{row.system_share:.0%}",
        _spread(row.all_updated_p50_ms, 0),
        f"{row.all_updated_max_ms:.0f}",
        _ratio(row.time_to_linear_cache),
        _spread(row.memory_kb_per_stream, 1),
        f"{row.bytes_per_update:,.0f}",
    ]


def _heading(layout: Layout, plan: Plan) -> str:
    what = {
        "hot": "Hot: one service that all clients hold changes",
        "spread": "Spread: one service in three changes, each held by the clients of its block",
    }
    return f"{what[layout]} ({plan.clients:,} clients, {plan.services:,} services)"


def _by_layout(rows: Iterable[Row]) -> dict[Layout, list[Row]]:
    groups: dict[Layout, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.layout, []).append(row)
    return groups


def conditions(result: Result) -> str:
    """One sentence on what was run where."""
    plan, machine = result.plan, result.machine
    return (
        f"{machine.date}: {plan.clients:,} connections held at a time (limit {machine.open_files:,} open"
        f" files per process), {plan.endpoints} endpoints per service, {plan.changes} changes after warm-up,"
        f" {plan.rounds} rounds; {machine.cores} cores ({machine.processor}), Linux {machine.kernel},"
        f" load average {machine.load_average:.1f} at the start. Median (least-greatest) over the rounds."
    )


def print_tables(result: Result, console: Console) -> None:
    """The tables on standard output, failures below."""
    for layout, rows in _by_layout(result.rows).items():
        table = Table(title=_heading(layout, result.plan), title_justify="left")
        for number, column in enumerate(_COLUMNS):
            table.add_column(column, justify="right" if number else "left")
        for row in rows:
            table.add_row(*_cells(row))
        console.print(table)
    console.print(conditions(result))
    for failure in result.failures:
        console.print(f"✗ {failure}", markup=False, highlight=False)


def write_json(result: Result, file: Path) -> None:
    """All rows and all single measurements."""
    file.write_text(json.dumps(asdict(result), indent=2) + "\n")


def markdown(result: Result) -> str:
    """The tables in Markdown."""
    parts = [conditions(result)]
    for layout, rows in _by_layout(result.rows).items():
        parts.append(f"**{_heading(layout, result.plan)}**")
        lines: list[Sequence[str]] = [_COLUMNS, ["---", *["--:"] * (len(_COLUMNS) - 1)], *map(_cells, rows)]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    parts.extend(f"Failed: {failure}" for failure in result.failures)
    return "\n\n".join(parts)


def write_markdown(result: Result, file: Path) -> None:
    """Put the tables between the two marks in `file`; ValueError when it has no such marks."""
    head, begin, rest = file.read_text().partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{file}: has no line {_BEGIN} followed by a line {_END}")
    file.write_text(f"{head}{begin}\n{markdown(result)}\n{end}{tail}")
