"""Scenario `churn`: changes come at a steady rate, each of another service; how old is one when the client has it?

Each change carries the time of its publication in an address (`11.0.0.0/8`), which the fleet subtracts from its own.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from bench import fleet
from bench.fleet import Ages
from bench.plan import Change
from bench.scenario.session import Session
from bench.scenario.trial import settled
from bench.server.contestant import ENGINE, LINEAR_CACHE, Contestant
from bench.table import Table

RATE = 10_000
"""Changes per second that are asked for."""
SERVICES = 999
CLIENTS = SERVICES // 3
_BATCH = 50
_STAMP_NS = 100_000
_LATE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Churn:
    """`changes` were published in `seconds`; `ages` is what the clients got of them."""

    contestant: str
    seconds: float
    changes: int
    ages: Ages
    server_cpu_share: float
    cpu_us_per_update: float


def stamped_address(now_ns: int) -> str:
    """An address that holds the time of its publication."""
    stamp = now_ns // _STAMP_NS & 0xFFFFFF
    return f"11.{stamp >> 16}.{stamp >> 8 & 255}.{stamp & 255}"


def stamped_change(tick: int, now_ns: int, endpoints: int) -> Change:
    """The next `_BATCH` services get an endpoint whose address holds the time."""
    address = stamped_address(now_ns)
    services = tuple((tick * _BATCH + locality) % SERVICES for locality in range(_BATCH))
    return Change(tick, address, tick % endpoints, services)


def _publish(apply: Callable[[Change], None], seconds: float, endpoints: int) -> tuple[int, float]:
    """How many changes were made, and in which time: a server that cannot follow blocks its standard input."""
    started = time.monotonic_ns()
    ticks = int(seconds * RATE / _BATCH)
    for tick in range(ticks):
        due = started + tick * _BATCH * 1_000_000_000 // RATE
        now = time.monotonic_ns()
        if due > now:
            time.sleep((due - now) / 1e9)
        elif now - started > seconds * 2e9:
            ticks = tick
            break
        apply(stamped_change(tick, time.monotonic_ns(), endpoints))
    return ticks * _BATCH, (time.monotonic_ns() - started) / 1e9


def _measure(contestant: Contestant, seconds: float, session: Session) -> Churn:
    plan = replace(session.plan, clients=CLIENTS, services=SERVICES)
    with (
        contestant.start(plan, session.programs) as server,
        fleet.connect(server, plan.load("spread"), session.programs) as clients,
    ):
        clients.watch()
        before = settled(server.pid)
        changes, took = _publish(server.apply, seconds, plan.endpoints)
        time.sleep(_LATE_SECONDS)
        ages = clients.ages()
        after = settled(server.pid)
    cpu = after.cpu - before.cpu
    return Churn(contestant.key, took, changes, ages, cpu / took, cpu / max(1, ages.updates) * 1e6)


def _write_line(churn: Churn) -> str:
    rate = churn.changes / churn.seconds
    return f"{rate:,.0f} changes/s, p99 {churn.ages.p99_ms:.0f} ms"


def run(session: Session, seconds: float) -> list[Table]:
    """One row per contestant."""
    rows = []
    for contestant in session.contestants((ENGINE, LINEAR_CACHE)):
        measure = partial(_measure, contestant, seconds, session)
        if churn := session.attempt(f"churn, {contestant.title}", measure, _write_line):
            rows.append(
                [
                    contestant.title,
                    f"{churn.changes / churn.seconds:,.0f}",
                    f"{churn.ages.updates / churn.seconds:,.0f}",
                    f"{churn.ages.p50_ms:.1f}",
                    f"{churn.ages.p99_ms:.1f}",
                    f"{churn.ages.last_ms:.0f}",
                    f"{churn.cpu_us_per_update:.1f}",
                    f"{churn.server_cpu_share:.0%}",
                ]
            )
    columns = (
        "server",
        "changes per s",
        "updates per s",
        "p50 ms to ACK",
        "p99 ms",
        "max ms",
        "CPU µs per update",
        "of one core",
    )
    title = f"Churn: {RATE:,} changes per second asked for, over {SERVICES} services, {CLIENTS} clients, {seconds:g} s"
    return [Table(title, columns, rows)]
