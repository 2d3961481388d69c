"""A pod: one backend process and its way from starting to gone, as a kubelet would lead it."""

import asyncio
import socket
import sys
import time
from collections.abc import Sequence

import grpc
import grpc.aio

from demo.child import Child, Children, DemoError
from demo.cluster import Cluster, State
from demo.echo import HEALTH_CHECK, SERVING
from demo.plan import Plan

_READY_TIMEOUT_SECONDS = 20.0
_PROBE_OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    (
        "grpc.initial_reconnect_backoff_ms",
        100,
    ),  # else the port, closed at first, is tried again only after 1 s
    ("grpc.max_reconnect_backoff_ms", 100),
]


class Pod:
    """One backend at an address of its own."""

    def __init__(self, name: str, address: str, port: int) -> None:
        self.name = name
        self.address = address
        self._port = port
        self._child: Child | None = None

    async def start(self, children: Children, cluster: Cluster, plan: Plan, startup_seconds: float) -> None:
        """Start the process, wait until its health check answers SERVING, publish it as ready."""
        cluster.set(self.name, self.address, State.STARTING)
        open_at = time.monotonic() + startup_seconds
        arguments = (self.address, self._port, open_at, plan.grace_seconds)
        command = [sys.executable, "-m", "demo.echo", *(str(argument) for argument in arguments)]
        self._child = await children.start(self.name, command)
        await self._wait_until_serving(startup_seconds + _READY_TIMEOUT_SECONDS)
        cluster.set(self.name, self.address, State.READY)

    async def terminate(self, cluster: Cluster, plan: Plan) -> None:
        """Publish it as terminating, sleep as its preStop hook, SIGTERM, wait for its end, take it away."""
        assert self._child is not None
        cluster.set(self.name, self.address, State.TERMINATING)
        await asyncio.sleep(plan.pre_stop_seconds)
        cluster.set(self.name, self.address, State.DRAINING)
        await self._child.end(plan.grace_seconds + 2)
        cluster.set(self.name, self.address, State.GONE)

    async def _wait_until_serving(self, timeout_seconds: float) -> None:
        assert self._child is not None
        target = f"{self.address}:{self._port}"
        async with grpc.aio.insecure_channel(target, options=_PROBE_OPTIONS) as channel:
            check = channel.unary_unary(HEALTH_CHECK)
            try:
                answer = await check(b"", timeout=timeout_seconds, wait_for_ready=True)
            except grpc.aio.AioRpcError as error:
                raise DemoError(self._child.complaint(f"did not become ready: {error.details()}")) from error
        if answer != SERVING:
            raise DemoError(self._child.complaint(f"answered the health check with {answer!r}"))


CLUSTER_IP = "127.20.0.1"
"""The address of the Service, which no pod has."""


def addresses(generation: int, count: int) -> list[str]:
    """The loopback addresses of one generation of pods; two generations share none."""
    return [f"127.20.{generation}.{number}" for number in range(1, count + 1)]


def free_port(hosts: Sequence[str]) -> int:
    """A TCP port that is free on every one of `hosts` now; DemoError if none is found."""
    for _ in range(20):
        with socket.socket() as first:
            first.bind((hosts[0], 0))
            port: int = first.getsockname()[1]
            if all(_is_free(host, port) for host in hosts[1:]):
                return port
    raise DemoError(f"no TCP port is free on all of {hosts[0]} … {hosts[-1]}; are other demos running?")


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
