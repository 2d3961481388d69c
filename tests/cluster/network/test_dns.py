"""The DNS server of the cluster, at the address that resolvers in pods have."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from testbed.client.grpc_client import Client
from testbed.cluster.command import DNS_SERVER
from testbed.cluster.namespace import Namespace
from testbed.cluster.workload import PORT, stateful_set
from testbed.manifest import Endpoint, Manifest, service, slices
from testbed.process.deadline import until
from testbed.process.process import Processes
from tests.cluster.conftest import NEEDS_CLUSTER, Open

pytestmark = NEEDS_CLUSTER

_NEVER_READY: Manifest = {
    "terminationGracePeriodSeconds": 0,
    "containers": [
        {
            "name": "server",
            "image": "none",
            "command": ["sleep", "600"],
            "readinessProbe": {"tcpSocket": {"port": PORT}},
        }
    ],
}
"""A pod that runs, with a probe of a port that it does not serve."""

_MANY = 40
"""Endpoints whose addresses do not fit into 512 bytes."""


class Resolver:
    """Queries for names of one namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self._domain = f"{namespace.name}.svc.cluster.local"

    def full(self, name: str) -> str:
        return f"{name}.{self._domain}"

    def records(self, name: str, kind: str = "A", tcp: bool = True) -> list[str]:
        """The data of the records of this kind, sorted."""
        return sorted(
            str(record.rdata) for record in self.query(name, kind, tcp).rr if QTYPE[record.rtype] == kind
        )

    def code(self, name: str, kind: str = "A") -> str:
        return str(RCODE[self.query(name, kind).header.rcode])

    def query(self, name: str, kind: str = "A", tcp: bool = True) -> DNSRecord:
        question = DNSRecord.question(self.full(name), kind)
        return DNSRecord.parse(question.send(DNS_SERVER, 53, tcp=tcp, timeout=20))


@pytest.fixture
def resolver(namespace: Namespace) -> Iterator[Resolver]:
    return Resolver(namespace)


def test_a_service_has_its_cluster_ips(namespace: Namespace, resolver: Resolver) -> None:
    """One record for each family; ports by name; other names do not exist."""
    families = {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]}
    namespace.api.apply(service("backend", {"grpc": PORT}, namespace=namespace.name, **families))
    ipv4, ipv6 = namespace.api.get("Service", namespace.name, "backend")["spec"]["clusterIPs"]
    until(lambda: resolver.code("backend") == "NOERROR", "the Service's name")
    for tcp in (False, True):
        assert resolver.records("backend", tcp=tcp) == [ipv4]
        assert resolver.records("BackEnd", "AAAA", tcp=tcp) == [ipv6]
    target = resolver.full("backend")
    assert resolver.records("_grpc._tcp.backend", "SRV") == [f"0 100 {PORT} {target}."]
    assert resolver.query("backend", "TXT").header.rcode == 0
    for name in ("other", "_http._tcp.backend", "_grpc._udp.backend", "a.b.c.backend"):
        assert resolver.code(name) == "NXDOMAIN"
    namespace.api.delete("Service", namespace.name, "backend")
    until(lambda: resolver.code("backend") == "NXDOMAIN", "the end of the Service's name")


def test_a_headless_service_has_the_addresses_of_its_ready_endpoints(
    namespace: Namespace, resolver: Resolver
) -> None:
    """An answer that is too long for a packet is truncated, and whole by TCP."""
    not_ready = Endpoint("10.244.202.1:50051", ready=False, serving=False)
    ready = [f"10.244.203.{number}:50051" for number in range(1, _MANY + 1)]
    namespace.publish([not_ready])
    until(lambda: namespace.api.get("Service", namespace.name, "backend"), "the Service")
    assert resolver.code("backend") == "NXDOMAIN"
    namespace.publish([not_ready, *ready])
    until(lambda: resolver.records("backend") == sorted(e.partition(":")[0] for e in ready), "all addresses")
    packet = resolver.query("backend", tcp=False)
    assert packet.header.tc
    assert 0 < len(packet.rr) < _MANY
    assert resolver.records("10-244-203-7.backend") == ["10.244.203.7"]


def test_pods_of_a_stateful_set_have_names(namespace: Namespace, resolver: Resolver) -> None:
    """And records of their ports by these names."""
    manifest = service(
        "backend", {"grpc": PORT}, headless=True, namespace=namespace.name, selector={"app": "backend"}
    )
    namespace.api.apply(manifest, stateful_set("backend", namespace.name, 2))
    pods = namespace.wait_for_pods("backend", 2)
    hosts = {name: address.partition(":")[0] for name, address in pods.items()}
    until(lambda: resolver.records("backend") == sorted(hosts.values()), "the addresses of the pods")
    for name, host in hosts.items():
        assert resolver.records(f"{name}.backend") == [host]
    ports = [f"0 50 {PORT} {resolver.full(f'{name}.backend')}." for name in sorted(hosts)]
    assert resolver.records("_grpc._tcp.backend", "SRV") == ports


def test_a_service_may_publish_pods_that_are_not_ready(namespace: Namespace, resolver: Resolver) -> None:
    """publishNotReadyAddresses, as members of a database need to find each other."""
    options: Manifest = {"headless": True, "namespace": namespace.name, "selector": {"app": "backend"}}
    namespace.api.apply(
        service("backend", {"grpc": PORT}, **options),
        service("peers", {"grpc": PORT}, publishNotReadyAddresses=True, **options),
    )
    namespace.create_pod("backend", _NEVER_READY)
    until(lambda: resolver.records("peers"), "the address of the pod")
    assert resolver.code("backend") == "NXDOMAIN"


def test_a_grpc_client_resolves_a_service(
    namespace: Namespace, processes: Processes, open_backends: Open, tmp_path: Path, resolver: Resolver
) -> None:
    """By its name in the cluster, to the ClusterIP, to an endpoint."""
    backends = open_backends(1)
    manifest = service("backend", {"grpc": PORT}, namespace=namespace.name)
    namespace.api.apply(manifest, *slices("backend", backends, "grpc", namespace.name))
    until(lambda: resolver.records("backend"), "the Service's name")
    client = Client(processes, "grpcio", tmp_path / "no-bootstrap.json")
    channel = client.dial(f"dns://{DNS_SERVER}:53/{resolver.full('backend')}:{PORT}")
    channel.wait_for_backend(backends[0])
