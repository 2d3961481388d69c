"""Every object of the chart is one that a real API server takes, without an unknown field."""

import pytest
import yaml

from testbed.cluster.cluster import Cluster
from testbed.helm.tools import Tools
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.install.installed import create_namespace
from tests.support.chart.kustomize_base import BASES, CHART, FOLDER

pytestmark = [*NEEDS_CLUSTER, pytest.mark.needs("go")]

MONITORING = f"--values={CHART / 'values-monitoring.yaml'}"
VALUES = {
    "defaults": [],
    "namespaced": [f"--values={CHART / 'values-namespaced.yaml'}"],
    "tls": [f"--values={CHART / 'values-tls.yaml'}"],
    "autoscaling": ["--set=autoscaling.enabled=true", MONITORING],
    "injection": ["--set=injection.enabled=true", "--set=service.type=NodePort", MONITORING],
    "namespaces": ["--set=settings.kubernetes.namespaces={default,kube-system}"],
}


@pytest.fixture
def namespace_of_bases(cluster: Cluster) -> str:
    """The namespace that is written in the bases."""
    name = "steerway-system"
    cluster.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


def dry_run(tools: Tools, manifests: str) -> list[str]:
    """What the API server would have done with each object."""
    options = ("--server-side", "--dry-run=server", "--validate=strict")
    return tools.run("kubectl", "apply", *options, "--filename=-", stdin=manifests).splitlines()


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize("name", VALUES)
def test_a_rendering_is_valid(name: str, tools: Tools, namespace_of_bases: str) -> None:
    namespace = f"--namespace={namespace_of_bases}"
    manifests = tools.helm("template", "steerway", str(CHART), namespace, *VALUES[name])
    lines = dry_run(tools, manifests)
    assert len(lines) >= 10
    assert all(line.endswith("serverside-applied (server dry run)") for line in lines)


@pytest.mark.usefixtures("namespace_of_bases")
@pytest.mark.parametrize("name", BASES)
def test_a_base_is_valid(name: str, tools: Tools) -> None:
    """`kubectl apply -k` would create all of it."""
    lines = dry_run(tools, tools.run("kubectl", "kustomize", str(FOLDER / name)))
    assert len(lines) >= 10


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize("name", ["defaults", "tls", "autoscaling"])
def test_a_pod_meets_the_restricted_standard(name: str, tools: Tools, release_namespace: str) -> None:
    """In a namespace where the API server enforces it."""
    create_namespace(tools, release_namespace)
    label = "pod-security.kubernetes.io/enforce=restricted"
    tools.run("kubectl", "label", "namespace", release_namespace, label)
    namespace = f"--namespace={release_namespace}"
    source = "templates/deployment.yaml"
    rendered = tools.helm(
        "template", "steerway", str(CHART), namespace, f"--show-only={source}", *VALUES[name]
    )
    template = yaml.safe_load(rendered)["spec"]["template"]
    template["metadata"]["name"] = "steerway"
    template["spec"]["serviceAccountName"] = "default"
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    tools.run("kubectl", "create", namespace, "--dry-run=server", "--filename=-", stdin=yaml.safe_dump(pod))
