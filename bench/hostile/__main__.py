"""What one hostile client costs the others: `python -m bench.hostile` (two minutes; needs nothing else).

An attacker at nice 19 subscribes to as many names as one client may, or more. It is aimed at a server that does
nothing with them first, for what it costs the machine, and at steerway then. An honest client is measured beside both:
its first answer on a new connection, a change of a resource that it holds, and `/healthz`. The attack is repeated, to
see whether memory that it took is used again.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click
import httpx
from rich.console import Console

from bench import machine, report
from bench.hostile.client import STREAMS
from bench.table import Table
from bench.usage import rss_bytes
from steerway.testing.ads_client import AdsClient, DeltaStream
from steerway.translate.xds.type_url import ENDPOINT, LISTENER
from testbed.manifest import Files
from testbed.process.control_plane import ControlPlane
from testbed.process.process import Process, Processes

_SERVICES = 400
"""Each first answer is about another one, for the first time."""
_HEALTH_SECONDS = 0.05
_PROGRAM = (sys.executable, "-m", "bench.hostile.client")
GOAL_RATIO, GOAL_HEALTH_MS, GOAL_MB = 3.0, 100.0, 250.0


@dataclass(frozen=True, slots=True)
class Honest:
    """What honest clients saw: medians in milliseconds, of `/healthz` the 95th percentile and the worst."""

    first_ms: float
    update_ms: float
    health_ms: float
    worst_health_ms: float
    timeouts: int


@dataclass(frozen=True, slots=True)
class Attack:
    """Beside the attack on the dummy and on steerway; `grown_mb`: memory at the most, afterwards, and at the most of
    a second attack, over that before the first."""

    kind: str
    baseline: Honest
    attacked: Honest
    grown_mb: tuple[float, float, float]


class Bench:
    """One server and its honest clients."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self.processes = processes
        self._files = Files(folder)
        self._port = 1
        self._asked = 0
        for number in range(_SERVICES):
            self._files.publish([f"10.0.{number // 250}.{number % 250 + 1}:50051"], name=f"service-{number}")
        self._change()
        self.plane = ControlPlane(processes, ("--files", str(folder), "--unsubscribe-grace-seconds", "2"))

    def _change(self) -> None:
        self._port += 1
        address = {"socket_address": {"address": "10.0.0.1", "port_value": self._port}}
        endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
        self._files.write("hot.yaml", {"@type": ENDPOINT, "cluster_name": "hot", "endpoints": endpoints})

    def memory_mb(self) -> float:
        """Resident memory of the server now."""
        return rss_bytes(self.plane.process.pid) / 1024e3

    def first_answer(self) -> float:
        """Seconds from nothing to the first answer, on a new connection."""
        self._asked += 1
        begin = time.perf_counter()
        with AdsClient(self.plane.address) as client:
            stream = client.delta()
            stream.request(LISTENER, f"service-{self._asked % _SERVICES}.shop")
            assert stream.read().resources
            return time.perf_counter() - begin

    def update(self, stream: DeltaStream) -> float:
        """Seconds from the write of a file to the change."""
        begin = time.perf_counter()
        self._change()
        stream.ack(stream.read())
        return time.perf_counter() - begin

    def measure(self, seconds: float) -> Honest:
        """Honest clients for so long."""
        first, update, health = [], [], []
        timeouts = 0
        ended = threading.Event()

        def look() -> None:
            with httpx.Client(trust_env=False, timeout=30) as http:
                while not ended.wait(_HEALTH_SECONDS):
                    begin = time.perf_counter()
                    http.get(f"{self.plane.admin}/healthz")
                    health.append(time.perf_counter() - begin)

        looking = threading.Thread(target=look)
        looking.start()
        with AdsClient(self.plane.address) as client:
            stream = client.delta()
            stream.request(ENDPOINT, "hot")
            stream.ack(stream.read(60))
            end = time.monotonic() + seconds
            while time.monotonic() < end or not (first and update):
                try:
                    first.append(self.first_answer())
                    update.append(self.update(stream))
                except TimeoutError:
                    timeouts += 1
                    if timeouts > 2:
                        break
        ended.set()
        looking.join()
        return Honest(
            _ms(first), _ms(update), 1e3 * statistics.quantiles(health, n=20)[-1], 1e3 * max(health), timeouts
        )

    @contextmanager
    def watched(self) -> Iterator[list[float]]:
        """Memory meanwhile, in megabytes."""
        samples, ended = [self.memory_mb()], threading.Event()

        def look() -> None:
            while not ended.wait(0.1):
                with suppress(OSError):
                    samples.append(self.memory_mb())

        looking = threading.Thread(target=look)
        looking.start()
        try:
            yield samples
        finally:
            ended.set()
            looking.join()


def _ms(seconds: list[float]) -> float:
    return 1e3 * statistics.median(seconds) if seconds else float("inf")


