"""One trial: one server, one fleet, all changes; what was measured comes back as flat numbers."""

import time
from dataclasses import dataclass

from bench import fleet
from bench.build import Programs
from bench.fleet import Outcome
from bench.plan import WARM_UP_CHANGES, Layout, Plan
from bench.server.contestant import Contestant
from bench.usage import Reading, wait_until_quiet

_QUIET_SECONDS = 3.0
_IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """Figures of one trial. Lists have one figure per measured change."""

    contestant: str
    layout: Layout
    round: int
    clients: int
    updates: int
    responses: int
    bytes_per_update: float
    cpu_us_per_update: float
    system_share: float
    """Part of the CPU time that was spent in the kernel, 0..1."""
    idle_cpu_share: float
    """Of one core, all clients connected and nothing changing; already subtracted from the CPU per update."""
    all_updated_ms: list[float]
    """From the change until the last client had it."""
    client_p50_ms: list[float]
    client_p99_ms: list[float]
    connect_seconds: float
    connect_cpu_us_per_client: float
    base_rss_kb: int
    rss_kb_per_stream: float
    """All clients connected and answered, before the first change; less the process without clients."""
    pss_kb_per_stream: float
    pss_kb_per_stream_after: float
    """The same after the last change."""


@dataclass(frozen=True, slots=True)
class _Readings:
    """The server's usage: without clients, idle with clients (twice), before and after the changes."""

    alone: Reading
    idle: Reading
    idle_later: Reading
    before: Reading
    after: Reading


def run(contestant: Contestant, layout: Layout, number: int, plan: Plan, programs: Programs) -> Measurement:
    """Raises ChildError when the server or the fleet fails."""
    load = plan.load(layout, "raw" if contestant.raw else "sotw")
    with contestant.start(plan, programs) as server:
        alone = settled(server.pid)
        with fleet.connect(server, load, programs) as clients:
            idle = settled(server.pid)
            time.sleep(_IDLE_SECONDS)
            idle_later = Reading.take(server.pid)
            changes = list(plan.all_changes(layout))
            for change in changes[:WARM_UP_CHANGES]:
                clients.follow(change, server.apply)
            before = settled(server.pid)
            outcomes = [clients.follow(change, server.apply) for change in changes[WARM_UP_CHANGES:]]
            readings = _Readings(alone, idle, idle_later, before, settled(server.pid))
            connected = clients.connected
    return _measurement((contestant.key, layout, number), plan.clients, readings, connected, outcomes)


def settled(pid: int) -> Reading:
    """What a process has used when it is quiet again."""
    wait_until_quiet(pid, _QUIET_SECONDS)
    return Reading.take(pid)


def _measurement(
    of: tuple[str, Layout, int], clients: int, seen: _Readings, connected: Outcome, outcomes: list[Outcome]
) -> Measurement:
    contestant, layout, number = of
    updates = sum(outcome.updates for outcome in outcomes)
    idle_share = seen.idle.cpu_share_until(seen.idle_later)
    cpu = seen.after.cpu - seen.before.cpu - idle_share * (seen.after.at - seen.before.at)
    return Measurement(
        contestant=contestant,
        layout=layout,
        round=number,
        clients=clients,
        updates=updates,
        responses=sum(outcome.responses for outcome in outcomes),
        bytes_per_update=sum(outcome.bytes for outcome in outcomes) / updates,
        cpu_us_per_update=cpu / updates * 1e6,
        system_share=seen.before.system_share_until(seen.after),
        idle_cpu_share=idle_share,
        all_updated_ms=[outcome.last_ms for outcome in outcomes],
        client_p50_ms=[outcome.p50_ms for outcome in outcomes],
        client_p99_ms=[outcome.p99_ms for outcome in outcomes],
        connect_seconds=connected.last_ms / 1e3,
        connect_cpu_us_per_client=(seen.idle.cpu - seen.alone.cpu) / clients * 1e6,
        base_rss_kb=seen.alone.rss,
        rss_kb_per_stream=(seen.idle_later.rss - seen.alone.rss) / clients,
        pss_kb_per_stream=(seen.idle_later.pss - seen.alone.pss) / clients,
        pss_kb_per_stream_after=(seen.after.pss - seen.alone.pss) / clients,
    )
