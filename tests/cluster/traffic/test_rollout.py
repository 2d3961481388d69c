"""A Deployment is restarted under steady traffic of two gRPC libraries, whatever else breaks in the middle of it.

Everything is real but the kubelet: pods are processes on pod addresses. A pod that goes takes calls for three more
seconds, and then finishes those that it has.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from testbed.client.grpc_client import Answer, Load
from testbed.cluster.cluster import Cluster
from testbed.cluster.command import API_SERVER, NODES
from testbed.cluster.namespace import Namespace
from testbed.cluster.pod_program import THREADS
from testbed.cluster.workload import PORT, PRE_STOP_SECONDS, deployment
from testbed.manifest import service
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Steer

pytestmark = [*NEEDS_CLUSTER, pytest.mark.usefixtures("grpc_go")]

REPLICAS = 3
MIN_READY_SECONDS = 3
"""Keeps the restart slower than steerway and its clients are at finding each other again: a client that knows none of
the pods that are left has no backend."""
RESTART_SECONDS = 20
"""For how long a pod that goes takes calls where steerway restarts: longer than the restart and the back-off of
clients, which leave such a pod only when steerway is back."""
LIBRARIES = ("grpcio", "grpc-go")


@dataclass(frozen=True, slots=True)
class Traffic:
    """A call every 10 ms from a client of each library."""

    loads: dict[str, Load]

    def settle(self, *backends: str) -> None:
        for load in self.loads.values():
            load.settle(*backends)

    def go_on(self, count: int) -> None:
        for load in self.loads.values():
            load.go_on(count)

    def failures(self) -> dict[str, list[Answer]]:
        return {library: load.failures for library, load in self.loads.items()}


NOTHING: dict[str, list[Answer]] = {library: [] for library in LIBRARIES}


@pytest.fixture
def before(request: pytest.FixtureRequest, namespace: Namespace) -> dict[str, str]:
    """A Deployment with its Service; its pods before the restart, by name. The parameter is for how many seconds a pod
    that goes takes calls."""
    seconds = getattr(request, "param", PRE_STOP_SECONDS)
    ports, selector = {"grpc": PORT}, {"app": "backend"}
    backend = service("backend", ports, headless=True, namespace=namespace.name, selector=selector)
    namespace.api.apply(backend, deployment("backend", namespace.name, REPLICAS, MIN_READY_SECONDS, seconds))
    return namespace.wait_for_pods("backend", REPLICAS)


@contextmanager
def traffic(plane: ControlPlane, connect: Connect, namespace: Namespace) -> Iterator[Traffic]:
    channels = {library: connect(plane, library).dial(namespace.target()) for library in LIBRARIES}
    for channel in channels.values():
        channel.wait_for_answer()
    with contextlib.ExitStack() as running:
        yield Traffic({library: running.enter_context(value.load()) for library, value in channels.items()})


def begin(namespace: Namespace, before: dict[str, str]) -> None:
    """Restart the Deployment and return when the first of the old pods is about to go, and others are to follow."""
    namespace.api.restart("Deployment", namespace.name, "backend")
    until(lambda: before.keys() - namespace.pods("backend").keys(), "the end of the first old pod")


def finish(namespace: Namespace, before: dict[str, str]) -> list[str]:
    """Wait until only new pods are left; returns their addresses."""
    until(lambda: not namespace.pods("backend").keys() & before.keys(), "new pods only")
    return list(namespace.wait_for_pods("backend", REPLICAS).values())


@contextmanager
def api_server_killed(cluster: Cluster, before: dict[str, str]) -> Iterator[None]:
    """Kill the API server once the node knows which pod has to end; start it again, also for later tests."""
    kubelets = [cluster.parts[node] for node in NODES]
    pattern = rf'SyncLoop DELETE.*/({"|".join(before)})"'
    until(lambda: any(kubelet.wrote(pattern) for kubelet in kubelets), "the node knows the first old pod")
    cluster.kill_api_server()
    try:
        yield
    finally:
        cluster.start_api_server()
        cluster.start_controllers()


def test_no_call_fails(before: dict[str, str], namespace: Namespace, steer: Steer, connect: Connect) -> None:
    """All pods are others in the end."""
    with traffic(steer(), connect, namespace) as calls:
        calls.settle(*before.values())
        begin(namespace, before)
        calls.settle(*finish(namespace, before))
        calls.go_on(100)
    assert calls.failures() == NOTHING


@pytest.mark.parametrize("before", [RESTART_SECONDS], indirect=True)
def test_no_call_fails_when_steerway_is_killed_on_the_way(
    before: dict[str, str], namespace: Namespace, steer: Steer, connect: Connect
) -> None:
    """Clients keep what they know, leave pods that close, and get the new ones when it is back, which it must
    be before the last pod that they know is gone."""
    plane = steer()
    with traffic(plane, connect, namespace) as calls:
        calls.settle(*before.values())
        begin(namespace, before)
        plane.kill()
        plane.restart()
        calls.settle(*finish(namespace, before))
        calls.go_on(100)
    assert calls.failures() == NOTHING


def test_no_call_fails_when_the_api_server_is_killed_on_the_way(
    cluster: Cluster,
    before: dict[str, str],
    namespace: Namespace,
    steer: Steer,
    connect: Connect,
) -> None:
    """The restart stands still; clients call on, and it goes on when the API server is back.

    The first old pod ends in between, which its node can report only afterwards.
    """
    plane = steer()
    with traffic(plane, connect, namespace) as calls:
        calls.settle(*before.values())
        begin(namespace, before)
        with api_server_killed(cluster, before):
            plane.wait_for_problem(API_SERVER, "connection refused")
            calls.go_on(200)
            until(lambda: not all(map(_processes_of, before.values())), "the end of the first old process")
        calls.settle(*finish(namespace, before))
    assert calls.failures() == NOTHING


def test_of_a_pod_that_is_killed_only_the_calls_in_flight_fail(
    before: dict[str, str], namespace: Namespace, steer: Steer, connect: Connect
) -> None:
    """SIGKILL, without notice: clients notice the broken connection at once, long before Kubernetes reports the pod."""
    victim, *others = before.values()
    with traffic(steer(), connect, namespace) as calls:
        calls.settle(*before.values())
        for process in _processes_of(victim):
            os.killpg(process, signal.SIGKILL)
        calls.settle(*others)
        failed = calls.failures()
        calls.go_on(200)
        assert calls.failures() == failed, "none of those that began later"
    for library, failures in failed.items():
        assert len(failures) <= THREADS, f"{library}: more than it can have had: {failures}"
        assert {answer.code for answer in failures} <= {grpc.StatusCode.UNAVAILABLE}


def _processes_of(address: str) -> list[int]:
    """The process groups that serve an address of a pod: one, or none when it has ended."""
    groups = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode(errors="replace").split("\0")
            if "testbed.cluster.pod_program" in words and address in words:
                groups.append(int(path.parent.name))
    return groups
