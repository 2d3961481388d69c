"""The closing words: a table of figures and what they mean, all derived from what this run measured."""

from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from demo.view.explanation import REPORTED_GAP_SECONDS, explanation
from demo.view.outcome import FleetOutcome, Outcome, percent


def show(outcome: Outcome, console: Console) -> None:
    """Print the table and its explanation."""
    console.print(figures_table(outcome))
    for paragraph in explanation(outcome):
        console.print("\n" + paragraph, highlight=False, markup=False, soft_wrap=not console.is_terminal)


def figures_table(outcome: Outcome) -> Table:
    """All fleets side by side, one figure per row."""
    table = Table(title="Measured in this run", title_justify="left")
    table.add_column("")
    for fleet in outcome.fleets:
        table.add_column(fleet.name, justify="right")
    for label, cell in _ROWS.items():
        table.add_row(label, *(cell(fleet) for fleet in outcome.fleets))
    clients = outcome.plan.clients
    table.add_row("connections per client", *(_connections(fleet, clients) for fleet in outcome.fleets))
    return table


def _gap(fleet: FleetOutcome) -> str:
    figures = fleet.figures
    if figures.longest_gap_seconds <= REPORTED_GAP_SECONDS:
        return f"{figures.longest_gap_seconds:.2f} s"
    return f"{figures.longest_gap_seconds:.2f} s\n({figures.gap_from:.1f} to {figures.gap_to:.1f})"


def _codes(fleet: FleetOutcome) -> str:
    return "\n".join(f"{code} {count}" for code, count in sorted(fleet.figures.codes.items())) or "-"


def _connections(fleet: FleetOutcome, clients: int) -> str:
    return f"{fleet.figures.before.connections / clients:g}"


def _period(fleet: FleetOutcome) -> str:
    return f"{fleet.figures.after.start:.1f} to {fleet.figures.after.end:.1f} s"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


_ROWS: dict[str, Callable[[FleetOutcome], str]] = {
    "requests": lambda fleet: f"{fleet.figures.requests}",
    "errors": lambda fleet: f"{fleet.figures.errors}",
    "errors by code": _codes,
    "longest gap": _gap,
    "busiest backend before": lambda fleet: percent(fleet.figures.before.largest_share),
    "busiest backend after": lambda fleet: percent(fleet.figures.after.largest_share),
    "  taken over": _period,
    "busiest backend, peak/s": lambda fleet: f"{fleet.figures.busiest}",
    "latency p50": lambda fleet: _milliseconds(fleet.figures.p50_ms),
    "latency p99": lambda fleet: _milliseconds(fleet.figures.p99_ms),
}
