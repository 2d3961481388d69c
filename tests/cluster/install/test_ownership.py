"""Fields and objects that others change: an upgrade keeps them. An uninstallation leaves the definitions only."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from steerway.sources.policy import crd
from testbed.helm.tools import ToolError, Tools
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.install.installed import create_namespace, kinds_of, objects
from tests.support.chart.kustomize_base import CHART

pytestmark = [*NEEDS_CLUSTER, pytest.mark.needs("go")]

NAMES = tuple(definition.name for definition in crd.DEFINITIONS)
DEFINITIONS = {*(f"CustomResourceDefinition//{name}" for name in NAMES), "APIService//v1alpha1.steerway.io"}
"""What an uninstallation leaves: the last object is derived from the others by the API server."""
NOT_STARTING = "--set=command={steerway-is-absent}"
EVERYTHING = (
    NOT_STARTING,
    "--set=admin.exposed=true",
    "--set=podDisruptionBudget.enabled=true",
    "--set=monitoring.dashboard.enabled=true",
)
CHANGED = "--set=settings.topology=node"
"""Another setting: other pods."""


class Release:
    """A release named steerway, whose pods do not start: these tests are about objects."""

    def __init__(self, tools: Tools, namespace: str) -> None:
        self._tools = tools
        self.namespace = namespace

    def helm(self, verb: str, *options: str) -> str:
        """`helm install` or `upgrade` of the chart."""
        fixed = (f"--namespace={self.namespace}", "--set=crds.enabled=false", NOT_STARTING)
        return self._tools.helm(verb, "steerway", str(CHART), *fixed, *options)

    def kubectl(self, *arguments: str) -> str:
        return self._tools.run("kubectl", f"--namespace={self.namespace}", *arguments)

    def field(self, kind: str, path: str) -> str:
        """One field of an object of the release."""
        return self.kubectl("get", kind, "steerway", f"--output=jsonpath={{{path}}}")


@pytest.fixture
def release(tools: Tools, release_namespace: str) -> Iterator[Release]:
    created = Release(tools, release_namespace)
    yield created
    tools.helm("uninstall", "steerway", f"--namespace={release_namespace}", "--ignore-not-found")


@pytest.fixture
def definitions_are_absent(tools: Tools) -> Iterator[None]:
    """Before and after the test: they would belong to the release of one test."""
    delete = ("delete", "crd", *NAMES, "--ignore-not-found", "--wait")
    tools.run("kubectl", *delete)
    yield
    tools.run("kubectl", *delete)


def test_an_autoscaler_owns_the_replicas(release: Release) -> None:
    """An upgrade neither fails nor changes them."""
    release.helm("install", "--create-namespace", "--set=autoscaling.enabled=true")
    release.kubectl("scale", "deployment/steerway", "--replicas=3")
    release.helm("upgrade", "--set=autoscaling.enabled=true", CHANGED)
    assert release.field("deployment", ".spec.replicas") == "3"


def test_replicas_of_the_values_and_of_kubectl_scale_are_a_conflict(release: Release) -> None:
    """Which `replicas: null` resolves for good."""
    release.helm("install", "--create-namespace")
    release.kubectl("scale", "deployment/steerway", "--replicas=3")
    with pytest.raises(ToolError, match=r"conflict.*\.spec\.replicas"):
        release.helm("upgrade", CHANGED)
    release.helm("upgrade", "--set=replicas=null", CHANGED)
    assert release.field("deployment", ".spec.replicas") == "3"


def test_a_generated_token_stays_over_upgrades(release: Release) -> None:
    release.helm("install", "--create-namespace", "--set=admin.exposed=true")
    token = release.kubectl("get", "secret", "steerway-admin", "--output=jsonpath={.data.token}")
    assert token
    release.helm("upgrade", "--set=admin.exposed=true", CHANGED)
    assert release.kubectl("get", "secret", "steerway-admin", "--output=jsonpath={.data.token}") == token


def test_an_autoscaler_takes_over_from_the_values(release: Release) -> None:
    """After another number was set: a field that only Helm has set would be 1 until the autoscaler acts."""
    release.helm("install", "--create-namespace")
    release.kubectl("scale", "deployment/steerway", "--replicas=3")
    release.helm("upgrade", "--set=autoscaling.enabled=true")
    assert release.field("deployment", ".spec.replicas") == "3"


@pytest.mark.usefixtures("definitions_are_absent")
def test_an_uninstallation_leaves_the_definitions(tools: Tools, release_namespace: str) -> None:
    """And no other object of any kind, apart from Events. A release elsewhere takes it over when asked to."""
    kinds = kinds_of(tools)
    create_namespace(tools, release_namespace)
    namespace = f"--namespace={release_namespace}"
    before = objects(tools, kinds)
    tools.helm("install", "steerway", str(CHART), namespace, *EVERYTHING)
    assert len(objects(tools, kinds) - before) > 12
    tools.helm("uninstall", "steerway", namespace)
    until(
        lambda: objects(tools, kinds) - before == DEFINITIONS,
        lambda: f"only the definitions are left: {objects(tools, kinds) - before}",
    )
    with pytest.raises(ToolError, match="invalid ownership metadata"):
        tools.helm("install", "other", str(CHART), namespace, *EVERYTHING)
    tools.helm("install", "other", str(CHART), namespace, "--take-ownership", *EVERYTHING)
    tools.helm("uninstall", "other", namespace)


@pytest.mark.usefixtures("definitions_are_absent")
def test_an_upgrade_from_another_version(tools: Tools, release_namespace: str, tmp_path: Path) -> None:
    """Values of the release stay, the definition of TrafficPolicy is that of the new chart, and what the new chart
    does not have is deleted."""
    namespace = f"--namespace={release_namespace}"
    old = str(packed(tools, tmp_path))
    tools.helm("install", "steerway", old, namespace, "--create-namespace", "--set=replicas=1", *EVERYTHING)
    assert "steerway-former" in tools.run("kubectl", "get", "configmaps", namespace, "--output=name")
    assert "session" not in served_fields(tools)
    tools.helm(
        "upgrade",
        "steerway",
        str(CHART),
        namespace,
        "--reset-then-reuse-values",
        "--set=settings.topology=node",
    )
    deployment = json.loads(tools.run("kubectl", "get", "deployment", "steerway", namespace, "--output=json"))
    assert deployment["metadata"]["labels"]["helm.sh/chart"] == f"steerway-{chart_version()}"
    assert deployment["spec"]["replicas"] == 1
    assert "steerway-former" not in tools.run("kubectl", "get", "configmaps", namespace, "--output=name")
    assert "session" in served_fields(tools)
    history = json.loads(tools.helm("history", "steerway", namespace, "--output=json"))
    assert [entry["status"] for entry in history] == ["superseded", "deployed"]
    tools.helm("rollback", "steerway", "1", namespace)
    assert "steerway-former" in tools.run("kubectl", "get", "configmaps", namespace, "--output=name")
    tools.helm("uninstall", "steerway", namespace)


def packed(tools: Tools, folder: Path) -> Path:
    """A package of the chart as another version: with one object more, and a section of TrafficPolicy less."""
    chart = folder / "steerway"
    shutil.copytree(CHART, chart)
    former = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "steerway-former"}}
    (chart / "templates" / "former.yaml").write_text(yaml.safe_dump(former))
    file = chart / "files" / "trafficpolicies.yaml"
    definition = yaml.safe_load(file.read_text())
    del definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][
        "session"
    ]
    file.write_text(yaml.safe_dump(definition))
    tools.helm("package", str(chart), "--version=0.0.1", f"--destination={folder}")
    return folder / "steerway-0.0.1.tgz"


def chart_version() -> str:
    return str(yaml.safe_load((CHART / "Chart.yaml").read_text())["version"])


def served_fields(tools: Tools) -> set[str]:
    """The sections of a TrafficPolicy that the API server takes."""
    definition = json.loads(tools.run("kubectl", "get", "crd", crd.TRAFFIC_POLICY.name, "--output=json"))
    (version,) = definition["spec"]["versions"]
    return set(version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])
