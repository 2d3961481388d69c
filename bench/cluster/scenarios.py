"""What is measured on a real API server.

single: one endpoint of one service changes, and the next only when every client that holds it has it. The work for
which figures of other control planes are known. rollout: many services are restarted at once, endpoint by endpoint, at
a steady rate. events: how many changes of EndpointSlices a second go through. start: how long a new replica takes until
it serves.
"""

import itertools
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import fleet, mesh
from bench.build import Programs
from bench.cluster.product import Product, serve, serve_wongnai
from bench.cluster.world import World
from bench.fleet import Fleet
from bench.plan import WARM_UP_CHANGES, Change, Load
from bench.scenario.churn import stamped_address
from bench.scenario.trial import settled
from bench.server.contestant import Server
from testbed.api_server import ApiServer
from testbed.cluster.cluster import Cluster

_LATE_SECONDS = 1.0
_PATCHERS = 4
_BLOCK = 3
"""Services that a client holds."""
_LAST = "10.202.0.1"
_CHANGE_LATENCY = "steerway_change_latency_seconds"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of one scenario. `at_once`: services that are restarted together."""

    services: int
    endpoints: int
    clients: int = 0
    changes: int = 0
    rate: float = 0.0
    at_once: int = 0


@dataclass(frozen=True, slots=True)
class Single:
    """Times in ms after the API server answered the PATCH; a client may be faster than the answer."""

    contestant: str
    sizes: Sizes
    needed: int
    messages: int
    cpu_ms_per_change: float
    p50_ms: float
    p99_ms: float
    """Of the last client of each change."""
    pss_mb: float


@dataclass(frozen=True, slots=True)
class Rollout:
    """Ages count from just before the PATCH was sent: the API server's own time is in them."""

    sizes: Sizes
    seconds: float
    updates: int
    messages: int
    commits: int
    cpu_share: float
    cpu_ms_per_change: float
    p50_ms: float
    p99_ms: float
    mean_ms: dict[str, float]
    """By step of `steerway_change_latency_seconds`."""
    pss_mb: float


@dataclass(frozen=True, slots=True)
class Events:
    """`seconds` are from the first event until the last client has the last state."""

    sizes: Sizes
    events: int
    seconds: float
    updates: int
    commits: int
    cpu_us_per_event: float


@dataclass(frozen=True, slots=True)
class Start:
    """A replica on an API server that holds so much."""

    sizes: Sizes
    seconds: float
    cpu_seconds: float
    pss_mb: float


