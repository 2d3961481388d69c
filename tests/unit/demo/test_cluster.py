"""What is published for each state of a pod, and that files are written completely."""

from pathlib import Path

import pytest
import yaml
from dnslib import DNSRecord

from demo.cluster import Cluster, State
from demo.dns_server import HeadlessZone
from demo.manifests import Manifests

HOST = "backend.shop.svc.cluster.local"
PORT = 50051


@pytest.fixture
def zone() -> HeadlessZone:
    """The DNS zone."""
    return HeadlessZone(HOST, 30)


@pytest.fixture
def cluster(zone: HeadlessZone, tmp_path: Path) -> Cluster:
    """A cluster that publishes to `zone` and to `tmp_path`."""
    return Cluster(zone, Manifests(tmp_path, PORT))


def in_dns(zone: HeadlessZone) -> list[str]:
    """The addresses in DNS."""
    reply = zone.answer(DNSRecord.question(HOST).pack())
    assert reply is not None
    return sorted(str(record.rdata) for record in DNSRecord.parse(reply).rr)


def in_slice(directory: Path) -> dict[str, dict[str, bool]]:
    """Address → conditions of the EndpointSlice."""
    document = yaml.safe_load((directory / "endpointslice.yaml").read_text())
    return {endpoint["addresses"][0]: endpoint["conditions"] for endpoint in document["endpoints"]}


READY = {"ready": True, "serving": True, "terminating": False}
TERMINATING = {"ready": False, "serving": True, "terminating": True}


@pytest.mark.parametrize(
    ("state", "addresses", "conditions"),
    [
        (State.STARTING, [], None),
        (State.READY, ["127.20.1.1"], READY),
        (State.TERMINATING, [], TERMINATING),
        (State.DRAINING, [], TERMINATING),
        (State.GONE, [], None),
    ],
)
def test_dns_and_slice_have_the_same_state(
    cluster: Cluster,
    zone: HeadlessZone,
    tmp_path: Path,
    state: State,
    addresses: list[str],
    conditions: dict[str, bool] | None,
) -> None:
    """DNS has the ready pods; the slice also has terminating ones, until they are gone."""
    cluster.set("backend-v1-1", "127.20.1.1", state)
    assert in_dns(zone) == addresses
    assert in_slice(tmp_path).get("127.20.1.1") == conditions
    assert [(event.address, event.state) for event in cluster.events] == [("127.20.1.1", state)]


def test_a_change_of_one_pod_keeps_the_others(cluster: Cluster, zone: HeadlessZone, tmp_path: Path) -> None:
    """Each publication has all pods."""
    cluster.set("backend-v1-1", "127.20.1.1", State.READY)
    cluster.set("backend-v2-1", "127.20.2.1", State.READY)
    cluster.set("backend-v1-1", "127.20.1.1", State.TERMINATING)
    assert in_dns(zone) == ["127.20.2.1"]
    assert in_slice(tmp_path) == {"127.20.1.1": TERMINATING, "127.20.2.1": READY}


def test_a_follower_gets_the_present_and_each_later_state(cluster: Cluster) -> None:
    """The ClusterIP starts after the first pods."""
    received: list[dict[str, bool]] = []
    cluster.set("backend-v1-1", "127.20.1.1", State.READY)
    cluster.follow(lambda pods: received.append({pod.address: pod.terminating for pod in pods}))
    cluster.set("backend-v1-1", "127.20.1.1", State.TERMINATING)
    cluster.set("backend-v1-1", "127.20.1.1", State.GONE)
    assert received == [{"127.20.1.1": False}, {"127.20.1.1": True}, {}]


def test_the_manifests_are_a_headless_service_and_its_slice(cluster: Cluster, tmp_path: Path) -> None:
    """The slice names its Service by label and has the Service's port; no temporary file is left."""
    cluster.set("backend-v1-1", "127.20.1.1", State.READY)
    service = yaml.safe_load((tmp_path / "service.yaml").read_text())
    endpoint_slice = yaml.safe_load((tmp_path / "endpointslice.yaml").read_text())
    assert service["spec"]["clusterIP"] == "None"
    assert endpoint_slice["metadata"]["labels"] == {"kubernetes.io/service-name": service["metadata"]["name"]}
    assert endpoint_slice["ports"][0]["port"] == service["spec"]["ports"][0]["port"] == PORT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["endpointslice.yaml", "service.yaml"]


def test_a_publication_replaces_the_file_by_another(tmp_path: Path) -> None:
    """A rename, not a rewrite: a reader with the old file open keeps all of it."""
    manifests = Manifests(tmp_path, PORT)
    path = tmp_path / "endpointslice.yaml"
    with path.open() as opened:
        before = path.read_text()
        manifests.publish(())
        assert opened.read() == before
        assert path.stat().st_ino != Path(f"/proc/self/fd/{opened.fileno()}").stat().st_ino
