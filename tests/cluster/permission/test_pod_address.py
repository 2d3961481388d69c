"""Clients in real pods, authenticated by the addresses that the API server publishes."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from testbed.client.ads_question import ask
from testbed.cluster.cluster import Cluster
from testbed.cluster.forwarder import Forwarder
from testbed.cluster.namespace import Namespace
from testbed.cluster.network import NODE
from testbed.cluster.workload import PORT, deployment
from testbed.manifest import Manifest, service
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Open, Steer

pytestmark = NEEDS_CLUSTER

BY_ADDRESS = ("--plaintext-listen", f"{NODE}:0", "--authentication-pod-address", "all")
"""Pods reach this address of the machine."""
NO_POD = "10.244.250.9"


class Pod(NamedTuple):
    namespace: Namespace
    name: str


@pytest.fixture
def other(cluster: Cluster, tmp_path: Path) -> Iterator[Namespace]:
    """Another namespace."""
    created = Namespace(cluster, tmp_path)
    yield created
    created.delete()


@pytest.fixture
def plane(steer: Steer) -> ControlPlane:
    made = steer(*BY_ADDRESS, "--authentication-timeout-seconds", "5")
    until(made.ready, lambda: f"ready: {made.get('/readyz')}")
    return made


def clients(namespace: Namespace, plane: ControlPlane, replicas: int, **labels: str) -> Manifest:
    """A Deployment of clients of `backend`, as the service account `web`."""
    manifest = deployment("client", namespace.name, replicas)
    template: dict[str, Any] = manifest["spec"]["template"]
    template["metadata"]["annotations"] = labels
    template["spec"]["serviceAccountName"] = "web"
    (container,) = template["spec"]["containers"]
    program = [sys.executable, "-P", "-m", "testbed.client.pod_client"]
    container["command"] = [
        *program,
        plane.plaintext_address(),
        namespace.name,
        namespace.target(),
        f"$(POD_IP):{PORT}",
    ]
    container["lifecycle"] = {}
    return manifest


def addresses(pods: dict[str, str]) -> set[str]:
    return {address.rpartition(":")[0] for address in pods.values()}


def ask_in_pod(plane: ControlPlane, pod: Pod, claim: Namespace, name: str) -> dict[str, Any]:
    """What a client in the pod is given of the name, with a namespace that its node claims."""
    program = [sys.executable, "-P", "-m", "testbed.client.ads_question"]
    command = [*program, plane.plaintext_address(), "", claim.name, name]
    done = pod.namespace.api.execute(pod.namespace.name, pod.name, *command)
    answer: dict[str, Any] = json.loads(done.output)
    return answer


def test_the_first_call_of_a_new_pod_succeeds(
    namespace: Namespace, plane: ControlPlane, open_backends: Open
) -> None:
    """Though its address is published after its process has started, also in a rollout; none is refused."""
    namespace.account("web")
    namespace.publish(open_backends(1))
    namespace.api.apply(clients(namespace, plane, 2))
    pods = namespace.wait_for_pods("client", 2)
    identities = {stream["address"].rpartition(":")[0]: stream["identity"] for stream in plane.streams()}
    account = {"method": "pod_address", "name": f"service account {namespace.name}/web"}
    assert identities == dict.fromkeys(addresses(pods), account)
    namespace.api.apply(clients(namespace, plane, 2, rollout="2"))

    def rolled_out() -> bool:
        ready = namespace.pods("client")
        present = namespace.api.list("Pod", namespace.name)
        return len(ready) == len(present) == 2 and not ready.keys() & pods.keys()

    until(rolled_out, lambda: f"new pods, only {namespace.pods('client')}")
    restarts = [
        status["restartCount"]
        for pod in namespace.api.list("Pod", namespace.name)
        for status in pod["status"]["containerStatuses"]
    ]
    assert restarts == [0, 0]
    assert plane.metric("steerway_authentications_total", outcome="accepted") >= 4
    for outcome in ("refused", "unavailable", "denied"):
        assert not plane.metric("steerway_authentications_total", outcome=outcome)


def test_a_pod_gets_what_its_namespace_may_see(
    namespace: Namespace, other: Namespace, plane: ControlPlane
) -> None:
    """A process at an address of no pod gets nothing, and one on the network of its node."""
    private = service("ledger", {"grpc": PORT}, headless=True, namespace=namespace.name)
    private["metadata"]["annotations"] = {"steerway.io/private": "true"}
    namespace.api.apply(private)
    name = namespace.target("ledger").removeprefix("xds:///")
    own, strange = (start_pod(of) for of in (namespace, other))
    assert ask_in_pod(plane, own, namespace, name) == {name: True}
    assert ask_in_pod(plane, strange, other, name) == {name: False}
    assert ask_in_pod(plane, strange, namespace, name) == {"status": "PERMISSION_DENIED"}
    with Forwarder(plane.address, source=NO_POD) as forwarder:
        assert ask(forwarder.address, "", other.name, name) == {"status": "UNAUTHENTICATED"}
    agent = start_pod(other, "agent", hostNetwork=True)
    assert ask_in_pod(plane, agent, other, name) == {"status": "UNAUTHENTICATED"}
    refusals = [line for line in plane.process.errors if "stream_refused" in line]
    assert f"the address {NODE} does not identify one pod" in refusals.pop()
    assert f"the address {NO_POD} does not identify one pod: no running pod has it" in refusals[-1]


def start_pod(namespace: Namespace, app: str = "backend", **spec: object) -> Pod:
    """A new pod that is ready, as the service account `web`."""
    namespace.account("web")
    manifest = deployment(app, namespace.name, 1)
    manifest["spec"]["template"]["spec"] |= {"serviceAccountName": "web", **spec}
    namespace.api.apply(manifest)
    until(lambda: namespace.pods(app), f"a pod of {app}")
    (name,) = namespace.pods(app)
    return Pod(namespace, name)


def test_without_permission_no_client_is_let_in(namespace: Namespace, steer: Steer) -> None:
    """The problem names the permission. Once it is given, clients are served."""
    name = namespace.target().removeprefix("xds:///")
    namespace.publish([])
    account = namespace.account("steerway")
    account.allow("services", "endpointslices", everywhere=False)
    options = ("--namespace", namespace.name, *BY_ADDRESS)
    plane = steer(*options, "--no-policies", kubeconfig=account.kubeconfig())
    until(plane.ready, lambda: f"ready: {plane.get('/readyz')}")
    pod = start_pod(namespace)
    assert ask_in_pod(plane, pod, namespace, name) == {"status": "UNAVAILABLE"}
    problem = plane.wait_for_problem(
        f"pods in namespace {namespace.name}", "whose addresses authenticate clients"
    )
    assert "authentication.pod_address to off" in problem["hint"]
    account.allow("pods", everywhere=False)
    until(lambda: ask_in_pod(plane, pod, namespace, name) == {name: True}, "the permission")
