"""What the calls of `Engine` that read all streams cost: `python -m bench.inspection` (two minutes; needs Rust).

A fleet opens three streams per connection, as many as the limit of open files allows and `--streams` at most, and
answers everything. An event loop in the process of the engine polls and classifies, as `steerway serve` does. Each call
runs on a thread beside it, while the fleet is idle and then while there are changes. Shown are the time of a call, the
CPU time of the whole process meanwhile, and the longest time that the event loop was blocked.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence, Sized
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from bench import machine, mesh, report
from bench.build import build
from bench.fleet import Fleet, connect
from bench.plan import Load
from bench.scenario.churn import stamped_address
from bench.server.contestant import Server
from bench.table import Table
from steerway.commit import Commit, Put
from steerway.engine.decision import Classification
from steerway.engine.engine import Engine, Opened
from steerway.origin import Origin
from testbed.engine_options import engine_options

_STREAMS_PER_CONNECTION = 3
_SPARE_FILES = 500
_ENDPOINTS = 10
_REPEATS = 9
_TICK_SECONDS = 0.001
_PAGE = 100
_COLUMNS = ("call", "rows", "median ms", "most ms", "CPU ms", "loop blocked ms")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one call, in milliseconds: median and most of its time, median of the CPU time, longest pause of the loop."""

    name: str
    rows: int
    median_ms: float
    most_ms: float
    cpu_ms: float
    blocked_ms: float


class Inspected:
    """An engine that serves `services` assignments, and the event loop beside it."""

    def __init__(self, services: int, workloads: int) -> None:
        limits = {"max_connections_per_address": 0, "max_connections_per_second": 100_000}
        self.engine = Engine(engine_options(**limits))
        self._workloads = workloads
        self._services = services
        for service in range(services):
            self._publish(service, mesh.first_addresses(service, _ENDPOINTS), 0)
        self._blocked = 0.0
        self.changes = 0

    def workload(self, stream: int) -> str:
        """The label of a stream."""
        return f"bench/workload-{stream % self._workloads}"

    def _publish(self, service: int, addresses: Sequence[str], change: int) -> None:
        name = mesh.assignment_name(service)
        body = mesh.assignment(service, [mesh.encoded_endpoint(address) for address in addresses])
        put = Put(mesh.ASSIGNMENT, name, "", body, origin=Origin(time.monotonic()))
        self.engine.publish(Commit(put=[put]), change)

    async def answer_events(self) -> None:
        """Classify and label what opens; never returns."""
        async for events in self.engine.events():
            opened = [event.stream for event in events if isinstance(event, Opened)]
            self.engine.classify([Classification(stream, "", None) for stream in opened])
            self.engine.label([(stream, self.workload(stream)) for stream in opened])

    async def change(self, per_second: int) -> None:
        """Change one assignment after the other; never returns."""
        while True:
            self.changes += 1
            service = self.changes % self._services
            addresses = [stamped_address(time.monotonic_ns()), *mesh.first_addresses(service, _ENDPOINTS)[1:]]
            self._publish(service, addresses, self.changes)
            await asyncio.sleep(1 / per_second)

    async def tick(self) -> None:
        """Note how much later than it should the loop runs; never returns."""
        while True:
            due = time.perf_counter() + _TICK_SECONDS
            await asyncio.sleep(_TICK_SECONDS)
            self._blocked = max(self._blocked, time.perf_counter() - due)

    async def measure(self, name: str, call: Callable[[], Sized]) -> Cost:
        """Make the call again and again."""
        times, cpu, rows, self._blocked = [], [], 0, 0.0
        for _ in range(_REPEATS):
            begin, cpu_begin = time.perf_counter(), time.process_time()
            rows = len(await asyncio.to_thread(call))
            times.append(1e3 * (time.perf_counter() - begin))
            cpu.append(1e3 * (time.process_time() - cpu_begin))
            await asyncio.sleep(0.05)
        return Cost(
            name, rows, statistics.median(times), max(times), statistics.median(cpu), 1e3 * self._blocked
        )


