"""gRPC clients of four libraries in pods, which have nothing but the environment and the volume that was injected."""

import pytest
import yaml

from testbed.client.grpc_client import program
from testbed.cluster.namespace import Namespace
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.injection.client_pod import LABEL, LIBRARIES, Clients
from tests.cluster.injection.conftest import DEPLOY, Mesh

pytestmark = [*NEEDS_CLUSTER, pytest.mark.needs("go", "java", "node")]


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    """Built before a test is inside of the cluster's network, where no registry is."""
    for library in LIBRARIES:
        program(library)


@pytest.fixture(scope="module", autouse=True)
def installed(mesh: Mesh) -> None:
    """steerway, without a webhook or a policy."""
    with mesh.namespace.cluster.network.entered():
        mesh.install("webhook/rbac.yaml")
        mesh.start(1)


def _node_ids(mesh: Mesh) -> set[str]:
    (plane,) = mesh.planes
    return {stream["node"] for stream in plane.get("/api/v1/streams")["streams"]}


def test_clients_start_from_what_is_injected(mesh: Mesh, namespace: Namespace, clients: Clients) -> None:
    """By the webhook in both methods, by the policy and by the recipe."""
    recipe = (DEPLOY / "recipe/configmap.yaml").read_text().replace("steerway-system", mesh.namespace.name)
    config_map = yaml.safe_load(recipe)
    config_map["metadata"]["namespace"] = namespace.name
    namespace.api.apply(config_map)
    deployment = yaml.safe_load((DEPLOY / "recipe/deployment.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    clients.start("recipe", ("grpcio",), env=container["env"], label="disabled")

    mesh.install("webhook/webhook.yaml")
    until(lambda: mesh.bundles() != {""}, "the caBundle")
    until(lambda: _is_injected(namespace), "an injected pod")
    clients.start("environment")
    clients.start("volume", annotations={"steerway.io/inject-method": "volume"})
    clients.wait_for_answers("recipe", ("grpcio",))
    clients.wait_for_answers("environment")
    clients.wait_for_answers("volume")
    ids = {f"{name}.{namespace.name}" for name in ("recipe", "environment", "volume")}
    assert ids <= _node_ids(mesh)

    mesh.uninstall("MutatingWebhookConfiguration")
    mesh.install("policy/policy.yaml")
    until(lambda: _is_injected(namespace, "policy"), "a pod that the policy changes")
    clients.start("policy", ("grpc-go",))
    clients.wait_for_answers("policy", ("grpc-go",))
    assert f"policy.{namespace.name}" in _node_ids(mesh)


def _is_injected(namespace: Namespace, method: str = "environment") -> bool:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "dry-", "namespace": namespace.name, "labels": {LABEL: "enabled"}},
        "spec": {"containers": [{"name": "client", "image": "none"}]},
    }
    annotations = namespace.api.create(pod, dry_run=True)["metadata"].get("annotations", {})
    return f'"method":"{method}"' in annotations.get("steerway.io/injected", "")
