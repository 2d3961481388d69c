"""Two replicas send the same bytes, whatever the order in which they received the mesh."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse

from steerway.testing.ads_client import AdsClient
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT, LISTENER, ROUTE
from testbed.api_server import ApiServer
from testbed.manifest import NAMESPACE, Manifest, service, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.process import Processes

SERVICES = ("cart", "pay", "ship")
TARGETS = [f"{name}.{NAMESPACE}" for name in SERVICES]
CANONICAL = [f"{target}.svc.cluster.local:80" for target in TARGETS]
NAMES = {LISTENER: TARGETS, ROUTE: CANONICAL, CLUSTER: CANONICAL, ENDPOINT: CANONICAL}


def mesh() -> Iterator[Manifest]:
    """Services of two slices each."""
    for number, name in enumerate(SERVICES):
        yield service(name, {"grpc": 80})
        pods = [f"10.{number}.{half}.{pod}:{8080 + half}" for half in range(2) for pod in range(1, 5)]
        yield from slices(name, pods, "grpc")


@pytest.fixture
def replicas(processes: Processes, tmp_path: Path) -> Iterator[list[ControlPlane]]:
    """One received everything in order, the other in reverse and with many changes before."""
    servers = [ApiServer(tmp_path / name) for name in ("first", "second")]
    objects = list(mesh())
    servers[0].put(*objects)
    for port in (1, 2, 3):
        servers[1].put(*(service(name, {"grpc": port}) for name in SERVICES))
    servers[1].put(*reversed(objects))
    planes = [
        ControlPlane(
            processes, ["--kubernetes", "--kubeconfig", str(server.kubeconfig), "--namespace", "all"]
        )
        for server in servers
    ]
    yield planes
    for plane in planes:
        plane.close()
    for server in servers:
        server.close()


def received(plane: ControlPlane) -> list[bytes]:
    """What a state-of-the-world client gets of each type, but for what names the replica and the stream."""
    with AdsClient(plane.address) as client:
        stream = client.sotw()
        results = []
        for type_url, names in NAMES.items():
            stream.request(type_url, *names)
            response = stream.read()
            assert isinstance(response, DiscoveryResponse)
            stream.ack(response)
            assert len(response.resources) == len(names)
            response.ClearField("nonce")
            response.ClearField("control_plane")
            results.append(response.SerializeToString(deterministic=True))
        return results


def test_a_client_that_moves_receives_the_same(replicas: list[ControlPlane]) -> None:
    """State of the world: equal bytes and version. Delta: nothing that it has."""
    first, second = replicas
    assert received(first) == received(second)
    with AdsClient(first.address) as client:
        stream = client.delta()
        versions: dict[str, dict[str, str]] = {}
        for type_url, names in NAMES.items():
            stream.request(type_url, *names)
            received_versions = versions.setdefault(type_url, {})
            while len(received_versions) < len(names):
                response = stream.read()
                stream.ack(response)
                received_versions |= {resource.name: resource.version for resource in response.resources}
    with AdsClient(second.address) as client:
        stream = client.delta()
        for type_url, names in NAMES.items():
            stream.request(type_url, *names, initial_versions=versions[type_url])
        for type_url in NAMES:
            stream.request(type_url, f"absent.{NAMESPACE}")
            response = stream.read()
            stream.ack(response)
            only = (response.type_url, list(response.resources), list(response.removed_resources))
            assert only == (type_url, [], [f"absent.{NAMESPACE}"])
