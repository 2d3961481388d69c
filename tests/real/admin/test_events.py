"""Objects that are not served get an Event, written by one of the replicas."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.api_server import ApiServer
from testbed.manifest import Manifest, service
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Processes

BAD = service("backend", {"": 80}, namespace="shop", type="ExternalName", externalName="10.0.0.1")


@pytest.fixture
def api_server(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path / "kubeconfig")
    server.put(BAD)
    yield server
    server.close()


def steer(processes: Processes, server: ApiServer, *options: str) -> ControlPlane:
    kubernetes = ["--kubernetes", "--kubeconfig", str(server.kubeconfig), "--namespace", "all"]
    return ControlPlane(processes, [*kubernetes, "--lease-namespace", "ops", *options])


def test_a_service_that_cannot_be_served_has_one_event(processes: Processes, api_server: ApiServer) -> None:
    """From two replicas one; the other one counts it up when it takes over; a second problem is a second Event."""
    first = steer(processes, api_server)
    (event,) = until(lambda: api_server.objects("Event"), "an Event")
    (bad,) = api_server.objects("Service")
    expected = {"apiVersion": "v1", "kind": "Service", "namespace": "shop", "name": "backend"}
    assert {key: event["involvedObject"][key] for key in expected} == expected
    assert event["involvedObject"]["uid"] == bad["metadata"]["uid"]
    assert event["metadata"]["namespace"] == "shop"
    assert (event["type"], event["reason"], event["count"]) == ("Warning", "NotServed", 1)
    assert "externalName 10.0.0.1 is an IP address" in event["message"]
    assert event["source"] == {"component": "steerway"}
    second = steer(processes, api_server)
    assert (first.metric("steerway_lease_held"), second.metric("steerway_lease_held")) == (1, 0)
    first.stop()
    first.close()
    until(lambda: second.metric("steerway_lease_held") == 1, "the other replica to take over")
    until(lambda: [event["count"] for event in api_server.objects("Event")] == [2], "the Event to be counted")
    slice_: Manifest = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "backend-x", "namespace": "shop"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["not an address"]}],
    }
    api_server.put(slice_)
    until(lambda: len(api_server.objects("Event")) == 2, "the second Event")
    kinds = {event["involvedObject"]["kind"]: event for event in api_server.objects("Event")}
    assert "is not an IP address" in kinds["EndpointSlice"]["message"]
    assert kinds["EndpointSlice"]["involvedObject"]["apiVersion"] == "discovery.k8s.io/v1"
    created = "steerway_events_written_total"
    until(lambda: second.metric(created, result="created") == 1, "the Event to be counted as written")
    second.close()


@pytest.mark.parametrize("plural", ["leases", "events"])
def test_without_permission_to_write_it_serves_all_the_same(
    processes: Processes, api_server: ApiServer, plural: str
) -> None:
    """It is no problem of the mesh: the log names the missing permission."""
    api_server.act(lambda server: server.fail(403, verb="create", plural=plural, times=1_000_000))
    plane = steer(processes, api_server)
    until(lambda: api_server.count("create") >= 1, "an attempt")
    until(plane.ready, "it serves")
    api_server.put(service("other", {"": 80}, namespace="shop"))
    assert [problem["where"] for problem in plane.problems()] == ["Service shop/backend"]
    assert api_server.objects("Event") == []
    plane.close()


def test_a_lease_that_makes_no_sense_is_no_end(processes: Processes, api_server: ApiServer) -> None:
    """Somebody wrote it by hand: it is logged, and everything is served."""
    lease: Manifest = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "steerway", "namespace": "ops"},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": "forever"},
    }
    api_server.put(lease)
    plane = steer(processes, api_server)
    plane.process.wait(
        lambda: any("internal_error" in line and "part=reporter" in line for line in plane.process.errors),
        "the log line",
    )
    api_server.put(service("other", {"": 80}, namespace="shop"))
    until(plane.ready, "it serves")
    assert api_server.objects("Lease")[0]["spec"] == lease["spec"]
    plane.stop()


def test_writing_can_be_turned_off(processes: Processes, api_server: ApiServer) -> None:
    """Then nothing is written at all."""
    plane = steer(processes, api_server, "--no-events", "--no-status")
    until(plane.ready, "it serves")
    plane.stop()
    plane.close()
    assert api_server.count("create") == api_server.count("update") == api_server.count("patch") == 0
