"""Commands that query replicas in a cluster: found by their labels, reached through the API server."""

import json
import re
import signal

import httpx

from testbed.process.process import Processes
from tests.cluster.conftest import NEEDS_CLUSTER, Open
from tests.cluster.terminal.conftest import LIST_PODS, PORT_FORWARD, READ_SECRET, TOKEN, Installation

pytestmark = NEEDS_CLUSTER


def test_all_replicas_are_queried(installation: Installation, open_backends: Open) -> None:
    """With the token of the Secret. One that does not run is a warning. `explain` has addresses."""
    namespace = installation.namespace
    namespace.publish(open_backends(2))
    broken = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "wrong", "namespace": namespace.name},
    }
    namespace.api.apply({**broken, "spec": {"type": "ExternalName", "externalName": "10.0.0.7"}})
    for name in ("steerway-a", "steerway-b"):
        installation.run(name)
    namespace.wait_for_pods("steerway", 2)
    installation.run("steerway-c", nodeSelector={"no": "such-node"})
    user = installation.user("reader", LIST_PODS, PORT_FORWARD, READ_SECRET)
    done = installation.steerway(user, "problems", "-o", "json")
    assert done.returncode == 1, done.stderr
    assert done.stdout, done.stderr
    (problem,) = json.loads(done.stdout)["items"]
    assert problem["where"] == f"Service {namespace.name}/wrong"
    assert problem["replicas"] == ["steerway-a", "steerway-b"]
    assert done.stderr == "warning: replica steerway-c: its pod is Pending\n"
    replicas = json.loads(installation.steerway(user, "status", "-o", "json").stdout)["replicas"]
    assert [(row["id"], row.get("replica"), row.get("services")) for row in replicas] == [
        ("steerway-a", "steerway-a", 1),
        ("steerway-b", "steerway-b", 1),
        ("steerway-c", None, None),
    ]
    done = installation.steerway(user, "explain", namespace.target())
    assert done.returncode == 0, done.stderr
    assert "\n      10.244.200.1:50051\n" in done.stdout


def test_a_list_goes_on_through_the_port_forward(
    installation: Installation, open_backends: Open, processes: Processes
) -> None:
    """A Service that comes is printed."""
    namespace = installation.namespace
    addresses = open_backends(2)
    namespace.publish(addresses)
    installation.run("steerway-a")
    namespace.wait_for_pods("steerway", 1)
    user = installation.user("reader", LIST_PODS, PORT_FORWARD, READ_SECRET)
    command = installation.command(user, "services", "--watch", "-o", "name")
    process = processes.start("steerway services --watch", command)
    process.wait(lambda: f"service/{namespace.name}/backend" in process.lines, "the first Service")
    namespace.publish(addresses, "other")
    process.wait(lambda: f"service/{namespace.name}/other" in process.lines, "the other Service")


def test_an_error_names_the_missing_rule(installation: Installation) -> None:
    """For the list of pods, the port-forward and the Secret, in the order in which they are needed."""
    installation.run("steerway-a")
    installation.namespace.wait_for_pods("steerway", 1)
    for number, (rules, error) in enumerate(
        (
            ([], "add {apiGroups: [''], resources: [pods], verbs: [list]} to the rules of a Role"),
            (
                [LIST_PODS],
                "add {apiGroups: [''], resources: [pods/portforward], verbs: [get, create]} to the rules",
            ),
            (
                [LIST_PODS, PORT_FORWARD],
                "resources: [secrets], resourceNames: [steerway-admin], verbs: [get]}",
            ),
        )
    ):
        user = installation.user(f"user-{number}", *rules)
        done = installation.steerway(user, "problems")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: ")
        assert error in done.stderr
        assert "Traceback" not in done.stderr
    allowed = installation.user("other", LIST_PODS, PORT_FORWARD, READ_SECRET)
    done = installation.steerway(allowed, "problems", "--admin-port", "9")
    assert done.returncode == 1
    assert re.search("error: .*port 9", done.stderr)


def test_the_page_is_forwarded_until_an_interrupt(installation: Installation, processes: Processes) -> None:
    """Its URL is printed, and where the token is."""
    installation.run("steerway-a")
    installation.namespace.wait_for_pods("steerway", 1)
    user = installation.user("reader", LIST_PODS, PORT_FORWARD)
    process = processes.start("steerway page", installation.command(user, "page", "--no-browser"))
    url = process.wait(lambda: next(iter(process.lines), ""), "the URL")
    assert httpx.get(f"{url}api/v1/problems", trust_env=False).status_code == 401
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(headers=headers, trust_env=False) as client:
        for _ in range(3):
            assert client.get(f"{url}api/v1/problems").json()["problems"] == []
    process.wait(lambda: any("Secret steerway-admin" in line for line in process.errors), "the Secret")
    process.signal(signal.SIGINT)
    assert process.ended() == 130
    assert "Traceback" not in "\n".join(process.errors)
