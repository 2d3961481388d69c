"""Connections to the ClusterIP of a Service get to its ready endpoints, by kube-proxy's own rules."""

import socket
from pathlib import Path

import pytest

from testbed.client.grpc_client import Client
from testbed.cluster.api import Api
from testbed.cluster.cluster import Cluster
from testbed.cluster.command import KUBERNETES
from testbed.cluster.namespace import Namespace
from testbed.cluster.network import NODE
from testbed.cluster.workload import PORT, deployment
from testbed.manifest import Endpoint, service, slices
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.process.process import Processes
from tests.cluster.conftest import NEEDS_CLUSTER, Open

pytestmark = NEEDS_CLUSTER

_CONNECTIONS = 10


@pytest.fixture
def client(processes: Processes, tmp_path: Path) -> Client:
    """A client without xDS."""
    return Client(processes, "grpcio", tmp_path / "no-bootstrap.json")


def test_connections_are_spread_over_the_ready_pods_and_follow_a_rollout(
    namespace: Namespace, client: Client
) -> None:
    """Each connection is to one pod, so that a channel has one backend until that ends; then it has a new one.

    Calls may fail meanwhile: the client gets no notice of the end, and a C-core server cancels those that arrive
    between its shutdown and its GOAWAY.
    """
    manifest = service("backend", {"grpc": PORT}, namespace=namespace.name, selector={"app": "backend"})
    namespace.api.apply(manifest, deployment("backend", namespace.name, 2))
    first = namespace.wait_for_pods("backend", 2)
    (address,) = _addresses(namespace)
    _wait_for_backends(client, address, *first.values())
    channel = client.dial(address)
    with channel.load() as load:
        (backend,) = {answer.backend for answer in channel.call(_CONNECTIONS)}
        load.settle(backend)
        namespace.api.restart("Deployment", namespace.name, "backend")
        until(lambda: not namespace.pods("backend").keys() & first.keys(), "new pods only")
        replaced = namespace.wait_for_pods("backend", 2)
        _wait_for_backends(client, address, *replaced.values())
        load.wait(
            lambda answers: any(answer.backend in replaced.values() for answer in answers),
            "answers of a new pod",
        )


def test_endpoints_of_both_families_are_reached_while_they_serve(
    namespace: Namespace, client: Client, open_backends: Open
) -> None:
    """Terminating endpoints are used when no other is ready (KEP-1669); without any, connections are refused."""
    (ipv4, going), (ipv6,) = open_backends(2), open_backends(1, "fd00:10::%x")
    families = {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]}
    manifest = service("backend", {"grpc": PORT}, namespace=namespace.name, **families)
    terminating = Endpoint(going, ready=False, terminating=True)
    namespace.api.apply(manifest, *slices("backend", [ipv4, terminating, ipv6], "grpc", namespace.name))
    by_ipv4, by_ipv6 = _addresses(namespace)
    _wait_for_backends(client, by_ipv4, ipv4)
    _wait_for_backends(client, by_ipv6, ipv6)
    namespace.api.apply(*slices("backend", [terminating, ipv6], "grpc", namespace.name))
    _wait_for_backends(client, by_ipv4, going)
    namespace.api.delete("EndpointSlice", namespace.name, "backend-grpc-0")
    until(lambda: _refuses(by_ipv4), f"a refused connection to {by_ipv4}")


def test_pods_and_nodes_lead_to_the_service_of_a_pod(
    namespace: Namespace, client: Client, open_backends: Open
) -> None:
    """A pod's connection to the ClusterIP may come back to itself; a node port leads from the node to a pod."""
    (backend,) = open_backends(1)
    manifest = service("backend", {"grpc": PORT}, namespace=namespace.name, type="NodePort")
    namespace.api.apply(manifest, *slices("backend", [backend], "grpc", namespace.name))
    (target,) = _addresses(namespace)
    _wait_for_backends(client, target, backend)
    pod = (backend.partition(":")[0], 0)
    with socket.create_connection((target.split(":")[1], PORT), source_address=pod) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        assert connection.recv(1), "the server's settings (RFC 9113 section 3.4)"
    (port,) = namespace.api.get("Service", namespace.name, "backend")["spec"]["ports"]
    _wait_for_backends(client, f"ipv4:{NODE}:{port['nodePort']}", backend)


def test_the_api_server_is_reached_by_its_service(cluster: Cluster) -> None:
    """As clients in pods do; its certificate names the Service."""
    api = Api(f"https://{KUBERNETES}", cluster.commands.certificate, cluster.token)
    assert api.ready()
    api.close()


def _addresses(namespace: Namespace) -> list[str]:
    """The targets of the ClusterIPs of the Service `backend`."""
    addresses = namespace.api.get("Service", namespace.name, "backend")["spec"]["clusterIPs"]
    return [
        f"ipv6:[{address}]:{PORT}" if ":" in address else f"ipv4:{address}:{PORT}" for address in addresses
    ]


def _wait_for_backends(client: Client, target: str, *backends: str) -> None:
    """Wait until new connections lead to exactly these backends."""

    def settled() -> bool:
        return {client.dial(target).call()[0].backend for _ in range(_CONNECTIONS)} == set(backends)

    until(settled, f"connections to {', '.join(backends)} only")


def _refuses(target: str) -> bool:
    try:
        socket.create_connection((target.split(":")[1], PORT)).close()
    except ConnectionRefusedError:
        return True
    return False
