"""The ClusterRole of the guide is enough for everything, and an API server takes it as it stands there."""

from collections.abc import Iterator

import pytest

from testbed.cluster.guide_account import guide_account
from testbed.cluster.namespace import Account, Namespace
from testbed.manifest import service
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Steer

pytestmark = NEEDS_CLUSTER

CUSTOM_KINDS = (
    *("BackendTLSPolicy", "GRPCRoute", "HTTPRoute", "ReferenceGrant"),
    *("TrafficPolicy", "ServerPolicy", "AuthorizationPolicy"),
)
"""Installed or not, which is no problem."""


@pytest.fixture
def account(namespace: Namespace) -> Iterator[Account]:
    """An account with the permissions of the guide, and no others."""
    with guide_account(namespace) as allowed:
        yield allowed


def test_nothing_is_refused(account: Account, namespace: Namespace, steer: Steer) -> None:
    """Every kind is followed, clients' places included; an Event is written, and the Lease held."""
    bad = service("bad", {"": 80}, namespace=namespace.name, type="ExternalName", externalName="10.0.0.1")
    namespace.api.apply(bad)
    plane = steer("--namespace-selector", "!unused-label", kubeconfig=account.kubeconfig())
    until(plane.ready, lambda: f"ready: {plane.get('/readyz')}")
    informers = {informer["kind"]: informer["synced"] for informer in plane.get("/readyz")["informers"]}
    expected = {"EndpointSlice", "Namespace", "Node", "Pod", "Service", *CUSTOM_KINDS}
    assert informers == dict.fromkeys(expected, True)
    until(lambda: plane.metric("steerway_events_written_total", result="created") >= 1, "an Event")
    problems = [problem["where"] for problem in plane.problems()]
    assert f"Service {namespace.name}/bad" in problems
    assert not [where for where in problems if where.startswith("kubernetes ")]
    assert not [line for line in plane.process.errors if "403 Forbidden" in line]