def calls(inspected: Inspected) -> dict[str, Callable[[], Sized]]:
    """By the text in the table; the first does nothing."""
    engine = inspected.engine
    last = engine.streams()[-1].id
    name = mesh.assignment_name(0)
    return {
        "(none)": lambda: time.sleep(0.01) or (),
        "states()": lambda: engine.states()[1],
        "groups()": engine.groups,
        "edges()": engine.edges,
        "edges(label=…)": lambda: engine.edges(label=inspected.workload(last)),
        "edges(names=[…])": lambda: engine.edges(names=[name]),
        "streams(limit=100)": lambda: engine.streams(limit=_PAGE),
        "streams(after=…, limit=100)": lambda: engine.streams(after=last // 2, limit=_PAGE),
        "streams(node=…)": lambda: engine.streams(node="*77"),
        "streams(label=…)": lambda: engine.streams(label=inspected.workload(last)),
        "streams(ids=[…])": lambda: engine.streams(ids=[last], resources=True),
        "streams()": engine.streams,
        "absences()": lambda: engine.absences(streams=_PAGE).rows,
        "stats()": lambda: [engine.stats()],
        "propagations(100)": lambda: engine.propagations(
            range(max(0, inspected.changes - 100), inspected.changes)
        ),
    }


async def inspect(inspected: Inspected, fleet: Fleet, changes: int) -> list[Table]:
    """A table for an idle fleet and one with changes."""
    tables = []
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(inspected.tick())]
        for title in ("Idle fleet", f"{changes} changes per second"):
            if tables:
                await asyncio.to_thread(fleet.watch)
                tasks.append(group.create_task(inspected.change(changes)))
            costs = [await inspected.measure(name, call) for name, call in calls(inspected).items()]
            tables.append(Table(title, _COLUMNS, [_row(cost) for cost in costs]))
        ages = await asyncio.to_thread(fleet.ages)
        updates = [f"{ages.updates:,}", *(f"{age:.1f}" for age in (ages.p50_ms, ages.p99_ms, ages.last_ms))]
        tables.append(Table("Updates meanwhile", ("updates", "p50 ms", "p99 ms", "last ms"), [updates]))
        for task in tasks:
            task.cancel()
    return tables


def _row(cost: Cost) -> list[str]:
    figures = (cost.median_ms, cost.most_ms, cost.cpu_ms, cost.blocked_ms)
    return [cost.name, f"{cost.rows:,}", *(f"{figure:.1f}" for figure in figures)]


async def run(services: int, workloads: int, changes: int, load: Load) -> list[Table]:
    """Serve, connect the fleet, measure."""
    programs = build(go_control_plane=False)
    inspected = Inspected(services, workloads)
    inspected.engine.set_serving(True)
    (address,) = inspected.engine.start()
    serving = asyncio.create_task(inspected.answer_events())
    try:
        with ExitStack() as stack:
            server = Server(0, address, lambda _: None)
            clients = await asyncio.to_thread(stack.enter_context, connect(server, load, programs))
            opened = len(inspected.engine.states()[1])
            print(f"{opened:,} streams on {load.clients:,} connections, {services:,} services")
            return await inspect(inspected, clients, changes)
    finally:
        serving.cancel()
        inspected.engine.stop()


@click.command()
@click.option("--streams", type=click.IntRange(3, 300_000), default=40_000, show_default=True)
@click.option("--services", type=click.IntRange(3, 60_000), default=10_000, show_default=True)
@click.option("--workloads", type=click.IntRange(1, 100_000), default=2_000, show_default=True)
@click.option("--changes", type=click.IntRange(1, 1_000), default=100, show_default=True, help="Per second.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write every figure here.")
def main(streams: int, services: int, workloads: int, changes: int, json_file: Path | None) -> None:
    """Open many streams, and measure every call that reads them."""
    machine.raise_open_files()
    facts = machine.facts()
    clients = min(-(-streams // _STREAMS_PER_CONNECTION), facts.open_files - _SPARE_FILES)
    fleet = Load(clients, services, _ENDPOINTS, layout="spread", streams=_STREAMS_PER_CONNECTION)
    tables = asyncio.run(run(services, workloads, changes, fleet))
    result = report.Result(None, facts, tables, [], [])
    report.print_tables(result, Console(width=110))
    if json_file is not None:
        report.write_json(result, json_file)


if __name__ == "__main__":
    main()
