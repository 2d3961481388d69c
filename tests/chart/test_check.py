"""`steerway check --kubernetes` knows the chart: its permissions, objects, names and pods."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from steerway import config
from steerway.config import Settings
from steerway.kubecheck import chart
from steerway.kubecheck.permission import permissions
from steerway.kubecheck.section import api_server
from steerway.kubecheck.section.pre import default_settings
from tests.chart.conftest import NEEDS_HELM, Render, Rendering
from tests.support.chart.kustomize_base import CHART, NAMESPACE

pytestmark = NEEDS_HELM

Rule = tuple[str, str, str, str, str]
INJECTION: dict[str, Any] = {"injection": {"enabled": True}}


def granted(rendering: Rendering) -> set[Rule]:
    """Namespace (or ""), group, resource, verb and name of what the roles of the ServiceAccount allow."""
    bound = {item["roleRef"]["name"] for item in rendering if item["kind"].endswith("RoleBinding")}
    return {
        (manifest["metadata"].get("namespace", ""), group, resource, verb, name)
        for manifest in rendering
        if manifest["kind"] in ("Role", "ClusterRole") and manifest["metadata"]["name"] in bound
        for rule in manifest["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    }


def needed(settings: Settings) -> set[Rule]:
    return {
        (item.namespace or "", item.group, item.resource, verb, item.name)
        for item in permissions(settings, NAMESPACE)
        for verb in item.verbs
    }


def loaded(rendering: Rendering, folder: Path) -> Settings:
    file = folder / "steerway.yaml"
    file.write_text(rendering.settings())
    return config.load(file, {}, {})


@pytest.mark.parametrize(
    ("files", "values"),
    [
        ("", {}),
        ("", INJECTION),
        ("tls", {}),
        ("namespaced", {}),
        ("namespaced", {"settings": {"kubernetes": {"namespaces": ["a", "b"]}}}),
        ("", {"settings": {"kubernetes": {"events": False}}}),
        ("", {"settings": {"kubernetes": {"policies": False}}}),
        ("", {"settings": {"kubernetes": {"status": False, "lease_name": "a", "lease_namespace": "b"}}}),
        ("", {"settings": {"authentication": {"service_account": "token_review"}}}),
        ("", {"settings": {"authentication": {"pod_address": "off"}}}),
    ],
    ids=str,
)
def test_permissions_are_those_of_the_roles(
    render: Render, files: str, values: dict[str, Any], tmp_path: Path
) -> None:
    rendering = render(files, values)
    wanted = needed(loaded(rendering, tmp_path))
    assert len(wanted) > 10
    assert wanted == granted(rendering)


def test_permissions_before_an_installation_are_those_of_the_default_values(
    render: Render, tmp_path: Path
) -> None:
    assert permissions(default_settings(), NAMESPACE) == permissions(loaded(render(), tmp_path), NAMESPACE)


@pytest.mark.parametrize("injection", [False, True])
@pytest.mark.parametrize("release", ["steerway", "mesh", "a.b", "1"])
def test_names_and_kinds_are_those_that_are_rendered(render: Render, injection: bool, release: str) -> None:
    """Helm's record is a Secret, too."""
    rendering = render(values=INJECTION if injection else {}, release=release)
    listed = {
        item.plural: item.path(NAMESPACE, chart.full_name(release)) for item in chart.created(injection)
    }
    rendered = {f"{item['kind'].lower()}s".replace("policys", "policies") for item in rendering}
    assert rendered | {"secrets"} == listed.keys()
    names = {item["metadata"]["name"] for item in rendering}
    unknown = {path for path in listed.values() if path and path.rpartition("/")[2] not in names}
    assert unknown == set()


def test_the_pod_has_what_admission_looks_at(render: Render) -> None:
    rendering = render()
    (container,) = chart.pod(NAMESPACE)["spec"]["containers"]
    assert rendering.pod()["securityContext"] == chart.POD_SECURITY
    assert rendering.container()["securityContext"] == container["securityContext"]
    assert rendering.container()["resources"] == container["resources"]


def test_the_oldest_version_of_kubernetes() -> None:
    required = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    assert required == f">=1.{api_server.OLDEST_MINOR}.0-0"
