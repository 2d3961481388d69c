"""Where a client is, by its address: a short name is one of its pod's namespace, and the admin API tells the rest."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from envoy.config.core.v3.base_pb2 import Node
from google.protobuf.json_format import ParseDict
from tests.support.api_server import ApiServer
from tests.support.control_plane import ControlPlane
from tests.support.deadline import until
from tests.support.manifest import Manifest, service
from tests.support.process import Processes

from steerway.testing.ads_client import AdsClient
from steerway.translate.type_url import LISTENER

NODE: Manifest = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "zone-a"}},
}


def pod(namespace: str, phase: str = "Running") -> Manifest:
    """The pod that has the address of this test's clients."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"nodeName": "n1", "serviceAccountName": "web"},
        "status": {"phase": phase, "podIPs": [{"ip": "127.0.0.1"}]},
    }


@pytest.fixture
def api_server(tmp_path: Path) -> Iterator[ApiServer]:
    """Services `a` of shop and `b` of pay, and a client in shop."""
    server = ApiServer(tmp_path / "kubeconfig")
    server.put(NODE, pod("shop"))
    server.put(*(service(name, {"": 80}, namespace=of) for name, of in (("a", "shop"), ("b", "pay"))))
    yield server
    server.close()


def plane(processes: Processes, server: ApiServer, *options: str) -> ControlPlane:
    kubernetes = ["--kubernetes", "--kubeconfig", str(server.kubeconfig), "--namespace", "all"]
    return ControlPlane(processes, [*kubernetes, *options])


def found(plane: ControlPlane, claim: str = "") -> set[str]:
    """Which of the short names a client finds that says `claim` of its namespace, or nothing."""
    node = ParseDict({"id": "test", "metadata": {"NAMESPACE": claim} if claim else {}}, Node())
    with AdsClient(plane.address, node) as client:
        stream = client.delta()
        stream.request(LISTENER, "a", "b")
        named: set[str] = set()
        told: set[str] = set()
        while told != {"a", "b"}:
            response = stream.read()
            stream.ack(response)
            named |= {resource.name for resource in response.resources}
            told |= named | set(response.removed_resources)
        return named


@pytest.mark.parametrize(
    ("first", "claim", "names"),
    [
        ("node_first", "", {"a"}),
        ("node_first", "pay", {"b"}),
        ("pod_first", "pay", {"a"}),
        ("off", "pay", {"b"}),
    ],
)
def test_a_short_name_is_of_the_namespace_that_comes_first(
    processes: Processes, api_server: ApiServer, first: str, claim: str, names: set[str]
) -> None:
    steerway = plane(processes, api_server, "--client-place", first)
    assert found(steerway, claim) == names


def test_the_place_of_each_client_is_shown(processes: Processes, api_server: ApiServer) -> None:
    """As it is now: who has the address may change."""
    steerway = plane(processes, api_server)
    with AdsClient(steerway.address) as client:
        stream = client.delta()
        stream.request(LISTENER, "a")
        stream.read()
        (shown,) = steerway.streams()
        place = {"pod": "web-1", "service_account": "web", "node": "n1", "zone": "zone-a"}
        assert shown["place"] == {"namespace": "shop"} | place
        api_server.put(pod("shop", "Failed"), pod("pay"))
        until(
            lambda: steerway.streams()[0]["place"] == {"namespace": "pay"} | place,
            lambda: f"the other pod: {steerway.streams()}",
        )
