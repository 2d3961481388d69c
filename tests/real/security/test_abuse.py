"""`steerway serve` beside clients that abuse it: a good client is served, and memory stays within bounds."""

import itertools
import statistics
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

from steerway.testing.ads_client import AdsClient, DeltaStream
from steerway.translate.xds.type_url import ENDPOINT
from testbed.client.abuse_program import KINDS
from testbed.manifest import Files
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Process, Processes
from tests.real.conftest import Steer

HOT = "hot"
ROUNDS = 5
MEGABYTES = {"halves": 600, "large_nodes": 80}
"""What the serving process may grow by, if not 150: unfinished requests may have 256 MiB, in buffers that double; of
250 MB of Nodes next to nothing is kept."""
LIMIT_OF = {
    "halves": ("refused", "request_buffers"),
    "requests": ("delayed", "requests_per_second"),
    "names": ("refused", "subscription"),
    "new_names": ("delayed", "requests_per_second"),
    "absent": ("refused", "subscription_bytes_per_peer"),
    "long_names": ("refused", "subscription"),
    "resets": ("refused", "control_frames"),
    "pings": ("refused", "control_frames"),
}
"""Limits that are met by kinds of abuse. The others break HTTP/2 or are merely pointless."""
MAX_LOG = 100_000
"""Characters that the server may log meanwhile."""
ASKED = 200
TRIES = 6


class Endpoints:
    """A raw assignment on disk that changes all the time."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._change)
        self.write(1)

    def write(self, port: int) -> None:
        """Give it one endpoint."""
        address = {"socket_address": {"address": "10.0.0.1", "port_value": port}}
        self._files.write(
            "hot.yaml",
            {
                "@type": ENDPOINT,
                "cluster_name": HOT,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}] * 50}],
            },
        )

    def __enter__(self) -> "Endpoints":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _change(self) -> None:
        for port in itertools.cycle(range(2, 60_000)):
            if self._ended.wait(0.05):
                return
            self.write(port)


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Every process of the test, the server as it is installed: its memory is measured."""
    with Processes() as started:
        yield started


@pytest.fixture
def changing(files: Files) -> Iterator[Endpoints]:
    """The assignment, changing."""
    with Endpoints(files) as endpoints:
        yield endpoints


@pytest.fixture
def plane(changing: Endpoints, steer: Steer) -> ControlPlane:
    """A server of it."""
    del changing
    return steer("--unsubscribe-grace-seconds", "0.5", "--max-subscription-bytes-per-peer", "20000000")


@pytest.fixture
def good(plane: ControlPlane) -> Iterator[DeltaStream]:
    """A client that is served."""
    with AdsClient(plane.address) as client:
        stream = client.delta()
        stream.request(ENDPOINT, HOT)
        read(stream)
        yield stream


def read(stream: DeltaStream) -> int:
    """The port of the next assignment."""
    response = stream.read()
    stream.ack(response)
    assignment = ClusterLoadAssignment.FromString(response.resources[0].resource.value)
    return assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value


def abuse(processes: Processes, plane: ControlPlane, kind: str) -> Process:
    """Start a kind of abuse."""
    command = [sys.executable, "-m", "testbed.client.abuse_program", kind, plane.address, HOT]
    return processes.start(kind, command)


def wait_for_rounds(process: Process, count: int) -> None:
    """Wait until it has done so much more."""
    end = len(process.lines) + count
    process.wait(lambda: len(process.lines) >= end, f"{count} more rounds")


def resident(plane: ControlPlane) -> float:
    """Megabytes of memory that the server has now."""
    return plane.metric("process_resident_memory_bytes") / 1e6


def latency(plane: ControlPlane) -> float:
    """Median seconds from a request to its answer, of a client of its own.

    Delta sends what is asked for once more.
    """
    with AdsClient(plane.address) as client:
        stream = client.delta()
        seconds = []
        for _ in range(ASKED):
            begin = time.perf_counter()
            stream.request(ENDPOINT, HOT)
            response = stream.read()
            seconds.append(time.perf_counter() - begin)
            stream.ack(response)
        return statistics.median(seconds)


def test_clients_that_never_read_cost_the_others_nothing(
    processes: Processes, plane: ControlPlane, good: DeltaStream
) -> None:
    """200 of them beside one good client, which is answered within twice the time that it takes alone.

    The machine may be busy with other things: what counts is the best of some tries, alone and beside them.
    """
    alone = min(latency(plane) for _ in range(TRIES))
    memory = resident(plane)
    process = abuse(processes, plane, "never_read")
    wait_for_rounds(process, 1)
    until(lambda: plane.metric("steerway_streams") > 200, "all have subscribed")
    beside = min(latency(plane) for _ in range(TRIES))
    assert len({read(good) for _ in range(20)}) > 1
    assert beside < 2 * alone
    assert resident(plane) - memory < 150


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "never_read"])
def test_abuse_harms_its_client_only(
    processes: Processes, plane: ControlPlane, good: DeltaStream, kind: str
) -> None:
    """The good client follows the changes, a new one is served, memory is bounded, and all is given back."""
    memory = resident(plane)
    process = abuse(processes, plane, kind)
    most = 0.0
    for _ in range(ROUNDS):
        wait_for_rounds(process, 1)
        read(good)
        most = max(most, resident(plane))
    latency(plane)
    if kind in LIMIT_OF:
        effect, limit = LIMIT_OF[kind]
        until(lambda: plane.metric(f"steerway_{effect}_total", limit=limit), f"{limit} is met")
        plane.process.wait(
            lambda: any(
                "limit_reached" in line and f"limit={limit}" in line for line in plane.process.errors
            ),
            "a log line about it",
        )
    assert max(most, resident(plane)) - memory < MEGABYTES.get(kind, 150)
    process.end()
    until(lambda: plane.metric("steerway_connections") == 1, "the abusers' connections are gone")
    until(lambda: plane.metric("steerway_streams") == 1, "their streams are gone")
    assert len({read(good) for _ in range(20)}) > 1
    until(lambda: resident(plane) - memory < 150, lambda: f"memory is given back: {resident(plane)} MB")
    assert plane.metric("steerway_panics_total") == 0
    assert sum(map(len, plane.process.errors)) < MAX_LOG
    assert plane.process.running
