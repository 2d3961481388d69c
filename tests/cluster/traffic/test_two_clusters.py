"""One service in two clusters with an etcd and an API server each, followed by a gRPC client through everything."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from testbed.cluster.cluster import Cluster
from testbed.cluster.namespace import Namespace
from testbed.cluster.workload import PORT
from testbed.manifest import service, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.process import Processes
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Open

pytestmark = NEEDS_CLUSTER


@pytest.fixture
def east(cluster: Cluster, box: Path, namespace: Namespace, tmp_path: Path) -> Iterator[Cluster]:
    """Another cluster, in which the namespace of the test exists, too."""
    folder = tmp_path / "east"
    folder.mkdir()
    running = Cluster(box, folder, cluster.network, ends_with_parent=True, guest=True)
    try:
        running.start()
        running.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace.name}})
        yield running
    finally:
        running.stop()


def publish(cluster: Cluster, namespace: Namespace, endpoints: Sequence[str]) -> None:
    """Publish these endpoints in one of the clusters."""
    made = slices("backend", endpoints or ["10.244.250.1:50051"], "grpc", namespace.name)
    if not endpoints:
        made[0]["endpoints"] = []
    cluster.api.apply(service("backend", {"grpc": PORT}, headless=True, namespace=namespace.name), *made)


@pytest.fixture
def steer_both(
    cluster: Cluster, east: Cluster, processes: Processes, tmp_path: Path
) -> Iterator[Callable[..., ControlPlane]]:
    """Starts steerway on both, `cluster` being its own."""
    running: list[ControlPlane] = []

    def start(**settings: object) -> ControlPlane:
        local = {"enabled": True, "kubeconfig": str(cluster.commands.kubeconfig), "namespaces": ["all"]}
        remote = {"name": "east", "kubeconfig": str(east.commands.kubeconfig), "region": "east"}
        file = tmp_path / "steerway.yaml"
        file.write_text(yaml.safe_dump({"kubernetes": local, "clusters": [remote], **settings}))
        running.append(ControlPlane(processes, ["--config", str(file)]))
        return running[-1]

    yield start
    for plane in running:
        plane.close()


def test_clients_go_to_the_other_cluster_when_their_own_has_no_endpoints_and_come_back(
    cluster: Cluster,
    east: Cluster,
    namespace: Namespace,
    open_backends: Open,
    steer_both: Callable[..., ControlPlane],
    connect: Connect,
) -> None:
    """local_first, the default."""
    here, there = open_backends(2)
    publish(cluster, namespace, [here])
    publish(east, namespace, [there])
    channel = connect(steer_both()).dial(namespace.target())
    channel.wait_for_answer()
    with channel.load() as load:
        load.settle(here)
        publish(cluster, namespace, [])
        load.settle(there)
        publish(cluster, namespace, [here])
        load.settle(here)
        cluster.api.delete("Service", namespace.name, "backend")
        load.settle(there)
        publish(cluster, namespace, [here])
        load.settle(here)
    assert load.failures == []


def test_a_lost_cluster_is_dropped_after_a_time_and_used_again_when_it_is_back(
    cluster: Cluster,
    east: Cluster,
    namespace: Namespace,
    open_backends: Open,
    steer_both: Callable[..., ControlPlane],
    connect: Connect,
) -> None:
    """It does not delay the start; problems and metrics report it. Calls go on all the time."""
    here, there = open_backends(2)
    publish(cluster, namespace, [here])
    publish(east, namespace, [there])
    east.kill_api_server()
    plane = steer_both(cluster_policy="all", remote_sync_timeout_seconds=0.5, remote_stale_seconds=5)
    plane.wait_for_problem("cluster east", "is not known yet")
    channel = connect(plane).dial(namespace.target())
    channel.wait_for_answer()
    with channel.load() as load:
        load.settle(here)
        east.start_api_server()
        load.settle(here, there)
        plane.wait_for_no_problem()
        east.kill_api_server()
        plane.wait_for_problem(east.commands.server, "connection refused")
        load.wait_for_backend(there)
        plane.wait_for_problem("cluster east", "is lost, and its endpoints are not used")
        load.settle(here)
        assert plane.metric("steerway_cluster_in_use", cluster="east") == 0
        east.start_api_server()
        load.settle(here, there)
    assert load.failures == []
