"""The workload of a stream: of the Pod at its address, of one that starts under its name, or as it claims."""

from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2

from steerway.access.admission import Applicant
from steerway.access.result import Credential
from steerway.catalog.locality.client_zone import KnownZones
from steerway.config import Settings
from steerway.control.classifier import Classifier
from steerway.control.local_cluster import LocalCluster
from steerway.sources.objects.core import Pod, PodIP, PodMeta, PodSpec, PodStatus
from steerway.sources.store import Batch
from steerway.translate.client.audience import decode

SETTINGS = Settings(listen="127.0.0.1:0", admin="127.0.0.1:0")
ADDRESS, NODE_ADDRESS = "10.0.0.7", "192.168.0.1"


def pod(name: str = "cart-0", address: str = ADDRESS, namespace: str = "shop", **spec: Any) -> Pod:
    """A Pod of the workload `cart`; `address` "": none is known yet."""
    addresses = [PodIP(address)] if address else None
    metadata = PodMeta(name, namespace, labels={"app": "cart"})
    return Pod(metadata, PodSpec("n1", "cart", **spec), PodStatus("Running", addresses))


def workload(*pods: Pod, id: str = "other", agent: str = "gRPC Go", **metadata: str) -> str:
    """That of a client at `ADDRESS` in namespace `shop`."""
    cluster = LocalCluster(SETTINGS)
    cluster.store.register("test")
    cluster.store.apply("test", Batch(put=pods))
    node = base_pb2.Node(id=id, user_agent_name=agent)
    node.metadata.update({"NAMESPACE": "shop", **metadata})
    client = Applicant(1, f"{ADDRESS}:4711", node.SerializeToString(), Credential())
    return decode(Classifier(SETTINGS, cluster, KnownZones()).audience(client, None)).workload


def test_a_pod_is_known_by_its_address() -> None:
    """Whatever the client claims."""
    known = workload(pod())
    assert known.startswith("cart-0.") and workload(pod(), **{"steerway.io/service": "pay"}) == known
    assert workload(pod(), agent="envoy") == ""


@pytest.mark.parametrize("id", ["cart-0", "cart-0.shop"])
def test_a_pod_that_starts_is_known_by_its_name(id: str) -> None:
    """The kubelet reports its address after the start of its containers."""
    assert workload(pod(address=""), id=id) == workload(pod())


def test_a_name_does_not_apply_where_an_address_contradicts_it() -> None:
    """Of a Pod with another address, of another namespace, or of none."""
    assert workload(pod(address="10.0.0.8"), id="cart-0") == "-"
    assert workload(pod(address="", namespace="pay"), id="cart-0") == "-"
    assert workload(id="cart-0") == "-"


def test_a_pod_on_the_network_of_its_node_is_known_by_its_name() -> None:
    """Others have the same address."""
    assert workload(pod(host_network=True), id="cart-0") == workload(pod())
    assert workload(pod(host_network=True)) == "-"
    assert workload(pod(address=NODE_ADDRESS, host_network=True), id="cart-0") == "-"


def test_a_server_without_a_pod_may_claim_services() -> None:
    """In its own namespace; a Pod of another one gets none of its policies."""
    claimed = workload(**{"steerway.io/service": "cart,pay"})
    assert claimed.startswith("claim.") and workload(**{"steerway.io/service": "pay,cart"}) == claimed
    assert workload(pod(namespace="pay"), **{"steerway.io/service": "cart"}) == "-"
