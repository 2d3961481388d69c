"""What a start costs, and what a replica needs: `python -m bench.start [NAME=PYTHON …]`. It needs nothing but Python.

Each PYTHON is the interpreter of an environment with steerway in it, so that versions are compared in one run; without
one, it is this environment. The control plane follows a fake API server with Services of 20 endpoints, as in a cluster.

*Help*: CPU time of `steerway --help`. *Listening*, *serving*: time from the start of `steerway serve` until it listens,
and until it has read all Services; beside each the CPU time until then, which other load on the machine changes less.
*RSS*: resident memory then, without clients. Smallest of the rounds. *Disk*: sizes of the files in the environment's
packages, without pip and setuptools.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.machine import facts
from bench.usage import cpu_seconds, rss_bytes
from steerway.testing.fake_api_server import FakeApiServer, Manifest

ENDPOINTS = 20
_PATIENCE_SECONDS = 120.0
_INSTALLERS = re.compile(r"(pip|setuptools|pkg_resources|_distutils_hack|wheel)\b")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds, and bytes."""

    help_cpu: float
    listening: float
    listening_cpu: float
    serving: float
    serving_cpu: float
    rss: float
    disk: float

    def least(self, other: "Cost") -> "Cost":
        return Cost(*(min(getattr(self, name.name), getattr(other, name.name)) for name in fields(Cost)))


def objects(services: int) -> Iterator[Manifest]:
    """Services, each with one EndpointSlice, as a cluster has them."""
    for number in range(services):
        name = {"name": f"service-{number}", "namespace": f"shop-{number % 10}"}
        port = {"name": "grpc", "port": 50051, "protocol": "TCP"}
        yield {"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": {"ports": [port]}}
        labels = {"kubernetes.io/service-name": name["name"]}
        yield {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**name, "labels": labels},
            "addressType": "IPv4",
            "ports": [port],
            "endpoints": [_endpoint(number * ENDPOINTS + index) for index in range(ENDPOINTS)],
        }


def _endpoint(number: int) -> Manifest:
    high, low = divmod(number, 250)
    return {
        "addresses": [f"10.{high // 250}.{high % 250}.{low + 1}"],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "zone": f"eu-1{'abc'[number % 3]}",
        "nodeName": f"node-{number % 100}",
        "targetRef": {"kind": "Pod", "name": f"pod-{number}"},
    }


async def measure(python: str, kubeconfig: Path, services: int) -> Cost:
    """One start with an API server that has so many Services."""
    command = [python, "-m", "steerway", "serve", "--kubernetes", "--namespace", "all"]
    command += ["--kubeconfig", str(kubeconfig), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    help_cpu = _program(python, "-m", "steerway", "--help")
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command,
        "--no-events",
        "--no-status",
        env=_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(_PATIENCE_SECONDS):
            line = await process.stdout.readline()
            assert line.startswith(b"listening"), (await process.stderr.read()).decode()
            listening, listening_cpu = time.monotonic() - began, cpu_seconds(process.pid)
            async for text in process.stderr:
                if f"services={services}".encode() in text:
                    break
        serving = time.monotonic() - began
        return Cost(
            help_cpu=help_cpu,
            listening=listening,
            listening_cpu=listening_cpu,
            serving=serving,
            serving_cpu=cpu_seconds(process.pid),
            rss=rss_bytes(process.pid),
            disk=_disk(python),
        )
    finally:
        process.terminate()
        await process.communicate()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _program(python: str, *arguments: str) -> float:
    before = os.times()
    subprocess.run([python, *arguments], check=True, stdout=subprocess.DEVNULL, env=_environment())
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _disk(python: str) -> int:
    """Bytes of the files in the packages of an environment, bytecode included."""
    program = "import sysconfig; print(sysconfig.get_path('purelib'))"
    folder = Path(subprocess.check_output([python, "-c", program], text=True).strip())
    kept = (path for path in folder.iterdir() if not _INSTALLERS.match(path.name))
    files = (file for path in kept for file in ([path] if path.is_file() else path.rglob("*")))
    return sum(file.stat().st_size for file in files if file.is_file())


async def compare(environments: dict[str, str], services: int, rounds: int) -> dict[str, Cost]:
    """The environments take turns, so that other load on the machine meets all of them."""
    costs: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with FakeApiServer() as server:
            for manifest in objects(services):
                server.put(manifest)
            kubeconfig = server.write_kubeconfig(Path(folder) / "kubeconfig")
            for _ in range(rounds):
                for name, python in environments.items():
                    cost = await measure(python, kubeconfig, services)
                    costs[name] = costs[name].least(cost) if name in costs else cost
    return costs


@click.command(help=__doc__)
@click.argument("environments", nargs=-1, metavar="[NAME=PYTHON]...")
@click.option("--services", default=1000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(environments: tuple[str, ...], services: int, rounds: int) -> None:
    named = dict(item.partition("=")[::2] for item in environments) or {"this": sys.executable}
    costs = asyncio.run(compare(named, services, rounds))
    machine = facts()
    table = Table(
        title=f"{services} Services of {ENDPOINTS} endpoints, {machine.cores} cores, {machine.date}"
    )
    for title in ("", "help, CPU", "listening", "CPU", "serving", "CPU", "RSS", "disk"):
        table.add_column(title, justify="right" if title else "left")
    for name, cost in costs.items():
        seconds = (cost.help_cpu, cost.listening, cost.listening_cpu, cost.serving, cost.serving_cpu)
        sizes = (f"{size / 1e6:.0f} MB" for size in (cost.rss, cost.disk))
        table.add_row(name, *(f"{value:.2f} s" for value in seconds), *sizes)
    Console(width=110).print(table)
    print(f"load average when it began: {machine.load_average:.1f}")


if __name__ == "__main__":
    main()
