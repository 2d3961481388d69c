"""The result as tables for people, as JSON for programs, and as the dated part of `docs/benchmarks.md`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from bench.machine import Machine
from bench.plan import Plan
from bench.table import Table


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that one run found. `measurements` are dataclasses of the scenarios; without a `plan` they hold their
    sizes themselves. `mark` names the place of the tables in a document."""

    plan: Plan | None
    machine: Machine
    tables: list[Table]
    measurements: list[object]
    failures: list[str]
    mark: str = "measured"


def conditions(result: Result) -> str:
    """Where it ran, and with which sizes unless a table states others."""
    plan, machine = result.plan, result.machine
    where = (
        f"{machine.date}: {machine.cores} cores ({machine.processor}), Linux {machine.kernel}, load average"
        f" {machine.load_average:.1f} at the start, limit {machine.open_files:,} open files per process."
    )
    if plan is None:
        return where
    return where + (
        f" {plan.endpoints} endpoints per service, {plan.changes} changes after warm-up, {plan.rounds} rounds:"
        " median (least-greatest) over the rounds."
    )


def print_tables(result: Result, console: Console) -> None:
    """The tables on standard output, failures below."""
    for table in result.tables:
        printed = RichTable(title=table.title, title_justify="left")
        for number, column in enumerate(table.columns):
            printed.add_column(column, justify="right" if number else "left")
        for row in table.rows:
            printed.add_row(*row)
        console.print(printed)
    console.print(conditions(result))
    for failure in result.failures:
        console.print(f"✗ {failure}", markup=False, highlight=False)


def write_json(result: Result, file: Path) -> None:
    """All tables and all single measurements."""
    file.write_text(json.dumps(asdict(result), indent=2) + "\n")


def markdown(result: Result) -> str:
    """The tables in Markdown."""
    parts = [conditions(result)]
    for table in result.tables:
        parts.append(f"**{table.title}**")
        rule = ["---", *["--:"] * (len(table.columns) - 1)]
        lines: list[Sequence[str]] = [table.columns, rule, *table.rows]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    parts.extend(f"Failed: {failure}" for failure in result.failures)
    return "\n\n".join(parts)


def write_markdown(result: Result, file: Path) -> None:
    """Put the tables between the two marks in `file`; ValueError when it has no such marks."""
    first, last = (f"<!-- {result.mark}: {side} -->" for side in ("begin", "end"))
    head, begin, rest = file.read_text().partition(first)
    _, end, tail = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"{file}: has no line {first} followed by a line {last}")
    file.write_text(f"{head}{begin}\n{markdown(result)}\n{end}{tail}")
