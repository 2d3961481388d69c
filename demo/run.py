"""One run of the demo from the first process to the last, in the order in which things happen."""

import asyncio
import contextlib
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from demo import control_plane
from demo.child import Children
from demo.cluster import Cluster, Event
from demo.cluster_ip import ClusterIp
from demo.dns_server import DnsServer, HeadlessZone
from demo.fleet import Fleet, connect, start_fleet
from demo.manifests import Manifests
from demo.plan import DNS_TTL_SECONDS, NAMESPACE, SERVICE, Plan, service_host
from demo.pod import CLUSTER_IP, Pod, addresses, free_port
from demo.rollout import roll_out

_HEAD_START_SECONDS = 0.3
"""Between the start message to the fleets and their first request, so that all begin at the same moment."""

Watch = Callable[["Run"], Coroutine[None, None, None]]
"""Something that shows a run while it goes on, until it is cancelled."""


@dataclass(slots=True)
class Run:
    """What has happened so far; all times are monotonic."""

    plan: Plan
    phase: str = "starting"
    fleets: list[Fleet] = field(default_factory=list)
    cluster: Cluster | None = None
    zone: HeadlessZone = field(default_factory=lambda: HeadlessZone(service_host(), DNS_TTL_SECONDS))
    started_at: float | None = None
    """When the first request of every fleet was due."""
    rollout_from: float | None = None
    rollout_to: float | None = None
    """When the last old pod was gone; None if it never was."""

    def elapsed(self) -> float:
        """Seconds of the measured run so far, 0 before it."""
        return 0.0 if self.started_at is None else max(0.0, time.monotonic() - self.started_at)

    def events(self) -> list[Event]:
        """Everything that happened to pods so far."""
        return [] if self.cluster is None else list(self.cluster.events)


async def perform(run: Run, watch: Watch) -> None:
    """Start all parts, measure, end all parts; whatever happens, nothing is left behind.

    Raises DemoError when a part cannot start or ends before its time.
    """
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="steerway-demo-")))
        children = await stack.enter_async_context(Children(directory))
        stack.push_async_callback(_end, asyncio.create_task(watch(run)))
        try:
            await children.run_beside(_perform(run, children, directory, stack))
        except BaseExceptionGroup as group:
            raise _first(group) from group


async def perform_until_signal(run: Run, watch: Watch) -> signal.Signals | None:
    """`perform`, ended early and cleanly by SIGINT, SIGTERM or SIGHUP; returns the signal that did it."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(perform(run, watch))
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        if not received:  # a second one must not interrupt the cleaning up, which takes 3 s at most
            received.append(number)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
        return received[0]
    return None


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first single error in a group: what went wrong before it made others fail."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _perform(run: Run, children: Children, directory: Path, stack: AsyncExitStack) -> None:
    plan = run.plan
    control_plane.command()  # fail before anything is started
    old_hosts, new_hosts = addresses(1, plan.backends), addresses(2, plan.backends)
    port = free_port([CLUSTER_IP, *old_hosts, *new_hosts])
    old = [Pod(f"{SERVICE}-v1-{number}", host, port) for number, host in enumerate(old_hosts, 1)]
    new = [Pod(f"{SERVICE}-v2-{number}", host, port) for number, host in enumerate(new_hosts, 1)]
    watched = directory / "manifests"
    watched.mkdir()
    run.cluster = cluster = Cluster(run.zone, Manifests(watched, port))

    run.phase = f"starting {plan.backends} backends"
    await asyncio.gather(*(pod.start(children, cluster, plan, 0.0) for pod in old))
    run.phase = "starting steerway"
    server = await control_plane.serve(children, watched)
    dns = DnsServer(run.zone)
    dns_port = await dns.start()
    stack.callback(dns.close)
    cluster_ip = await ClusterIp.start(children, CLUSTER_IP, port)
    cluster.follow(cluster_ip.publish)
    run.phase = "connecting the fleets"
    run.fleets = await _start_fleets(children, plan, server, dns_port, port)
    await connect(run.fleets)
    await _measure(run, old, new, children, cluster)


async def _start_fleets(children: Children, plan: Plan, server: str, dns_port: int, port: int) -> list[Fleet]:
    bootstrap = await control_plane.bootstrap(server)
    # The DNS name of a Service with a ClusterIP has this one address as long as the Service exists.
    by_address = f"ipv4:{CLUSTER_IP}:{port}"
    by_dns = f"dns://127.0.0.1:{dns_port}/{service_host()}:{port}"
    by_xds = f"xds:///{SERVICE}.{NAMESPACE}:{port}"
    return [
        await start_fleet("clusterip", by_address, children, plan),
        # The system's own resolver, the alternative to ares, would not ask our server.
        await start_fleet("dns", by_dns, children, plan, GRPC_DNS_RESOLVER="ares"),
        await start_fleet("xds", by_xds, children, plan, GRPC_XDS_BOOTSTRAP_CONFIG=bootstrap),
    ]


async def _measure(run: Run, old: list[Pod], new: list[Pod], children: Children, cluster: Cluster) -> None:
    start = time.monotonic() + _HEAD_START_SECONDS
    run.started_at = start
    run.phase = "warm-up"
    async with asyncio.TaskGroup() as group:
        restart = group.create_task(_restart(run, start, old, new, children, cluster))
        await asyncio.gather(*(fleet.run(start) for fleet in run.fleets))
        restart.cancel()  # one that takes longer than the load is cut off, and reported as such


async def _restart(
    run: Run, start: float, old: list[Pod], new: list[Pod], children: Children, cluster: Cluster
) -> None:
    await asyncio.sleep(start + run.plan.warm_up_seconds - time.monotonic())
    run.phase = "rolling restart"
    run.rollout_from = time.monotonic()
    await roll_out(old, new, children, cluster, run.plan)
    run.rollout_to = time.monotonic()
    run.phase = "after the rollout"
