"""The closing words: a table of figures and what they mean, all derived from what this run measured."""

from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from demo.plan import DNS_TTL_SECONDS, RESOLUTION_SECONDS
from demo.view.outcome import FleetOutcome, Outcome

_LATE_SECONDS = 0.25
"""A request sent later than this shows that the machine, not the network, shaped the figures."""
_REPORTED_GAP_SECONDS = 1.0


def show(outcome: Outcome, console: Console) -> None:
    """Print the table and its explanation."""
    console.print(figures_table(outcome))
    for paragraph in explanation(outcome):
        console.print("\n" + paragraph, highlight=False, markup=False, soft_wrap=not console.is_terminal)


def figures_table(outcome: Outcome) -> Table:
    """Both fleets side by side, one figure per row."""
    table = Table(title="Measured in this run", title_justify="left")
    table.add_column("")
    for fleet in outcome.fleets:
        table.add_column(f"{fleet.name} fleet", justify="right")
    for label, cell in _ROWS.items():
        table.add_row(label, *(cell(fleet) for fleet in outcome.fleets))
    return table


def _gap(fleet: FleetOutcome) -> str:
    figures = fleet.figures
    if figures.longest_gap_seconds <= _REPORTED_GAP_SECONDS:
        return f"{figures.longest_gap_seconds:.2f} s"
    return f"{figures.longest_gap_seconds:.2f} s\n({figures.gap_from:.1f} to {figures.gap_to:.1f})"


def _codes(fleet: FleetOutcome) -> str:
    return "\n".join(f"{code} {count}" for code, count in sorted(fleet.figures.codes.items())) or "-"


def _balance(fleet: FleetOutcome) -> str:
    figures = fleet.figures
    if figures.max_over_mean is None:
        return "no success"
    return f"{figures.max_over_mean:.2f}"


def _balance_part(fleet: FleetOutcome) -> str:
    return f"{fleet.figures.balance_from:.1f} to {fleet.figures.balance_to:.1f} s"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


_ROWS: dict[str, Callable[[FleetOutcome], str]] = {
    "requests": lambda fleet: f"{fleet.figures.requests}",
    "errors": lambda fleet: f"{fleet.figures.errors}",
    "errors by code": _codes,
    "longest gap without success": _gap,
    "load per backend, max/mean": _balance,
    "  taken over": _balance_part,
    "most answered by one backend in 1 s": lambda fleet: f"{fleet.figures.busiest}",
    "latency p50": lambda fleet: _milliseconds(fleet.figures.p50_ms),
    "latency p99": lambda fleet: _milliseconds(fleet.figures.p99_ms),
}


def explanation(outcome: Outcome) -> list[str]:
    """Sentences about this run; each is printed only if the figures support it."""
    return [_rollout(outcome), _dns(outcome), *_caveats(outcome), *_error_texts(outcome)]


def _rollout(outcome: Outcome) -> str:
    plan = outcome.plan
    if outcome.rollout_to is None:
        return (
            f"The rolling restart began at {outcome.rollout_from:.1f} s and was NOT finished when the run "
            f"ended at {plan.seconds:.0f} s: the figures show only a part of it. Give it more --seconds or "
            "fewer --backends."
        )
    return (
        f"A rolling restart (maxSurge 1, maxUnavailable 0) replaced {plan.backends} backends between "
        f"{outcome.rollout_from:.1f} and {outcome.rollout_to:.1f} s. Both fleets had the same pods, the same "
        "events at the same moment in DNS and in the manifests, and for each old pod "
        f"{plan.pre_stop_seconds:.0f} s of preStop and up to {plan.grace_seconds:.0f} s to drain."
    )


def _dns(outcome: Outcome) -> str:
    rounds = outcome.rounds()
    text = (
        f"The dns fleet asked for the addresses at {', '.join(f'{moment:.1f}' for moment in rounds)} s "
        f"(TTL {DNS_TTL_SECONDS} s, which C-core ignores). Stopped pods make it ask again, but a channel "
        f"asks at most once in {RESOLUTION_SECONDS:.0f} s."
    )
    fleet = outcome.fleet("dns")
    figures = fleet.figures
    if outcome.crowded(fleet):
        text += (
            " In between it had ever fewer of the pods that it knew: at worst one of them answered "
            f"{figures.busiest} of the {outcome.plan.rate} requests of a second."
        )
    stopped = outcome.last_old_stopped
    if stopped is None or figures.longest_gap_seconds <= _REPORTED_GAP_SECONDS:
        return text
    before = [moment for moment in rounds if moment <= figures.gap_from]
    if before:
        text += (
            f" The last old pod got SIGTERM at {stopped:.1f} s; by then the addresses that the fleet "
            f"held were {stopped - before[-1]:.1f} s old."
        )
    end = "until it asked again" if figures.gap_to < outcome.plan.seconds else "until the run ended"
    return text + f" It had no success for {figures.longest_gap_seconds:.1f} s, {end}."


def _caveats(outcome: Outcome) -> list[str]:
    caveats = []
    if outcome.plan.warm_up_seconds < RESOLUTION_SECONDS:
        caveats.append(
            "The restart was placed within 30 s of the fleet's first look-up. Later than that, the first "
            "stopped pod makes it ask at once, and it keeps the pods of that moment for 30 s: "
            "--seconds 90 --warm-up 35 shows that case."
        )
    for fleet in outcome.fleets:
        if not any(fleet.figures.succeeded[-2:]):
            caveats.append(f"The {fleet.name} fleet had not recovered when the run ended.")
        if fleet.max_late_seconds > _LATE_SECONDS:
            caveats.append(
                f"The machine was busy: one request of the {fleet.name} fleet was sent "
                f"{fleet.max_late_seconds:.2f} s late."
            )
    return caveats


def _error_texts(outcome: Outcome) -> list[str]:
    return [
        f"First {code} of the {fleet.name} fleet: {details}"
        for fleet in outcome.fleets
        for code, details in sorted(fleet.details.items())
    ]
