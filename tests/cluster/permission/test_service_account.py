"""Permissions of a service account: which are needed, the problem without each, and recovery after a grant."""

import pytest

from testbed.cluster.namespace import POLICIES, Namespace
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Open, Steer

pytestmark = NEEDS_CLUSTER


@pytest.mark.parametrize("missing", ["services", "endpointslices"])
def test_nothing_is_served_before_all_may_be_read(
    missing: str, namespace: Namespace, open_backends: Open, steer: Steer, connect: Connect
) -> None:
    """A subscriber gets no answer while one kind is forbidden; the hint names the permission; a grant ends it."""
    addresses = open_backends(2)
    namespace.publish(addresses)
    account = namespace.account()
    (allowed,) = {"services", "endpointslices"} - {missing}
    account.allow(allowed, everywhere=True)
    plane = steer(kubeconfig=account.kubeconfig())
    problem = plane.wait_for_problem(f"kubernetes {missing} in all namespaces", "403")
    assert f"resources: [{missing}], verbs: [get, list, watch]" in problem["hint"]
    readiness = plane.get("/readyz")
    assert not readiness["ready"]
    assert any(missing in line and "grant" in line for line in readiness["missing"]), readiness
    channel = connect(plane).dial(namespace.target())
    channel.begin()
    (stream,) = until(lambda: plane.streams("lds"), "the client's subscription")
    (subscription,) = stream["types"]
    assert subscription["waiting"] == [namespace.target().removeprefix("xds:///")]
    assert subscription["version_sent"] == ""
    assert plane.get("/api/v1/resources")["resources"] == []
    account.allow(missing, everywhere=True)
    until(plane.ready, lambda: f"ready: {plane.get('/readyz')}")
    channel.wait_for_answer()
    with channel.load() as load:
        load.settle(*addresses)
    assert load.failures == []


def test_a_role_in_one_namespace_is_enough_for_that_namespace(
    namespace: Namespace, open_backends: Open, steer: Steer, connect: Connect
) -> None:
    """With `--namespace` nothing is asked of the rest of the cluster."""
    addresses = open_backends(2)
    namespace.publish(addresses)
    account = namespace.account()
    account.allow("services", "endpointslices", "pods", *POLICIES, everywhere=False)
    plane = steer("--namespace", namespace.name, kubeconfig=account.kubeconfig())
    channel = connect(plane).dial(namespace.target())
    channel.wait_for_answer()
    with channel.load() as load:
        load.settle(*addresses)
    until(lambda: plane.problems() == [], lambda: f"no problem: {plane.problems()}")
    everything = steer(kubeconfig=account.kubeconfig())
    for kind in ("services", "endpointslices"):
        everything.wait_for_problem(f"kubernetes {kind} in all namespaces", "403")


def test_a_permission_that_is_withdrawn_takes_nothing_from_clients(
    namespace: Namespace, open_backends: Open, steer: Steer, connect: Connect
) -> None:
    """An account without any permission left counts as an outage of the API server: clients keep what they have."""
    addresses = open_backends(2)
    namespace.publish(addresses)
    account = namespace.account()
    account.allow("services", "endpointslices", everywhere=True)
    plane = steer(kubeconfig=account.kubeconfig())
    channel = connect(plane).dial(namespace.target())
    channel.wait_for_answer()
    with channel.load() as load:
        load.settle(*addresses)
        account.revoke()
        load.go_on(50)
    assert load.failures == []
    assert plane.ready()
