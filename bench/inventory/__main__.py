"""`python -m bench.inventory`: how much CPU time pages of the API take, and how long the garbage collector stops the
process meanwhile.

Pages are requested from the routes without a socket, while services change. CPU time is that of the thread which
builds the page: it does not depend on what else the machine does.
"""

import argparse
import asyncio
import gc
import itertools
import statistics
import time
from collections.abc import Callable
from typing import TypeVar
from unittest.mock import Mock

import httpx
from starlette.applications import Starlette

from bench.inventory.world import World, objects_of, world
from steerway.admin.api.route import overview, service, workload
from steerway.admin.api.route.operation import Workers

PATHS = (
    "services",
    "services?limit=1000",
    "services?state=warning",
    "services?client=app-1*",
    "services?q=svc-99",
    "clients",
    "clients?service=ns-1/svc-1",
    "clients?by=node",
    "clients?by=node&limit=1000",
    "clients?by=node&client=app-19*&state=behind",
    "graph?namespace=ns-1",
)
_T = TypeVar("_T")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=40_000)
    parser.add_argument("--replicas", type=int, default=20, help="streams of a workload")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--changes", type=int, default=100, help="changes of services per second")
    options = parser.parse_args()
    made = world(options.services, options.streams, options.replicas)
    gc.collect()
    gc.freeze()  # as the control plane does after a bulk load
    view = Mock(inventory=made.inventory, replica="bench", problems=list)
    workers, pauses = _Measured(), _Pauses()
    modules = (overview, service, workload)
    operations = [operation for module in modules for operation in module.operations(view, workers)]
    transport = httpx.ASGITransport(app=Starlette(routes=[operation.route() for operation in operations]))
    async with httpx.AsyncClient(transport=transport, base_url="http://bench") as http:
        waits = asyncio.create_task(_longest_wait())
        begin = time.process_time()
        await made.inventory.prepare()  # as `Inventory.run` does, in the background
        spent = (time.process_time() - begin) * 1e3
        waits.cancel()
        print(f"preparation: {spent:.0f} ms of CPU time, longest turn of the event loop {await waits:.0f} ms")
        await _get(http, PATHS[0])
        print(f"first page: {workers.times[-1]:.1f} ms")
        change = asyncio.create_task(_change(made, options.services, options.changes))
        for path in PATHS:
            workers.times, pauses.times = [], [0.0]
            for _ in range(options.rounds):
                await _get(http, path)
                await asyncio.sleep(0.2)
            times = workers.times
            shown = f"p50 {statistics.median(times):6.1f}  p95 {_p95(times):6.1f}  max {max(times):6.1f} ms"
            print(f"{path:46} {shown}   collector max {max(pauses.times):5.1f} ms")
        change.cancel()


class _Measured(Workers):
    """Notes the CPU time of each response in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    async def run(self, build: Callable[[], _T]) -> _T:
        def measured() -> _T:
            begin = time.thread_time()
            built = build()
            self.times.append((time.thread_time() - begin) * 1e3)
            return built

        return await super().run(measured)


class _Pauses:
    """Milliseconds of CPU time of each run of the garbage collector."""

    def __init__(self) -> None:
        self.times: list[float] = [0.0]
        self._begin = 0.0
        gc.callbacks.append(self._take)

    def _take(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._begin = time.thread_time()
        else:
            self.times.append((time.thread_time() - self._begin) * 1e3)


async def _get(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(f"/api/v1/{path}")
    answer.raise_for_status()


async def _longest_wait() -> float:
    """Milliseconds between two turns of the event loop, until cancelled."""
    longest = 0.0
    try:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - begin)
    except asyncio.CancelledError:
        return longest * 1e3


async def _change(made: World, services: int, per_second: int) -> None:
    """Give services other addresses, one after the other."""
    for number in itertools.cycle(range(services)):
        changed = objects_of(number, f"11.0.{number >> 8 & 255}.{number & 255}")
        made.objects[changed.key] = changed
        made.table.change(made.catalog.update(made.objects.get, [changed.key]))
        await asyncio.sleep(1 / per_second)


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


if __name__ == "__main__":
    asyncio.run(main())
