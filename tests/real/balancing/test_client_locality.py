"""The locality of a client by its address: a short name is one of its pod's namespace; the admin API shows the rest."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from google.protobuf.json_format import ParseDict

from steerway.testing.ads_client import AdsClient
from steerway.translate.xds.type_url import ENDPOINT, LISTENER
from testbed.api_server import ApiServer
from testbed.manifest import Manifest, service, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Processes

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


def local_service(*nodes: str) -> list[Manifest]:
    """A Service that must not leave the node, with an endpoint on each of these."""
    (made,) = slices("c", [f"10.0.0.{number}:80" for number in range(1, len(nodes) + 1)], namespace="shop")
    for endpoint, node in zip(made["endpoints"], nodes, strict=True):
        endpoint["nodeName"] = node
    return [service("c", {"": 80}, namespace="shop", internalTrafficPolicy="Local"), made]


def plane(processes: Processes, server: ApiServer, *options: str) -> ControlPlane:
    kubernetes = ["--kubernetes", "--kubeconfig", str(server.kubeconfig), "--namespace", "all"]
    return ControlPlane(processes, [*kubernetes, *options])


def resolved_names(plane: ControlPlane, claim: str = "") -> set[str]:
    """The short names that a client resolves whose node claims the namespace `claim` ("": none)."""
    node = ParseDict({"id": "test", "metadata": {"NAMESPACE": claim} if claim else {}}, Node())
    with AdsClient(plane.address, node) as client:
        stream = client.delta()
        stream.request(LISTENER, "a", "b")
        named: set[str] = set()
        received: set[str] = set()
        while received != {"a", "b"}:
            response = stream.read()
            stream.ack(response)
            named |= {resource.name for resource in response.resources}
            received |= named | set(response.removed_resources)
        return named


@pytest.mark.parametrize(
    ("first", "claim", "names"),
    [
        ("bootstrap_first", "", {"a"}),
        ("bootstrap_first", "pay", {"b"}),
        ("pod_first", "pay", {"a"}),
        ("off", "pay", {"b"}),
    ],
)
def test_a_short_name_is_of_the_namespace_that_comes_first(
    processes: Processes, api_server: ApiServer, first: str, claim: str, names: set[str]
) -> None:
    steerway = plane(processes, api_server, "--client-locality", first)
    assert resolved_names(steerway, claim) == names


def test_the_locality_of_each_client_is_shown(processes: Processes, api_server: ApiServer) -> None:
    """As it is now: the address may pass to another pod."""
    steerway = plane(processes, api_server)
    with AdsClient(steerway.address) as client:
        stream = client.delta()
        stream.request(LISTENER, "a")
        stream.read()
        (shown,) = steerway.streams()
        locality = {"pod": "web-1", "service_account": "web", "node": "n1", "zone": "zone-a"}
        assert shown["locality"] == {"namespace": "shop"} | locality
        api_server.put(pod("shop", "Failed"), pod("pay"))
        until(
            lambda: steerway.streams()[0]["locality"] == {"namespace": "pay"} | locality,
            lambda: f"the other pod: {steerway.streams()}",
        )


def test_a_service_with_a_local_policy_never_leaves_the_node(
    processes: Processes, api_server: ApiServer
) -> None:
    """The client's node is that of the pod at its address; endpoints come and go there."""
    api_server.put(*local_service("n1", "n2"))
    steerway = plane(processes, api_server, "--topology", "node")
    with AdsClient(steerway.address) as client:
        stream = client.delta()
        stream.request(ENDPOINT, "c.shop.svc.cluster.local:80")

        def reported() -> list[str]:
            response = stream.read()
            stream.ack(response)
            (result,) = response.resources
            assignment = ClusterLoadAssignment.FromString(result.resource.value)
            return [
                lb_endpoint.endpoint.address.socket_address.address
                for group in assignment.endpoints
                for lb_endpoint in group.lb_endpoints
            ]

        assert reported() == ["10.0.0.1"]
        api_server.put(*local_service("n2", "n2"))
        assert reported() == []
        api_server.put(*local_service("n2", "n1"))
        assert reported() == ["10.0.0.2"]
        assert steerway.problems() == []


def test_a_local_policy_is_a_problem_where_it_is_not_followed(
    processes: Processes, api_server: ApiServer
) -> None:
    """Audiences differ by zone only, unless `topology` is node."""
    api_server.put(*local_service("n1", "n2"))
    problem = plane(processes, api_server).wait_for_problem(
        "shop/c", "internalTrafficPolicy Local is not followed"
    )
    assert "set topology to node" in problem["hint"]
