"""Changes that clients refuse are Events of the changed objects, on a real API server."""

import sys
from collections.abc import Iterator

import pytest

from steerway.translate.xds.type_url import CLUSTER, ENDPOINT
from testbed.cluster.guide_account import guide_account
from testbed.cluster.namespace import Account, Namespace
from testbed.cluster.workload import PORT
from testbed.manifest import Manifest
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Process, Processes
from tests.cluster.conftest import NEEDS_CLUSTER, Steer

pytestmark = [*NEEDS_CLUSTER, pytest.mark.usefixtures("kinds")]


@pytest.fixture
def account(namespace: Namespace) -> Iterator[Account]:
    """An account with the permissions of the guide, and no others."""
    with guide_account(namespace) as allowed:
        yield allowed


def events(namespace: Namespace, kind: str) -> list[Manifest]:
    """Those about refusals, of one kind."""
    return [
        item
        for item in namespace.api.list("Event", namespace.name)
        if item["reason"] == "ResourceRejected" and item["involvedObject"]["kind"] == kind
    ]


def refusing(
    processes: Processes, plane: ControlPlane, namespace: Namespace, node: str, type_url: str
) -> Process:
    """A client that has accepted the present endpoints or cluster, and refuses what comes."""
    name = f"backend.{namespace.name}.svc.cluster.local:{PORT}"
    arguments = (plane.address, node, type_url, name, f"{name}: no\x1b[31m such\nluck")
    client = processes.start(node, [sys.executable, "-m", "testbed.client.refusing_program", *arguments])
    client.wait(lambda: "accepted" in client.lines, "its first response")
    return client


def test_a_refused_change_is_one_event_of_its_object(
    namespace: Namespace, steer: Steer, processes: Processes, account: Account
) -> None:
    """Of EndpointSlices at their Service; of a TrafficPolicy at the policy. Two replicas count one Event up."""
    namespace.publish(["10.244.1.1:50051"])
    until(lambda: namespace.api.get("Service", namespace.name, "backend"), "the Service")
    own = ("--lease-namespace", namespace.name)
    planes = [steer(*own, kubeconfig=account.kubeconfig()) for _ in range(2)]
    clients = [
        refusing(processes, plane, namespace, f"web-{number}", ENDPOINT)
        for number, plane in enumerate((planes[0], planes[0], planes[1]))
    ]
    namespace.publish(["10.244.1.2:50051"])
    for client in clients:
        client.wait(lambda client=client: "refused" in client.lines, "its NACK")  # type: ignore[misc]
    until(lambda: [event["count"] for event in events(namespace, "Service")] == [2], "one Event, twice")
    (event,) = events(namespace, "Service")
    assert event["type"] == "Warning"
    assert event["involvedObject"]["name"] == "backend"
    assert event["message"].startswith("grpc-go 1.80 refused eds resources (")
    assert " client" in event["message"]
    assert event["message"].endswith(" no [31m such luck")
    _policy(processes, planes[0], namespace)


def _policy(processes: Processes, plane: ControlPlane, namespace: Namespace) -> None:
    client = refusing(processes, plane, namespace, "cart-0", CLUSTER)
    policy: Manifest = {
        "apiVersion": "steerway.io/v1alpha1",
        "kind": "TrafficPolicy",
        "metadata": {"name": "careful", "namespace": namespace.name},
        "spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": "backend"}],
            "limits": {"maxRequests": 100},
        },
    }
    namespace.api.apply(policy)
    client.wait(lambda: "refused" in client.lines, "its NACK")
    (event,) = until(lambda: events(namespace, "TrafficPolicy"), "an Event")
    assert (event["involvedObject"]["name"], event["count"]) == ("careful", 1)
    assert event["involvedObject"]["apiVersion"] == "steerway.io/v1alpha1"
    assert "refused cds resources (1 client of replica " in event["message"]
