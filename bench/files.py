"""What a change of a large manifest file costs: `python -m bench.files`. It needs nothing but Python.

A whole control plane follows one file of thousands of Services, each with an EndpointSlice, in this process. Then one
Service is appended, one is put before all others, one is changed, and all are. Beside each change stands what it cost
before files were parsed by document: to read the whole file, as at the start.

*Stall*: the longest time for which the event loop ran nothing else, in CPU time of the process, so that other load on
the machine does not count. Under it are probes, the answers to clients and every other change.
"""

import asyncio
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from steerway import app, config
from steerway.log import setup
from steerway.sources.store import Changes

_TICK_SECONDS = 0.005
_AFTERWARDS_SECONDS = 0.5
"""How long nothing must wait for its commit until a change counts as done."""
_PATIENCE_SECONDS = 60.0
_DOCUMENTS = """\
---
apiVersion: v1
kind: Service
metadata:
  name: service-{number}
  namespace: shop-{space}
  labels:
    app.kubernetes.io/name: service-{number}
    app.kubernetes.io/part-of: shop
spec:
  clusterIP: None
  selector:
    app.kubernetes.io/name: service-{number}
  ports:
  - name: grpc
    port: {port}
    protocol: TCP
    appProtocol: kubernetes.io/h2c
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: service-{number}-x7k2p
  namespace: shop-{space}
  labels:
    kubernetes.io/service-name: service-{number}
addressType: IPv4
ports:
- name: grpc
  port: 50051
  protocol: TCP
endpoints:
- addresses: [10.{high}.{low}.1]
  conditions: {{ready: true, serving: true, terminating: false}}
  zone: eu-1a
- addresses: [10.{high}.{low}.2]
  conditions: {{ready: true, serving: true, terminating: false}}
  zone: eu-1b
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time of the process, from before a change until its commit, and the longest stall, in seconds."""

    change: str
    cpu_seconds: float
    stall_seconds: float


class Stall:
    """The longest stall since the last `take`."""

    def __init__(self) -> None:
        self._longest = 0.0

    async def watch(self) -> None:
        while True:
            before = time.process_time()
            await asyncio.sleep(_TICK_SECONDS)
            # Other threads may have worked while this task slept.
            self._longest = max(self._longest, time.process_time() - before - _TICK_SECONDS)

    def take(self) -> float:
        longest, self._longest = self._longest, 0.0
        return longest


def documents(number: int, port: int = 50051) -> str:
    """The manifests of one Service."""
    high, low = divmod(number, 256)
    return _DOCUMENTS.format(number=number, space=number % 10, port=port, high=high % 256, low=low)


async def measure(count: int, rounds: int, folder: Path) -> list[Cost]:
    """The start first, then each change, as often as there are rounds."""
    path = folder / "services.yaml"
    path.write_text("".join(map(documents, range(count))))
    settings = config.load(
        None, {}, {"files": (str(path),), "listen": ("127.0.0.1:0",), "admin": "127.0.0.1:0"}
    )
    stall = Stall()
    plane = app.ControlPlane(settings)
    watch = asyncio.create_task(stall.watch())
    changed = asyncio.Event()
    plane._local.store.listen(lambda changes: _note(changes, changed))
    cpu = time.process_time()
    serving = asyncio.create_task(plane.serve(lambda _: None))
    while plane._phase == "starting":  # noqa: ASYNC110 - the phase has no event
        await asyncio.sleep(0.01)
    await asyncio.sleep(_AFTERWARDS_SECONDS)
    costs = [Cost("start", time.process_time() - cpu, stall.take())]
    for number in range(rounds + 1):
        for change, edited in (_edits(number) if number < rounds else _EDITS_OF_ALL).items():
            (aside := path.with_suffix(".new")).write_text(edited(path.read_text()))
            changed.clear()
            stall.take()
            cpu = time.process_time()
            aside.rename(path)
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await changed.wait()
                await asyncio.sleep(_AFTERWARDS_SECONDS)
                # The phases of a commit have no event.
                while plane._local.store.partial or plane._local.debouncer._window.due is not None:  # noqa: ASYNC110
                    await asyncio.sleep(_AFTERWARDS_SECONDS)
            costs.append(Cost(change, time.process_time() - cpu, stall.take()))
    watch.cancel()
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    await serving
    return costs


def _edits(number: int) -> dict[str, Callable[[str], str]]:
    """Edits of a file, each of which is about Services that no other edit is about."""
    return {
        "one appended": lambda text: text + documents(1_000_000 + number),
        "one before all": lambda text: documents(2_000_000 + number) + text,
        "one changed": lambda text: text.replace(documents(number), documents(number, 50052)),
    }


_EDITS_OF_ALL: dict[str, Callable[[str], str]] = {
    "all changed": lambda text: re.sub(r"  port: 500\d\d", "  port: 50060", text)
}


def _note(changes: Changes, changed: asyncio.Event) -> None:
    if changes:
        changed.set()


@click.command()
@click.option("--services", default=11_000, show_default=True, help="Services in the file")
@click.option("--rounds", default=3, show_default=True, help="How often each change is made")
def main(services: int, rounds: int) -> None:
    """Measure, and print the table."""
    setup.configure("console", "error")
    with tempfile.TemporaryDirectory() as folder:
        costs = asyncio.run(measure(services, rounds, Path(folder)))
        size = (Path(folder) / "services.yaml").stat().st_size
    start = costs[0]
    table = Table(title=f"One file of {size / 1e6:.1f} MB with {services} Services")
    for column in ("change", "CPU", "to reading all", "longest stall"):
        table.add_column(column, justify="left" if column == "change" else "right")
    for change in dict.fromkeys(cost.change for cost in costs):
        own = sorted((cost for cost in costs if cost.change == change), key=lambda cost: cost.cpu_seconds)
        cost = own[len(own) // 2]
        stall = max(cost.stall_seconds for cost in own)
        ratio = cost.cpu_seconds / start.cpu_seconds
        table.add_row(change, f"{cost.cpu_seconds:.3f} s", f"{ratio:.3f}", f"{stall * 1e3:.0f} ms")
    Console().print(table)


if __name__ == "__main__":
    main()
