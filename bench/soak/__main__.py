"""`make bench-soak`: minutes of churn, restarts and abuse; fails when afterwards something has grown or is slower.

One steerway process follows a fake API server whose objects change all the time and which is away for some seconds
each half minute. Honest clients follow some services and are replaced one by one. Beside them run abusers: slow
readers, floods of NACKs, requests, resets and pings, ever new names, requests to the admin server that never end. What
the process holds, and how fast an honest client is, is measured while all is quiet: before, after a first part of the
same, so that caches and the allocator have what they need, and at the end.
"""

import math
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import httpx
from rich.console import Console

from bench import report
from bench.machine import facts
from bench.soak.measure import LIMITS, Latency, Sizes, State, settled, table
from bench.soak.world import Honest, Hostile, Mesh, latency
from steerway.testing.ads_client import StreamEndedError
from testbed.api_server import ApiServer
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Processes

_WARM_SHARE = 0.2
_SETTLE_SECONDS = 90.0
_STEP_SECONDS = 0.05
_KEPT_LINES = 200
_SHOWN_LINES, _SHOWN_CHARACTERS = 10, 200


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between two of each."""

    change: float = 0.05
    client: float = 2.0
    hostile: float = 8.0
    outage: float = 30.0
    sample: float = 5.0


class Soak:
    """One run. `failures` are what went wrong beside what has grown."""

    def __init__(
        self, plane: ControlPlane, address: str, mesh: Mesh, clients: int, abusers: int, seed: int
    ) -> None:
        """`address` is that of honest clients: a client with the address of a flood may be displaced by it."""
        self.failures: list[str] = []
        self.most: Sizes | None = None
        self.beside: list[Latency] = []
        self._plane = plane
        self._address = address
        self._mesh = mesh
        self._clients = clients
        self._abusers = abusers
        self._seed = seed
        self._pid = plane.process.pid

    def quiet(self) -> State:
        """The state once no client is left."""
        settled(self._plane, self._pid, 0, _SETTLE_SECONDS)
        measured = latency(self._address, self._mesh)
        return State(settled(self._plane, self._pid, 0, _SETTLE_SECONDS), measured)

    def run(self, seconds: float) -> None:
        """Churn, outages, clients that come and go, abuse."""
        honest = Honest(self._address, self._mesh, self._clients)
        try:
            with Hostile(self._plane, self._mesh, self._abusers, self._seed) as hostile:
                self._turn(seconds, honest, hostile)
        finally:
            honest.close()
        self.failures += honest.failures
        if panics := self._plane.metric("steerway_panics_total"):
            self.failures.append(f"{panics:.0f} panics of the engine")

    def _turn(self, seconds: float, honest: Honest, hostile: Hostile) -> None:
        rhythm = Rhythm()
        actions: dict[Callable[[], None], float] = {
            self._mesh.change: rhythm.change,
            honest.restart_one: rhythm.client,
            hostile.rotate: rhythm.hostile,
            self._mesh.restart_api_server: rhythm.outage,
            partial(self._sample, hostile): rhythm.sample,
        }
        begin = time.monotonic()
        due = {action: begin + every / 2 for action, every in actions.items()}
        while (now := time.monotonic()) < begin + seconds:
            for action, every in actions.items():
                if due[action] <= now:
                    action()
                    due[action] = time.monotonic() + every
            time.sleep(_STEP_SECONDS)
        try:
            self.beside.append(latency(self._address, self._mesh))
        except (TimeoutError, StreamEndedError) as error:
            lines = "\n".join(line[:_SHOWN_CHARACTERS] for line in self._plane.process.errors[-_SHOWN_LINES:])
            self.failures.append(f"an honest client beside {', '.join(hostile.kinds)}: {error}\n{lines}")
            self.beside.append(Latency(math.inf, math.inf))

    def _sample(self, hostile: Hostile) -> None:
        try:
            sizes = Sizes.take(self._plane, self._pid)
        except httpx.TimeoutException:
            self.failures.append(f"the admin server did not answer beside {', '.join(hostile.kinds)}")
            return
        self.most = sizes if self.most is None else self.most.most(sizes)
        # What the server logs is kept by the driver, which shall not run out of memory in its place.
        del self._plane.process.errors[:-_KEPT_LINES]


def soak(minutes: float, services: int, clients: int, abusers: int, seed: int) -> report.Result:
    """One run; `failures` of the result are what has grown by more than it may, and what went wrong."""
    with tempfile.TemporaryDirectory(prefix="steerway-soak-") as folder, Processes() as processes:
        api = ApiServer(Path(folder) / "kubeconfig")
        try:
            mesh = Mesh(api, services, seed)
            address = f"unix:{folder}/xds"
            options = ("--kubernetes", "--kubeconfig", str(api.kubeconfig), "--namespace", "all")
            plane = ControlPlane(processes, (*options, "--listen", address))
            until(plane.ready, "the control plane is ready")
            run = Soak(plane, address, mesh, clients, abusers, seed)
            run.run(minutes * 60 * _WARM_SHARE)
            before = run.quiet()
            run.run(minutes * 60 * (1 - _WARM_SHARE))
            after = run.quiet()
            until(lambda: not plane.problems(), "no problem is left")
        finally:
            api.close()
    assert run.most is not None
    title = f"Soak: {minutes:g} minutes, {services} services, {clients} honest clients, {abusers} abusers"
    failures = [
        f"{limit.title} has grown beyond {limit}: {limit.value(before) / limit.unit:,.1f} before,"
        f" {limit.value(after) / limit.unit:,.1f} after"
        for limit in LIMITS
        if limit.exceeded(before, after)
    ]
    return report.Result(
        None,
        facts(),
        [table(title, before, run.most, run.beside[-1], after)],
        [before, run.beside[-1], after],
        [*run.failures, *failures],
        mark="soak",
    )


@click.command(help=__doc__)
@click.option("--minutes", default=30.0, show_default=True, help="How long, the first fifth to warm up.")
@click.option("--services", default=100, show_default=True, help="Services whose endpoints change.")
@click.option("--clients", default=20, show_default=True, help="Honest clients at a time.")
@click.option("--abusers", default=3, show_default=True, help="Abusers at a time.")
@click.option(
    "--seed", default=7, show_default=True, help="Of what changes, and of the order of the abusers."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the result there, too.")
def main(
    minutes: float, services: int, clients: int, abusers: int, seed: int, json_file: Path | None
) -> None:
    result = soak(minutes, services, clients, abusers, seed)
    report.print_tables(result, Console())
    if json_file is not None:
        report.write_json(result, json_file)
    sys.exit(bool(result.failures))


if __name__ == "__main__":
    main()
