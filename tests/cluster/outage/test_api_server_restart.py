"""The API server restarts, is cut off or forgets; steerway is killed: clients go on, and all is followed later."""

from pathlib import Path

import pytest

from testbed.cluster.cluster import Cluster
from testbed.cluster.command import API_SERVER
from testbed.cluster.forwarder import Forwarder
from testbed.cluster.namespace import Namespace
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Open, Steer

pytestmark = NEEDS_CLUSTER


def test_clients_are_served_while_the_api_server_is_away(
    cluster: Cluster, namespace: Namespace, open_backends: Open, steer: Steer, connect: Connect
) -> None:
    """Those that are connected and those that come; the outage is a problem; then changes are followed."""
    first, second, third = open_backends(3)
    namespace.publish([first, second])
    plane = steer()
    channel = connect(plane).dial(namespace.target())
    with channel.load() as load:
        load.settle(first, second)
        cluster.kill_api_server()
        plane.wait_for_problem(API_SERVER, "connection refused")
        assert len(_source_problems(plane)) == 1
        load.go_on(100)
        assert plane.ready()
        newcomer = connect(plane).dial(namespace.target())
        assert {answer.backend for answer in newcomer.call(10)} == {first, second}
        cluster.start_api_server()
        cluster.start_controllers()
        namespace.publish([first, third])
        load.settle(first, third)
    until(lambda: not _source_problems(plane), lambda: f"no problem: {plane.problems()}")
    assert load.failures == []


def test_what_changed_while_steerway_was_cut_off_is_followed_afterwards(
    namespace: Namespace,
    open_backends: Open,
    steer: Steer,
    connect: Connect,
    forwarder: Forwarder,
    linked: Path,
) -> None:
    """The watch goes on where it broke: changed and deleted objects arrive, without a list of everything."""
    first, second, third = open_backends(3)
    namespace.publish([first, second])
    namespace.publish([first], "doomed")
    plane = steer(kubeconfig=linked)
    client = connect(plane)
    assert client.dial(namespace.target("doomed")).call()[0].ok
    channel = client.dial(namespace.target())
    with channel.load() as load:
        load.settle(first, second)
        forwarder.cut()
        plane.wait_for_problem(forwarder.address, "connection refused")
        namespace.publish([first, third])
        _delete(namespace, "doomed")
        forwarder.restore()
        load.settle(first, third)
        _wait_until_absent(plane, namespace, "doomed")
    assert load.failures == []
    assert plane.metric("steerway_informer_relists_total", reason="expired") == 0


def test_an_expired_resource_version_is_answered_by_a_new_list(
    cluster: Cluster,
    namespace: Namespace,
    open_backends: Open,
    steer: Steer,
    connect: Connect,
    forwarder: Forwarder,
    linked: Path,
) -> None:
    """410 Gone, as after a compaction or from a server that started later: what was deleted is found missing."""
    first, second, third = open_backends(3)
    namespace.publish([first, second])
    namespace.publish([first], "doomed")
    plane = steer(kubeconfig=linked)
    client = connect(plane)
    assert client.dial(namespace.target("doomed")).call()[0].ok
    channel = client.dial(namespace.target())
    with channel.load() as load:
        load.settle(first, second)
        forwarder.cut()
        namespace.publish([first, third])
        _delete(namespace, "doomed")
        cluster.kill_api_server()
        cluster.start_api_server()  # its memory of changes begins with its start
        cluster.start_controllers()
        forwarder.restore()
        load.settle(first, third)
        _wait_until_absent(plane, namespace, "doomed")
    assert load.failures == []
    for kind in ("Service", "EndpointSlice"):
        assert plane.metric("steerway_informer_relists_total", kind=kind, reason="expired") == 1


@pytest.mark.parametrize("api_server_away", [False, True], ids=["", "with the API server away"])
def test_clients_keep_their_endpoints_when_steerway_is_killed(
    api_server_away: bool,
    namespace: Namespace,
    open_backends: Open,
    steer: Steer,
    connect: Connect,
    forwarder: Forwarder,
    linked: Path,
) -> None:
    """The new process sends nothing before it has read everything, and then the changes since."""
    first, second, third = open_backends(3)
    namespace.publish([first, second])
    plane = steer(kubeconfig=linked)
    channel = connect(plane).dial(namespace.target())
    with channel.load() as load:
        load.settle(first, second)
        plane.kill()
        namespace.publish([first, third])
        load.go_on(50)
        if api_server_away:
            forwarder.cut()
        plane.restart()
        if api_server_away:
            until(lambda: plane.streams("eds"), "the client that connects again")
            load.go_on(50)
            assert not plane.ready()
            assert plane.resources("eds") == []
            assert {answer.backend for answer in list(load.answers)[-20:]} == {first, second}
            forwarder.restore()
        load.settle(first, third)
    assert load.failures == []


def _delete(namespace: Namespace, name: str) -> None:
    """Delete a Service with its slices."""
    namespace.publish([], name)
    namespace.api.delete("Service", namespace.name, name)


def _wait_until_absent(plane: ControlPlane, namespace: Namespace, name: str) -> None:
    asked = namespace.target(name).removeprefix("xds:///")

    def reason() -> str | None:
        return next(
            (resource["absent"] for resource in plane.resources("lds") if resource["name"] == asked), None
        )

    assert name in (until(reason, f"{asked} as an absent resource") or "")


def _source_problems(plane: ControlPlane) -> list[dict[str, str]]:
    return [problem for problem in plane.problems() if problem["where"].startswith("kubernetes ")]
