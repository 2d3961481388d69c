"""A constructed outcome of a finished run."""

from collections.abc import Callable

import pytest

from demo.measure import Record, Window, measure
from demo.plan import Plan
from demo.view.outcome import FleetOutcome, Outcome

SECONDS = 30.0
RATE = 10
BACKENDS = ("127.20.2.1", "127.20.2.2")


def steady(start: float, end: float, code: str = "OK") -> list[Record]:
    """One request each 1/RATE s in [start, end), answered after 10 ms by the backends in turn."""
    first, last = round(start * RATE), round(end * RATE)
    return [
        Record(i / RATE, i / RATE + 0.01, code, BACKENDS[i % len(BACKENDS)] if code == "OK" else "")
        for i in range(first, last)
    ]


@pytest.fixture
def make_outcome() -> Callable[..., Outcome]:
    """Outcomes in which the dns fleet fails from 16 s to `recovers` and the xds fleet never."""

    def make(recovers: float = 26.0, rollout_to: float | None = 16.0, warm_up: float = 3.0) -> Outcome:
        plan = Plan(SECONDS, len(BACKENDS), RATE, warm_up, 1.0)
        window = Window(20.0, SECONDS, frozenset(BACKENDS))
        broken = [*steady(0, 16), *steady(16, recovers, "UNAVAILABLE"), *steady(recovers, SECONDS)]
        fleets = {"dns": broken, "xds": steady(0, SECONDS)}
        return Outcome(
            plan=plan,
            fleets=tuple(
                FleetOutcome(
                    name=name,
                    target=f"{name}:///backend",
                    figures=measure(records, SECONDS, window),
                    details={"UNAVAILABLE": "Connection refused"} if name == "dns" else {},
                    max_late_seconds=0.001,
                )
                for name, records in fleets.items()
            ),
            rollout_from=warm_up,
            rollout_to=rollout_to,
            last_old_stopped=None if rollout_to is None else 15.9,
            lookups=(-0.5, -0.4, 25.9),
        )

    return make
