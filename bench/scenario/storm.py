"""Scenarios `storm`, `restart` and `idle`: many clients come at once, come back to another server, and stay."""

import itertools
from dataclasses import dataclass, replace
from functools import partial

from bench import fleet
from bench.build import Programs
from bench.plan import Load, Plan, Protocol
from bench.scenario.session import Session
from bench.scenario.trial import settled
from bench.server.contestant import ENGINE, LINEAR_CACHE, SNAPSHOT, Contestant
from bench.table import Table
from bench.usage import Reading

CLIENTS = 10_000
_SPARE_FILES = 300
"""What both sides need beside their connections; steerway keeps 256 of them free for files and logs."""
_IDLE_STREAMS = 2


@dataclass(frozen=True, slots=True)
class Arrival:
    """All clients came. Times are what passed since the first began to connect."""

    scenario: str
    contestant: str
    protocol: Protocol
    clients: int
    p50_ms: float
    p99_ms: float
    all_ms: float
    cpu_us_per_client: float
    resources_per_client: float
    kb_per_client: float
    pss_kb_per_stream: float


def _arrivals(title: str, arrivals: list[Arrival], titles: dict[str, str]) -> Table:
    columns = (
        "server",
        "half current, ms",
        "99 % current, ms",
        "all current, ms",
        "CPU µs per client",
        "resources per client",
        "kB per client",
    )
    rows = [
        [
            f"{titles[arrival.contestant]}, {arrival.protocol}",
            f"{arrival.p50_ms:,.0f}",
            f"{arrival.p99_ms:,.0f}",
            f"{arrival.all_ms:,.0f}",
            f"{arrival.cpu_us_per_client:.0f}",
            f"{arrival.resources_per_client:.2f}",
            f"{arrival.kb_per_client:.1f}",
        ]
        for arrival in arrivals
    ]
    return Table(title, columns, rows)


def _write_line(arrival: Arrival) -> str:
    return f"{arrival.all_ms:,.0f} ms, {arrival.cpu_us_per_client:.0f} µs per client"


def run_storm(session: Session) -> list[Table]:
    """All clients connect at once."""
    plan = replace(session.plan, clients=CLIENTS)
    load = replace(plan.load("hot"), opening=CLIENTS)
    chosen = session.contestants((ENGINE, LINEAR_CACHE, SNAPSHOT))
    results = []
    for contestant in chosen:
        measure = partial(_storm, "storm", contestant, load, plan, session.programs)
        if arrival := session.attempt(f"storm, {contestant.title}", measure, _write_line):
            results.append(arrival)
    title = f"Connect storm: {CLIENTS:,} clients come at once"
    return [_arrivals(title, results, {contestant.key: contestant.title for contestant in chosen})]


def _storm(scenario: str, contestant: Contestant, load: Load, plan: Plan, programs: Programs) -> Arrival:
    with contestant.start(plan, programs) as server:
        alone = settled(server.pid)
        with fleet.connect(server, load, programs) as clients:
            after = settled(server.pid)
            came = clients.connected
    return _arrival(scenario, contestant, load, came, alone, after)


def _arrival(
    scenario: str, contestant: Contestant, load: Load, came: fleet.Outcome, alone: Reading, after: Reading
) -> Arrival:
    """`alone` and `after`: what the server has used before and after the clients came."""
    return Arrival(
        scenario,
        contestant.key,
        load.protocol,
        load.clients,
        came.p50_ms,
        came.p99_ms,
        came.last_ms,
        (after.cpu - alone.cpu) / load.clients * 1e6,
        came.resources / load.clients,
        came.bytes / load.clients / 1e3,
        (after.pss - alone.pss) / load.clients / load.streams,
    )


def run_restart(session: Session) -> list[Table]:
    """All clients come to a new server that knows one more change; they send the versions that they have."""
    plan = replace(session.plan, clients=CLIENTS)
    chosen = session.contestants((ENGINE, LINEAR_CACHE, SNAPSHOT))
    protocols: tuple[Protocol, ...] = ("delta", "sotw")
    results = []
    for contestant, protocol in itertools.product(chosen, protocols):
        measure = partial(_restart, contestant, plan.load("hot", protocol), plan, session.programs)
        if arrival := session.attempt(f"restart, {contestant.title}, {protocol}", measure, _write_line):
            results.append(arrival)
    title = (
        f"Restart storm: {CLIENTS:,} clients, each with three resources, come at once to a new process"
        " in which one of them has changed"
    )
    return [_arrivals(title, results, {contestant.key: contestant.title for contestant in chosen})]


def _restart(contestant: Contestant, load: Load, plan: Plan, programs: Programs) -> Arrival:
    change = next(plan.all_changes("hot"))
    with (
        contestant.start(plan, programs) as old,
        contestant.start(plan, programs) as new,
        fleet.connect(old, load, programs) as clients,
    ):
        new.apply(change)
        alone = settled(new.pid)
        clients.expect(change)
        came = clients.reconnect(new.address)
        after = settled(new.pid)
    return _arrival("restart", contestant, load, came, alone, after)


def run_idle(session: Session, open_files: int) -> list[Table]:
    """As many connections as the limit of open files allows, two streams on each."""
    clients = min(20_000, open_files - _SPARE_FILES)
    plan = replace(session.plan, clients=clients)
    load = replace(plan.load("hot"), streams=_IDLE_STREAMS)
    rows = []
    for contestant in session.contestants((ENGINE, LINEAR_CACHE)):
        measure = partial(_storm, "idle", contestant, load, plan, session.programs)
        if measured := session.attempt(f"idle, {contestant.title}", measure, _write_line):
            streams = measured.clients * load.streams
            rows.append(
                [
                    contestant.title,
                    f"{measured.clients:,}",
                    f"{streams:,}",
                    f"{measured.pss_kb_per_stream:.1f}",
                    f"{measured.pss_kb_per_stream * streams / 1e3:,.0f}",
                ]
            )
    title = f"Held: connections of {load.streams} streams, up to the limit of {open_files:,} open files per process"
    return [Table(title, ("server", "connections", "streams", "kB per stream", "MB in all"), rows)]
