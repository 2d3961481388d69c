"""A constructed outcome of a finished run."""

from collections.abc import Callable, Sequence

import pytest

from demo.fleet import FLEETS
from demo.measure import Record, Window, measure
from demo.plan import Plan
from demo.view.outcome import FleetOutcome, Outcome

SECONDS = 30.0
RATE = 10
BACKENDS = ("127.20.2.1", "127.20.2.2")
CLIENTS = 2


def steady(start: float, end: float, backends: Sequence[str] = BACKENDS) -> list[Record]:
    """One request each 1/RATE s in [start, end), by the clients in turn, each of which has `backends` in turn."""
    records = []
    for i in range(round(start * RATE), round(end * RATE)):
        client, backend = i % CLIENTS, backends[i // CLIENTS % len(backends)]
        records.append(Record(i / RATE, i / RATE + 0.01, "OK", backend, f"client {client}"))
    return records


def outage(start: float, end: float) -> list[Record]:
    """The same requests without success."""
    return [record._replace(code="UNAVAILABLE", backend="", peer="") for record in steady(start, end)]


@pytest.fixture
def make_outcome() -> Callable[..., Outcome]:
    """Outcomes in which the dns fleet fails from 16 s to `recovers` and clusterip has one backend of two."""

    def make(recovers: float = 26.0, rollout_to: float | None = 16.0, warm_up: float = 4.0) -> Outcome:
        plan = Plan(SECONDS, len(BACKENDS), RATE, warm_up, 1.0, clients=CLIENTS)
        before = Window(0.0, warm_up, frozenset(BACKENDS))
        after = Window(20.0, SECONDS, frozenset(BACKENDS))
        fleets = {
            "clusterip": steady(0, SECONDS, BACKENDS[:1]),
            "dns": [*steady(0, 16), *outage(16, recovers), *steady(recovers, SECONDS)],
            "xds": steady(0, SECONDS),
        }
        assert fleets.keys() == FLEETS.keys()
        return Outcome(
            plan=plan,
            fleets=tuple(
                FleetOutcome(
                    name=name,
                    target=f"{name}:///backend",
                    figures=measure(records, SECONDS, before, after),
                    details={"UNAVAILABLE": "Connection refused"} if name == "dns" else {},
                    max_late_seconds=0.001,
                )
                for name, records in fleets.items()
            ),
            old=BACKENDS,
            new=(),
            rollout_from=warm_up,
            rollout_to=rollout_to,
            last_old_stopped=None if rollout_to is None else 15.9,
            lookups=(-0.5, -0.4, 25.9),
        )

    return make
