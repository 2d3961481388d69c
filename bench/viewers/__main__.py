"""What viewers of the admin server cost: `python -m bench.viewers`. It needs nothing but Python.

A control plane in this process serves Services, of which some change all the time. A child process has clients that
subscribe to them, and then also viewers of `/api/v1/events` with all topics. The cost of the viewers is the difference
of the CPU time of this process with and without them.

*Stall*: the longest time for which the event loop ran nothing else, in CPU time of the process. It includes that of
other threads, and so is an upper bound.
"""

import asyncio
import contextlib
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

import click
import grpc
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from rich.console import Console
from rich.table import Table

from bench.files import Stall
from steerway import app, config, telemetry
from steerway.log import setup
from steerway.sources.store import Batch
from steerway.translate.xds import type_url
from testbed.mesh import endpoint, endpoint_slice, service

_STREAMS_PER_CONNECTION = 100
_STREAMS_OF_A_WORKLOAD = 10
_WARM_UP_SECONDS = 3.0
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one interval: cores in use, the longest stall in seconds, and changes that were made."""

    cores: float
    stall_seconds: float
    changes: int


class Plane:
    """A control plane in this process with Services whose endpoints change."""

    def __init__(self, services: int, folder: str) -> None:
        values = {"files": (folder,), "listen": ("127.0.0.1:0",), "admin": "127.0.0.1:0"}
        self._plane = app.ControlPlane(config.load(None, {}, values))
        self._services = services
        self._number = 0
        self.addresses: list[str] = []
        self.stall = Stall()

    async def start(self) -> None:
        self._watch = asyncio.create_task(self.stall.watch())
        self._serving = asyncio.create_task(self._plane.serve(self.addresses.append))
        await self._until(lambda: self._plane._phase == "serving")
        for number in range(self._services):
            name = f"service-{number}"
            self._apply(
                service(50051, name=name), endpoint_slice(endpoint("10.0.0.1"), name=name, service=name)
            )
        await asyncio.sleep(_WARM_UP_SECONDS)

    async def stop(self) -> None:
        self._watch.cancel()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        await self._serving

    async def streams(self, count: int) -> None:
        """Wait for so many."""
        await self._until(lambda: len(self._plane._engine.states()[1]) >= count)

    async def viewers(self, count: int) -> None:
        """Wait for so many connections of the admin server."""
        connections = telemetry.HTTP_CONNECTIONS.labels("admin")._value
        await self._until(lambda: connections.get() >= count)

    async def measure(self, seconds: float, rate: float) -> Cost:
        """Change endpoints of one Service after the other, `rate` times a second."""
        self.stall.take()
        begin, cpu, changes = time.monotonic(), time.process_time(), 0
        while (elapsed := time.monotonic() - begin) < seconds:
            while changes < elapsed * rate:
                self._change()
                changes += 1
            await asyncio.sleep(1 / rate)
        used = time.process_time() - cpu
        return Cost(used / (time.monotonic() - begin), self.stall.take(), changes)

    def _change(self) -> None:
        self._number += 1
        round_, number = divmod(self._number, self._services)
        pods = (endpoint("10.0.0.1"), endpoint(f"10.0.1.{round_ % 250 + 1}"))
        name = f"service-{number}"
        self._apply(endpoint_slice(*pods, name=name, service=name))

    def _apply(self, *objects: object) -> None:
        self._plane._local.store.apply("files", Batch(put=objects))  # type: ignore[arg-type]

    async def _until(self, condition) -> None:  # type: ignore[no-untyped-def]
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not condition():  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.05)


async def subscribe(address: str, streams: int, services: int) -> None:
    """Streams that subscribe to the endpoints of a Service each, and acknowledge; without end."""
    # Channels to one address share their connection otherwise.
    own = [("grpc.use_local_subchannel_pool", 1)]
    count = math.ceil(streams / _STREAMS_PER_CONNECTION)
    channels = [grpc.aio.insecure_channel(address, own) for _ in range(count)]
    async with asyncio.TaskGroup() as tasks:
        for number in range(streams):
            tasks.create_task(_stream(channels[number % len(channels)], number, services))


async def _stream(channel: grpc.aio.Channel, number: int, services: int) -> None:
    workload, pod = divmod(number, _STREAMS_OF_A_WORKLOAD)
    node = base_pb2.Node(id=f"workload{workload}-{pod}", user_agent_name="gRPC Go")
    name = f"service-{workload % services}.shop.svc.cluster.local:50051"
    request = discovery_pb2.DiscoveryRequest(node=node, type_url=type_url.ENDPOINT, resource_names=[name])
    stream = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel).StreamAggregatedResources()
    await stream.write(request)
    while (response := await stream.read()) is not grpc.aio.EOF:
        request.version_info, request.response_nonce = response.version_info, response.nonce
        await stream.write(request)


async def view(admin: str) -> None:
    """One viewer, without end."""
    host, port = admin.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /api/v1/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    while await reader.read(1 << 16):
        pass


async def _run_child(kind: str, address: str, count: int, services: int) -> None:
    if kind == "streams":
        await subscribe(address, count, services)
    else:
        await asyncio.gather(*(view(address) for _ in range(count)))


async def compare(streams: int, services: int, viewers: int, seconds: float, rate: float) -> Sequence[Cost]:
    """Without viewers, then with them."""
    with tempfile.TemporaryDirectory() as folder:
        plane = Plane(services, folder)
        await plane.start()
        address = plane.addresses[0].removeprefix("listening on ")
        admin = plane.addresses[1].removeprefix("admin on http://")
        children = [await _child("streams", address, streams, services)]
        try:
            await plane.streams(streams)
            await plane.measure(_WARM_UP_SECONDS, rate)
            costs = [await plane.measure(seconds, rate)]
            children.append(await _child("viewers", admin, viewers, services))
            await plane.viewers(viewers)
            await plane.measure(_WARM_UP_SECONDS, rate)
            costs.append(await plane.measure(seconds, rate))
        finally:
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
            await plane.stop()
    return costs


async def _child(kind: str, address: str, count: int, services: int) -> asyncio.subprocess.Process:
    arguments = ("--child", kind, "--address", address, "--count", str(count), "--services", str(services))
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.viewers", *arguments)


@click.command()
@click.option("--streams", default=2000, show_default=True, help="Client streams")
@click.option("--services", default=500, show_default=True, help="Services")
@click.option("--viewers", default=20, show_default=True, help="Viewers of all topics")
@click.option("--seconds", default=20.0, show_default=True, help="Length of each interval")
@click.option("--rate", default=100.0, show_default=True, help="Changes per second")
@click.option("--child", hidden=True)
@click.option("--address", hidden=True)
@click.option("--count", default=0, hidden=True)
def main(
    streams: int,
    services: int,
    viewers: int,
    seconds: float,
    rate: float,
    child: str | None,
    address: str,
    count: int,
) -> None:
    """Measure, and print the table."""
    if child is not None:
        asyncio.run(_run_child(child, address, count, services))
        return
    setup.configure("console", "error")
    costs = asyncio.run(compare(streams, services, viewers, seconds, rate))
    table = Table(title=f"{services} Services, {streams} streams, {rate:g} changes/s")
    for column in ("viewers", "cores", "of one core for viewers", "longest stall", "changes"):
        table.add_column(column, justify="right")
    for number, cost in zip((0, viewers), costs, strict=True):
        more = f"{(cost.cores - costs[0].cores) * 100:.1f} %"
        stall = f"{cost.stall_seconds * 1e3:.0f} ms"
        table.add_row(str(number), f"{cost.cores:.3f}", more, stall, str(cost.changes))
    Console().print(table)


if __name__ == "__main__":
    main()
