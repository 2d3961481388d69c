"""Calls lost while a Service is replaced in one step: `python -m bench.moves`. Needs Go.

A route moves from one Service to another, and the Service that it leaves is removed in the same change. steerway reads
it as one swap of a ConfigMap, or as events of an API server (a fake one, over real HTTP); go-control-plane's snapshot
cache gets the same resources as its next snapshot. Real clients call at a steady rate meanwhile, through each control
plane in turn. How long a move takes is from before the change until a call has reached the new Service.
"""

import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import yaml
from rich.console import Console

from bench import machine, report
from bench.build import BuildError, build_moves
from bench.table import Table
from testbed.api_server import ApiServer
from testbed.backend.backend import Backends
from testbed.client.grpc_client import Client, Library, Load
from testbed.config_map import swap
from testbed.manifest import NAMESPACE, PORT, Manifest, grpc_route, rule, service, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.process import Processes, installed

LIBRARIES: tuple[Library, ...] = ("grpcio", "grpc-go")
TARGET = f"xds:///front.{NAMESPACE}"
Move = Callable[[str], None]
Addresses = Mapping[str, str]
Contestant = Callable[[Processes, Addresses, Path], Iterator[tuple[str, Move]]]


@dataclass(frozen=True, slots=True)
class Loss:
    """`errors`: message of a failed call → how many calls failed with it."""

    contestant: str
    library: str
    moves: int
    calls: int
    lost: int
    p50_ms: float
    p99_ms: float
    errors: Mapping[str, int]


def steerway(processes: Processes, addresses: Addresses, folder: Path) -> Iterator[tuple[str, Move]]:
    """Serves a ConfigMap volume; yields the server's address and what moves the route."""
    volume = folder / "manifests"
    volume.mkdir()
    numbers = itertools.count()

    def move(name: str) -> None:
        swap(volume, next(numbers), all=yaml.safe_dump_all(_mesh(name, addresses[name])))

    move(next(iter(addresses)))
    plane = ControlPlane(processes, ["--files", str(volume)])
    yield plane.address, move
    plane.close()


def go_control_plane(processes: Processes, addresses: Addresses, _folder: Path) -> Iterator[tuple[str, Move]]:
    """The same over a snapshot cache."""
    flags = [part for name, address in addresses.items() for part in ("-backend", f"{name}={address}")]
    process = processes.start("go-control-plane", [str(build_moves()), *flags])

    def listening() -> str:
        return next((line.split()[1] for line in process.lines if line.startswith("listening ")), "")

    yield process.wait(listening, "its address"), lambda name: process.write(f"move {name}")


def steerway_on_api_server(
    processes: Processes, addresses: Addresses, folder: Path
) -> Iterator[tuple[str, Move]]:
    """Follows an API server: the new Service and its slice, the route, and the removal come as events."""
    api = ApiServer(folder / "kubeconfig")
    present: dict[str, list[Manifest]] = {}

    def move(name: str) -> None:
        made = _mesh(name, addresses[name])
        api.put(*made)
        for old in [manifest for manifest in present if manifest != name]:
            for manifest in present.pop(old):
                key = manifest["kind"], NAMESPACE, manifest["metadata"]["name"]
                api.act(lambda server, key=key: server.delete(*key))
        present[name] = [manifest for manifest in made if manifest["metadata"]["name"].startswith(name)]

    try:
        move(next(iter(addresses)))
        options = ["--kubernetes", "--kubeconfig", str(api.kubeconfig), "--namespace", "all"]
        plane = ControlPlane(processes, options)
        yield plane.address, move
        plane.close()
    finally:
        api.close()


CONTESTANTS: Mapping[str, Contestant] = {
    "steerway, files": steerway,
    "steerway, API server": steerway_on_api_server,
    "go-control-plane": go_control_plane,
}


def measure(contestant: str, library: Library, moves: int, rate: float) -> Loss:
    """Make so many moves, each once the one before is in use."""
    with tempfile.TemporaryDirectory(prefix="steerway-bench-") as folder, Processes() as processes:
        backends = Backends(processes)
        addresses = dict(zip(("v1", "v2"), backends.open(2), strict=True))
        serving = contextmanager(CONTESTANTS[contestant])
        with serving(processes, addresses, Path(folder)) as (server, move):
            bootstrap = Path(folder) / "bootstrap.json"
            command = [installed("steerway"), "bootstrap", "--server", server, "--namespace", NAMESPACE]
            bootstrap.write_text(_output(command))
            channel = Client(processes, library, bootstrap).dial(TARGET)
            with channel.load(rate) as load:
                load.settle(addresses["v1"])
                turns = itertools.islice(itertools.cycle(("v2", "v1")), moves)
                times = sorted(_move(load, move, name, addresses[name]) for name in turns)
            failed = Counter(answer.error for answer in load.failures)
            answers, p99 = len(load.answers), times[int(len(times) * 0.99)]
            p50 = statistics.median(times)
            return Loss(contestant, library, moves, answers, len(load.failures), p50, p99, failed)


def _move(load: Load, move: Move, name: str, address: str) -> float:
    """How long it took, in milliseconds."""
    began = time.monotonic()
    move(name)
    load.wait_for_backend(address)
    return (time.monotonic() - began) * 1e3


def _mesh(name: str, address: str) -> list[Manifest]:
    front = [service("front", {"grpc": PORT}), grpc_route("front", "front", rule(name))]
    return [*front, service(name, {"grpc": PORT}), *slices(name, [address], "grpc")]


def table(losses: Sequence[Loss]) -> Table:
    """One row per control plane and client."""
    columns = (
        "control plane, client",
        "moves",
        "calls",
        "lost",
        "lost per move",
        "p50 ms",
        "p99 ms",
        "most frequent error",
    )
    rows = [
        (
            f"{loss.contestant}, {loss.library}",
            f"{loss.moves}",
            f"{loss.calls:,}",
            f"{loss.lost:,}",
            f"{loss.lost / loss.moves:.2f}",
            f"{loss.p50_ms:.0f}",
            f"{loss.p99_ms:.0f}",
            max(loss.errors, key=lambda error: loss.errors[error], default="-")[:60],
        )
        for loss in losses
    ]
    return Table("Calls lost while a Service is replaced in one step", columns, rows)


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@click.command()
@click.option("--moves", type=click.IntRange(1, 1_000), default=40, show_default=True)
@click.option(
    "--rate", type=click.IntRange(10, 5_000), default=500, show_default=True, help="Calls per second."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write every figure here.")
def main(moves: int, rate: int, json_file: Path | None) -> None:
    """Calls lost while a Service is replaced, through steerway and through go-control-plane."""
    try:
        losses = [measure(name, library, moves, rate) for library in LIBRARIES for name in CONTESTANTS]
    except BuildError as error:
        raise click.ClickException(str(error)) from None
    result = report.Result(None, machine.facts(), [table(losses)], list(losses), [])
    report.print_tables(result, Console(width=None if sys.stdout.isatty() else 200))
    if json_file:
        report.write_json(result, json_file)


if __name__ == "__main__":
    main()
