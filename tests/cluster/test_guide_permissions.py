"""The ClusterRole of the guide is enough for everything, and an API server takes it as it stands there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.cluster.conftest import NEEDS_CLUSTER, Steer
from tests.cluster.namespace import Account, Namespace
from tests.support.deadline import until
from tests.support.manifest import Manifest, service

pytestmark = NEEDS_CLUSTER

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
RBAC = "rbac.authorization.k8s.io"
CUSTOM_KINDS = ("BackendTLSPolicy", "GRPCRoute", "HTTPRoute", "ReferenceGrant", "TrafficPolicy")
"""Not installed here, which is no problem."""


def role_of_the_guide() -> Manifest:
    """The one YAML block that is a ClusterRole."""
    blocks = [block.partition("```")[0] for block in GUIDE.read_text().split("```yaml\n")[1:]]
    (role,) = (found for block in blocks if (found := yaml.safe_load(block)).get("kind") == "ClusterRole")
    return dict(role)


@pytest.fixture
def account(namespace: Namespace) -> Iterator[Account]:
    """Who may do what the guide says, and nothing else."""
    allowed = namespace.account()
    metadata = {"name": f"{namespace.name}-guide"}
    subject = {"kind": "ServiceAccount", "name": "steerway", "namespace": namespace.name}
    binding: Manifest = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": metadata["name"]},
        "subjects": [subject],
    }
    namespace.api.apply(role_of_the_guide() | {"metadata": metadata}, binding)
    yield allowed
    for kind in ("ClusterRoleBinding", "ClusterRole"):
        namespace.api.delete(kind, "", metadata["name"])


def test_nothing_is_refused(account: Account, namespace: Namespace, steer: Steer) -> None:
    """Every kind is followed, clients' places included; an Event is written, and the Lease held."""
    bad = service("bad", {"": 80}, namespace=namespace.name, type="ExternalName", externalName="10.0.0.1")
    namespace.api.apply(bad)
    plane = steer("--namespace-selector", "!nobody-has-this", kubeconfig=account.kubeconfig())
    until(plane.ready, lambda: f"ready: {plane.get('/readyz')}")
    informers = {each["kind"]: each["synced"] for each in plane.get("/readyz")["informers"]}
    expected = {"EndpointSlice", "Namespace", "Node", "Pod", "Service", *CUSTOM_KINDS}
    assert informers == dict.fromkeys(expected, True)
    until(lambda: plane.metric("steerway_events_written_total", result="created") >= 1, "an Event")
    problems = [each["where"] for each in plane.problems()]
    assert f"Service {namespace.name}/bad" in problems
    assert not [where for where in problems if where.startswith("kubernetes ")]
    assert not [line for line in plane.process.errors if "403" in line]
