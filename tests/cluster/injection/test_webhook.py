"""The webhook as an API server calls it: by its Service, with the certificate that the replica with the Lease keeps."""

import json

import pytest

from testbed.cluster.namespace import Namespace
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.injection.conftest import Create, Mesh, label, metric, variables

pytestmark = NEEDS_CLUSTER
CONFIG = "GRPC_XDS_BOOTSTRAP_CONFIG"


@pytest.fixture(scope="module", autouse=True)
def installed(mesh: Mesh) -> None:
    """Two replicas with the permissions of the document."""
    with mesh.namespace.cluster.network.entered():
        mesh.install("webhook/rbac.yaml", "webhook/webhook.yaml")
        mesh.start(2)


@pytest.fixture(autouse=True)
def labelled(namespace: Namespace, create: Create) -> None:
    """The namespace of the test has the label, and the webhook works."""
    label(namespace, "enabled")
    until(lambda: CONFIG in variables(create()), "an injected pod")


def test_pods_are_injected_by_label(mesh: Mesh, namespace: Namespace, create: Create) -> None:
    """Those of the namespace, unless a pod states otherwise."""
    assert CONFIG not in variables(create(label="disabled"))
    pod = create(env={"GRPC_XDS_BOOTSTRAP": "/mine"})
    assert variables(pod) == {"GRPC_XDS_BOOTSTRAP": "/mine"}
    assert "its env has GRPC_XDS_BOOTSTRAP" in pod["metadata"]["annotations"]["steerway.io/injected"]
    pod = create(annotations={"steerway.io/inject-method": "volume"})
    assert variables(pod) == {"GRPC_XDS_BOOTSTRAP": "/etc/steerway/bootstrap.json"}
    document = json.loads(pod["metadata"]["annotations"]["steerway.io/bootstrap"])
    assert document["xds_servers"][0]["server_uri"] == mesh.server
    label(namespace, "disabled")
    until(lambda: CONFIG not in variables(create()), "no injection by the label of the namespace")
    assert CONFIG in variables(create(label="enabled"))
    assert sum(metric(plane, "steerway_injections_total") for plane in mesh.planes) >= 4


def test_an_upgrade_keeps_the_bundle(mesh: Mesh) -> None:
    """Helm applies the same manifests again, by server-side apply."""
    for plane in mesh.planes:
        plane.wait_for_no_problem()
    before = mesh.bundles()
    mesh.install("webhook/webhook.yaml")
    assert mesh.bundles() == before != {""}


def test_certificates_are_replaced_while_pods_are_created(mesh: Mesh, create: Create) -> None:
    """A lost Secret is made again, and no pod misses its bootstrap meanwhile."""
    (former,) = _certificates(mesh)
    mesh.api.delete("Secret", mesh.namespace.name, "steerway-injection")
    missed = []

    def replaced() -> bool:
        if CONFIG not in variables(create()):
            missed.append(mesh.bundles())
        return bool(_certificates(mesh) - {former})

    until(replaced, "another certificate")
    for _ in range(20):
        replaced()
    assert missed == [], mesh.namespace.cluster.parts["api-server"].log()


def test_a_damaged_secret_is_a_problem(mesh: Mesh, create: Create) -> None:
    """The last good certificate stays in use."""
    metadata = {"name": "steerway-injection", "namespace": mesh.namespace.name}
    damaged = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"ca.crt": "QQ=="}}
    mesh.api.apply(damaged)
    for plane in mesh.planes:
        problem = plane.wait_for_problem("steerway-injection", "ca.crt")
        assert problem["where"] == f"Secret {mesh.namespace.name}/steerway-injection"
    assert CONFIG in variables(create())
    mesh.api.delete("Secret", mesh.namespace.name, "steerway-injection")


def test_pods_start_while_no_replica_answers(mesh: Mesh, create: Create) -> None:
    """`failurePolicy: Ignore`."""
    for plane in mesh.planes:
        plane.stop()
    assert CONFIG not in variables(create())


def _certificates(mesh: Mesh) -> set[str]:
    """The certificate in the Secret, if there is one."""
    return {secret["data"]["tls.crt"] for secret in mesh.api.list("Secret", mesh.namespace.name)}
