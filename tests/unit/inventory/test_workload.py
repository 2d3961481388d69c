"""The workloads of clients."""

import pytest

from steerway.catalog.locality.client_locality import PodLocality
from steerway.inventory.workload import Workload, of_client, prefix


@pytest.mark.parametrize(
    ("node_id", "expected"),
    [
        ("web-6d4cf56db6-x7k2p", "web"),
        ("web-api-6d4cf56db6-x7k2p.shop", "web-api"),
        ("db-12", "db"),
        ("agent-x7k2p", "agent"),
        ("web-front", "web-front"),
        ("laptop~8f2b", "laptop"),
        ("sidecar~10.0.0.7~web-6d4cf56db6-x7k2p.shop~shop.svc.cluster.local", "web"),
        ("2f1e9d1c-0b7a-4a53-9d4e-0c8f6a7b1e2d", ""),
        ("", ""),
    ],
)
def test_clients_of_a_workload_share_a_prefix(node_id: str, expected: str) -> None:
    """Of the names that Kubernetes and bootstrap generators give."""
    assert prefix(node_id) == expected


def test_the_owner_of_the_pod_comes_first() -> None:
    """A pod may have a node id that hides it."""
    locality = PodLocality("shop", "web-6d4cf56db6-x7k2p", owner_kind="Deployment", owner="web")
    assert of_client(locality, "sdk-77", "other") == Workload("shop", "web", "Deployment")


def test_without_a_pod_it_is_the_prefix_of_the_node_id() -> None:
    assert of_client(None, "web-6d4cf56db6-x7k2p", "shop") == Workload("shop", "web")
    # The address of a node: a pod on the network of its host, or behind masquerading.
    assert of_client(PodLocality(node="n1"), "agent-x7k2p", "infra").id == "infra/agent"


def test_an_id_is_always_one_of_a_namespace_and_a_name() -> None:
    """Whatever a client gives as its id."""
    assert of_client(None, "projects/12/nodes/7", "shop").id == "shop/projects_12_nodes_7"
    assert of_client(None, "2f1e9d1c-0b7a-4a53-9d4e-0c8f6a7b1e2d", "shop").id == "shop/-"
    assert len(of_client(None, "x" * 100_000, "shop").name) < 300