def single(cluster: Cluster, programs: Programs, sizes: Sizes, wongnai: Path | None = None) -> Single:
    """One change after the other: steerway, or with its program wongnai/xds."""
    with _served(cluster, programs, sizes, wongnai) as (world, product, clients):
        answered = 0

        def apply(change: Change) -> None:
            nonlocal answered
            for service in change.services:
                world.replace(service, change.endpoint, change.address)
            answered = time.monotonic_ns()

        middle, last, needed = [], [], 0
        for number in range(1, WARM_UP_CHANGES + sizes.changes + 1):
            if number == WARM_UP_CHANGES + 1:
                before, sent = settled(product.pid), product.responses()
            service = number * _BLOCK % (sizes.services // _BLOCK * _BLOCK)
            change = Change(
                number, f"10.200.{number >> 8}.{number & 255}", number % sizes.endpoints, (service,)
            )
            began = time.monotonic_ns()
            outcome = clients.follow(change, apply)
            if number > WARM_UP_CHANGES:
                late = (answered - began) / 1e6
                middle.append(outcome.p50_ms - late)
                last.append(outcome.last_ms - late)
                needed += outcome.updates
        after = settled(product.pid)
        messages = product.responses() - sent
    return Single(
        contestant="wongnai/xds" if wongnai else "steerway",
        sizes=sizes,
        needed=needed,
        messages=round(messages),
        cpu_ms_per_change=(after.cpu - before.cpu) / sizes.changes * 1e3,
        p50_ms=statistics.median(middle),
        p99_ms=_quantile(last, 0.99),
        pss_mb=after.pss / 1e3,
    )


def rollout(cluster: Cluster, programs: Programs, sizes: Sizes) -> Rollout:
    """Restart `at_once` services together, then the next ones, at so many changes per second."""
    with _served(cluster, programs, sizes) as (world, product, clients):
        clients.watch()
        before, counted = settled(product.pid), product.metrics()
        seconds = _restart(world, sizes)
        time.sleep(_LATE_SECONDS)
        ages = clients.ages()
        counts, after = product.metrics(), settled(product.pid)

    def grown(name: str, step: str = "") -> float:
        return counts[name, step] - counted.get((name, step), 0.0)

    steps = [step for name, step in counts if name == f"{_CHANGE_LATENCY}_count"]
    cpu = after.cpu - before.cpu
    return Rollout(
        sizes=sizes,
        seconds=seconds,
        updates=ages.updates,
        messages=round(grown("steerway_responses_total")),
        commits=round(grown("steerway_commits_total")),
        cpu_share=cpu / (seconds + _LATE_SECONDS),
        cpu_ms_per_change=cpu / sizes.changes * 1e3,
        p50_ms=ages.p50_ms,
        p99_ms=ages.p99_ms,
        mean_ms={
            step: grown(f"{_CHANGE_LATENCY}_sum", step)
            / max(1.0, grown(f"{_CHANGE_LATENCY}_count", step))
            * 1e3
            for step in steps
        },
        pss_mb=after.pss / 1e3,
    )


def events(programs: Programs, sizes: Sizes) -> Events:
    """Changes of EndpointSlices as fast as steerway takes them. The API server is a fake one: no real one sends so fast
    on the cores that are left."""
    with tempfile.TemporaryDirectory(prefix="steerway-bench-") as folder:
        api = ApiServer(Path(folder) / "kubeconfig")
        try:
            for service in range(sizes.services):
                manifests = mesh.service_manifest(service), _slice_after(service, "", sizes.endpoints)
                api.put(*map(json.loads, manifests))
            lines = list(_watch_lines(sizes))
            load = Load(sizes.clients, sizes.services, sizes.endpoints, "spread")
            with serve(api.kubeconfig) as product:
                server = Server(product.pid, product.address, lambda _: None)
                with fleet.connect(server, load, programs) as clients:
                    before, counted = settled(product.pid), product.metrics()
                    last = Change(1, _LAST, 0, tuple(range(sizes.services)))

                    def flood(_change: Change) -> None:
                        api.act(
                            lambda server: [server.send(line, "EndpointSlice") for line in lines] and None
                        )

                    outcome = clients.follow(last, flood)
                    after, counts = settled(product.pid), product.metrics()
        finally:
            api.close()
    commits = counts["steerway_commits_total", ""] - counted["steerway_commits_total", ""]
    cpu = (after.cpu - before.cpu) / len(lines) * 1e6
    return Events(sizes, len(lines), outcome.last_ms / 1e3, outcome.updates, round(commits), cpu)


def _watch_lines(sizes: Sizes) -> Iterator[bytes]:
    """Each service changes again and again, to `_LAST` in the end."""
    rounds = sizes.changes // sizes.services
    for number in range(1, rounds + 1):
        address = _LAST if number == rounds else f"10.201.{number >> 8}.{number & 255}"
        for service in range(sizes.services):
            changed = json.loads(_slice_after(service, address, sizes.endpoints))
            changed["metadata"]["resourceVersion"] = str(1_000_000 + number * sizes.services + service)
            yield json.dumps({"type": "MODIFIED", "object": changed}).encode() + b"\n"


def _slice_after(service: int, address: str, endpoints: int) -> str:
    """The EndpointSlice with another first address ("": its first)."""
    addresses = mesh.first_addresses(service, endpoints)
    return mesh.slice_manifest(service, [address or addresses[0], *addresses[1:]])


def start(cluster: Cluster, sizes: Sizes) -> Iterator[Start]:
    """Services are added until there are as many as asked for, and each time a replica starts: at a tenth, a third and
    all of them."""
    world = _world(cluster)
    there = 0
    for services in (sizes.services // 10, sizes.services // 3, sizes.services):
        world.fill(range(there, services), sizes.endpoints)
        there = services
        with serve(cluster.commands.kubeconfig) as product:
            reading = settled(product.pid)
            yield Start(
                Sizes(services, sizes.endpoints), product.ready_seconds, reading.cpu, reading.pss / 1e3
            )


def _restart(world: World, sizes: Sizes) -> float:
    """Returns how many seconds it took."""
    steps = (
        (service, endpoint)
        for first in range(0, sizes.services, sizes.at_once)
        for endpoint in range(sizes.endpoints)
        for service in range(first, min(first + sizes.at_once, sizes.services))
    )
    planned = list(enumerate(itertools.islice(steps, sizes.changes)))
    began = time.monotonic()

    def patch(share: list[tuple[int, tuple[int, int]]]) -> None:
        for number, (service, endpoint) in share:
            time.sleep(max(0.0, began + number / sizes.rate - time.monotonic()))
            world.replace(service, endpoint, stamped_address(time.monotonic_ns()))

    # One thread for each service at a time: its changes must stay in order.
    shares = [
        [step for step in planned if step[1][0] % _PATCHERS == locality] for locality in range(_PATCHERS)
    ]
    threads = [threading.Thread(target=patch, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - began


@contextmanager
def _served(
    cluster: Cluster, programs: Programs, sizes: Sizes, wongnai: Path | None = None
) -> Iterator[tuple[World, Product, Fleet]]:
    """Services in the API server, a control plane on it, and clients that hold three services each."""
    world = _world(cluster, legacy=wongnai is not None)
    world.fill(range(sizes.services), sizes.endpoints)
    kubeconfig = cluster.commands.kubeconfig
    serving = (
        serve(kubeconfig)
        if wongnai is None
        else serve_wongnai(wongnai, kubeconfig, lambda: world.replace(0, 0, "10.250.0.1"))
    )
    with serving as product:
        load = Load(sizes.clients, sizes.services, sizes.endpoints, "spread", names=product.names)
        server = Server(product.pid, product.address, lambda _: None)
        with fleet.connect(server, load, programs) as clients:
            yield world, product, clients


def _world(cluster: Cluster, legacy: bool = False) -> World:
    world = World(cluster.commands.server, cluster.commands.certificate, cluster.token, legacy)
    world.create_namespace()
    return world


def _quantile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]
