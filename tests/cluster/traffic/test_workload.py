"""Clients follow pods: API server, EndpointSlice controller and scheduler are real, the pods are processes."""

from testbed.cluster.namespace import Namespace
from testbed.cluster.workload import PORT, deployment, stateful_set
from testbed.manifest import Manifest, service
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Steer

pytestmark = NEEDS_CLUSTER


def test_a_client_follows_a_deployment_as_it_is_scaled_and_replaced(
    namespace: Namespace, steer: Steer, connect: Connect
) -> None:
    """Two pods, three, then others in a rolling restart, then one: without a failed call."""
    namespace.api.apply(_service(namespace), deployment("backend", namespace.name, 2))
    first = namespace.wait_for_pods("backend", 2)
    channel = connect(steer()).dial(namespace.target())
    channel.wait_for_answer()
    with channel.load() as load:
        load.settle(*first.values())
        namespace.api.scale("Deployment", namespace.name, "backend", 3)
        more = namespace.wait_for_pods("backend", 3)
        load.settle(*more.values())
        namespace.api.restart("Deployment", namespace.name, "backend")
        until(lambda: not namespace.pods("backend").keys() & more.keys(), "new pods only")
        replaced = namespace.wait_for_pods("backend", 3)
        load.settle(*replaced.values())
        namespace.api.scale("Deployment", namespace.name, "backend", 1)
        left = namespace.wait_for_pods("backend", 1)
        load.settle(*left.values())
    assert load.failures == []


def test_the_pods_of_a_stateful_set_have_names_of_their_own(
    namespace: Namespace, steer: Steer, connect: Connect
) -> None:
    """`backend-1.backend` is one pod, and its successor when it is replaced, at whatever address."""
    namespace.api.apply(_service(namespace, headless=True), stateful_set("backend", namespace.name, 2))
    pods = namespace.wait_for_pods("backend", 2)
    client = connect(steer())
    for name in ("backend-0", "backend-1"):
        channel = client.dial(namespace.target(f"{name}.backend"))
        channel.wait_for_answer()
        assert {answer.backend for answer in channel.call(5)} == {pods[name]}
    namespace.api.delete("Pod", namespace.name, "backend-1")
    until(
        lambda: namespace.pods("backend").get("backend-1", pods["backend-1"]) != pods["backend-1"], "another"
    )
    successor = namespace.wait_for_pods("backend", 2)["backend-1"]
    with channel.load() as load:
        load.settle(successor)


def test_a_service_that_selects_no_pod_is_empty_until_there_is_one(
    namespace: Namespace, steer: Steer, connect: Connect
) -> None:
    """The Service is known: calls fail for want of endpoints, and work when a pod is ready."""
    namespace.api.apply(_service(namespace))
    plane = steer()
    channel = connect(plane).dial(namespace.target())
    assert not channel.call()[0].ok
    (listener,) = plane.resources("lds")
    assert listener["absent"] is None
    namespace.api.apply(deployment("backend", namespace.name, 1))
    pods = namespace.wait_for_pods("backend", 1)
    with channel.load() as load:
        load.settle(*pods.values())


def _service(namespace: Namespace, headless: bool = False) -> Manifest:
    ports, selector = {"grpc": PORT}, {"app": "backend"}
    return service("backend", ports, headless=headless, namespace=namespace.name, selector=selector)