@contextmanager
def attacker(processes: Processes, kind: str, address: str, nice: int) -> Iterator[Process]:
    """An attack that has begun."""
    command = ("/usr/bin/nice", "-n", str(nice), *_PROGRAM, kind, address)
    process = processes.start(f"attack {kind}", command)
    with suppress(OSError):
        # sched(7), autogroup: among sessions only their own nice value counts.
        Path(f"/proc/{process.pid}/autogroup").write_text(str(nice))
    try:
        time.sleep(1)
        yield process
    finally:
        process.end()


def run(bench: Bench, kind: str, seconds: float, nice: int) -> Attack:
    """Attack a dummy, then the server twice."""
    dummy = bench.processes.start("dummy", [*_PROGRAM, "dummy"])
    address = dummy.wait(lambda: next(iter(dummy.lines), ""), "its address").rpartition(" ")[2]
    bench.measure(seconds / 2)
    with attacker(bench.processes, kind, address, nice):
        baseline = bench.measure(seconds)
    dummy.end()
    before = bench.memory_mb()
    with attacker(bench.processes, kind, bench.plane.address, nice), bench.watched() as samples:
        attacked = bench.measure(seconds)
    most = max(samples)
    _settle(bench)
    after = bench.memory_mb()
    with attacker(bench.processes, kind, bench.plane.address, nice), bench.watched() as samples:
        time.sleep(seconds)
    grown = (most - before, after - before, max(samples) - before)
    _settle(bench)
    return Attack(kind, baseline, attacked, grown)


def _settle(bench: Bench) -> None:
    """Wait for the end of what the attack left: streams, and the grace of their names."""
    end = time.monotonic() + 60
    while bench.plane.metric("steerway_streams") > 0 and time.monotonic() < end:
        time.sleep(0.2)
    time.sleep(8)


def table(attacks: list[Attack]) -> Table:
    """Ratios beside the goals."""
    columns = (
        "attack",
        f"first answer, ms (ratio ≤ {GOAL_RATIO:g})",
        f"update, ms (ratio ≤ {GOAL_RATIO:g})",
        f"/healthz p95, ms (worst; over baseline ≤ {GOAL_HEALTH_MS:g})",
        f"memory, MB (≤ {GOAL_MB:g})",
        "afterwards, MB",
        "second attack, MB",
    )
    rows = [
        [
            f"{attack.kind}: {STREAMS[attack.kind]} streams",
            _pair(attack.baseline.first_ms, attack.attacked.first_ms),
            _pair(attack.baseline.update_ms, attack.attacked.update_ms),
            f"{attack.baseline.health_ms:.0f} → {attack.attacked.health_ms:.0f}"
            f" ({attack.baseline.worst_health_ms:.0f} → {attack.attacked.worst_health_ms:.0f})",
            *(f"+{grown:.0f}" for grown in attack.grown_mb),
        ]
        for attack in attacks
    ]
    return Table("An honest client beside a hostile one: attack on a dummy → on steerway", columns, rows)


def _pair(baseline: float, attacked: float) -> str:
    return f"{baseline:.0f} → {attacked:.0f} ({attacked / baseline:.1f})"


def meets_goals(attack: Attack) -> bool:
    """Whether all goals are met."""
    baseline, attacked = attack.baseline, attack.attacked
    checks: list[Callable[[], bool]] = [
        lambda: attacked.timeouts == 0,
        lambda: attacked.first_ms <= GOAL_RATIO * baseline.first_ms,
        lambda: attacked.update_ms <= GOAL_RATIO * baseline.update_ms,
        lambda: attacked.health_ms <= baseline.health_ms + GOAL_HEALTH_MS,
        lambda: attack.grown_mb[0] <= GOAL_MB,
    ]
    return all(check() for check in checks)


@click.command()
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(STREAMS)), default=("absent", "long"))
@click.option("--seconds", default=10.0, help="Of each measurement.")
@click.option("--nice", default=19, help="Of the attacker. A busy machine runs none at 19.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Write all measurements to this file."
)
def main(kinds: tuple[str, ...], seconds: float, nice: int, json_file: Path | None) -> None:
    """Measure, print, and fail when a goal is missed."""
    machine.raise_open_files()
    facts = machine.facts()
    attacks = []
    for kind in kinds:
        with Processes() as processes, tempfile.TemporaryDirectory() as folder:
            attacks.append(run(Bench(processes, Path(folder)), kind, seconds, nice))
    failures = [f"{attack.kind}: a goal is missed" for attack in attacks if not meets_goals(attack)]
    result = report.Result(None, facts, [table(attacks)], list(attacks), failures)
    report.print_tables(result, Console(width=None if sys.stdout.isatty() else 200))
    if json_file is not None:
        report.write_json(result, json_file)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
