"""What a finished run was: everything that the report, the picture and the JSON file are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from demo.cluster import Event, State
from demo.measure import Balance, Figures, Window, measure
from demo.plan import RESOLUTION_SECONDS, Plan
from demo.run import Run


@dataclass(frozen=True, slots=True)
class FleetOutcome:
    """One fleet after the run."""

    name: str
    target: str
    figures: Figures
    details: dict[str, str]
    """The first error text of each status code."""
    max_late_seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run; all times are seconds after the first request."""

    plan: Plan
    fleets: tuple[FleetOutcome, ...]
    old: tuple[str, ...]
    new: tuple[str, ...]
    """The addresses of the pods before and of those after the rollout, each in the order of their start."""
    rollout_from: float
    rollout_to: float | None
    """When the last old pod was gone; None if the run ended before."""
    last_old_stopped: float | None
    """When the last old pod had its SIGTERM."""
    lookups: tuple[float, ...]
    """When the dns fleet asked for the addresses of the Service; negative before the first request."""

    def fleet(self, name: str) -> FleetOutcome:
        """The fleet of this name."""
        return next(fleet for fleet in self.fleets if fleet.name == name)

    def crowded(self, fleet: FleetOutcome) -> bool:
        """Whether one backend once answered more than twice its even share of a second's requests."""
        return fleet.figures.busiest > 2 * self.plan.rate / self.plan.backends

    def rounds(self) -> list[float]:
        """The look-ups with those of one moment (the clients of the fleet ask together) counted as one."""
        rounds: list[float] = []
        for lookup in self.lookups:
            if not rounds or lookup - rounds[-1] > RESOLUTION_SECONDS / 10:
                rounds.append(lookup)
        return rounds

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`."""
        return {
            "seconds": self.plan.seconds,
            "backends": self.plan.backends,
            "rate": self.plan.rate,
            "clients": self.plan.clients,
            "rollout": {"from_seconds": self.rollout_from, "to_seconds": self.rollout_to},
            "dns_lookups_seconds": [round(lookup, 3) for lookup in self.lookups],
            "fleets": {fleet.name: _fleet_json(fleet) for fleet in self.fleets},
        }


def _fleet_json(fleet: FleetOutcome) -> dict[str, Any]:
    figures = fleet.figures
    return {
        "requests": figures.requests,
        "errors": figures.errors,
        "longest_gap_seconds": round(figures.longest_gap_seconds, 4),
        "max_over_mean": figures.after.max_over_mean,
        "errors_by_code": dict(figures.codes),
        "error_details": fleet.details,
        "longest_gap": {"from_seconds": figures.gap_from, "to_seconds": figures.gap_to},
        "balance_before": _balance_json(figures.before),
        "balance": _balance_json(figures.after),
        "p50_ms": figures.p50_ms,
        "p99_ms": figures.p99_ms,
        "max_late_seconds": round(fleet.max_late_seconds, 4),
        "succeeded_per_second": list(figures.succeeded),
        "failed_per_second": list(figures.failed),
        "backends_per_second": list(figures.answering),
        "busiest_backend_per_second": figures.busiest,
    }


def _balance_json(balance: Balance) -> dict[str, Any]:
    return {
        "from_seconds": balance.start,
        "to_seconds": balance.end,
        "backends": dict(balance.backends),
        "largest_share": balance.largest_share,
        "connections": balance.connections,
    }


def percent(share: float | None) -> str:
    """A share as text; "-" for None, the share of no request."""
    return "-" if share is None else f"{share:.0%}"


def conclude(run: Run) -> Outcome:
    """Measure a run that came to its end."""
    assert run.started_at is not None and run.rollout_from is not None
    start, plan = run.started_at, run.plan
    events = run.events()
    to = None if run.rollout_to is None else run.rollout_to - start
    rollout_from = run.rollout_from - start
    before = Window(0.0, rollout_from, ready_during(events, start, 0.0, rollout_from))
    after = last_part(events, start, plan, to)
    starts = {event.address: event.at for event in events if event.state is State.STARTING}
    stops = [event.at - start for event in events if event.state is State.DRAINING]
    return Outcome(
        plan=plan,
        fleets=tuple(
            FleetOutcome(
                fleet.name,
                fleet.target,
                measure(fleet.records, plan.seconds, before, after),
                fleet.details,
                fleet.max_late_seconds,
            )
            for fleet in run.fleets
        ),
        old=tuple(address for address, at in starts.items() if at < start),
        new=tuple(address for address, at in starts.items() if at >= start),
        rollout_from=rollout_from,
        rollout_to=to,
        last_old_stopped=stops[-1] if to is not None else None,
        lookups=tuple(lookup - start for lookup in run.zone.lookups if lookup - start < plan.seconds),
    )


def last_part(events: Sequence[Event], start: float, plan: Plan, rollout_to: float | None) -> Window:
    """The last `balance_seconds` of the run, or what the rollout left of them, with its ready pods."""
    begin = max(0.0, plan.seconds - plan.balance_seconds)
    if rollout_to is not None and begin < rollout_to < plan.seconds:
        begin = rollout_to
    return Window(begin, plan.seconds, ready_during(events, start, begin, plan.seconds))


def ready_during(events: Sequence[Event], start: float, begin: float, end: float) -> frozenset[str]:
    """The pods that are ready in all of [begin, end), in seconds after `start`; events have monotonic times."""
    ready: set[str] = set()
    for event in events:
        if event.state is State.READY and event.at - start <= begin:
            ready.add(event.address)
        elif event.state is not State.READY and event.at - start < end:
            ready.discard(event.address)
    return frozenset(ready)
