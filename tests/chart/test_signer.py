"""The signer of workload certificates: a Deployment of its own, with its own account and only its permissions."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from steerway import config
from steerway.config.section.security.identity import DEFAULT_SIGNER
from steerway.signer.authority.bundle import bundle_name
from testbed.helm.tools import ToolError
from testbed.manifest import Manifest
from tests.chart.conftest import NEEDS_HELM, Render, Rendering

pytestmark = NEEDS_HELM

ON: dict[str, Any] = {"signer": {"enabled": True}}
NAME = "steerway-signer"
_LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": "steerway"}


def pod(rendering: Rendering) -> Manifest:
    spec: Manifest = rendering.of("Deployment", NAME)["spec"]["template"]["spec"]
    return spec


def rules(rendering: Rendering, account: str) -> dict[tuple[str, str], tuple[set[str], list[str] | None]]:
    """What an account may do: verbs and names by kind of role and resource."""
    bound = {
        (item["kind"].removesuffix("Binding"), item["roleRef"]["name"])
        for item in rendering
        if item["kind"] in ("RoleBinding", "ClusterRoleBinding")
        and [subject["name"] for subject in item["subjects"]] == [account]
    }
    allowed: dict[tuple[str, str], tuple[set[str], list[str] | None]] = {}
    for item in rendering:
        if (item["kind"], item["metadata"]["name"]) in bound:
            for rule in item["rules"]:
                for resource in rule["resources"]:
                    key = (item["kind"], f"{resource} {'named' if 'resourceNames' in rule else 'any'}")
                    allowed[key] = (set(rule["verbs"]), rule.get("resourceNames"))
    return allowed


def test_nothing_of_it_is_installed_by_default(render: Render) -> None:
    assert not [item for item in render() if "signer" in item["metadata"]["name"]]


def test_it_has_its_own_pods(render: Render) -> None:
    """Neither the Service of the xDS server nor its budget selects them; they are as restricted."""
    rendering = render(values=ON)
    for kind, name in (("Deployment", NAME), ("Deployment", "steerway")):
        spec = rendering.of(kind, name)["spec"]
        labels = spec["template"]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        assert (labels["app.kubernetes.io/name"] == NAME) == (name == NAME)
    assert rendering.of("PodDisruptionBudget", NAME)["spec"]["selector"]["matchLabels"] == _LABELS
    assert rendering.of("NetworkPolicy", NAME)["spec"]["podSelector"]["matchLabels"] == _LABELS
    for constraint in pod(rendering)["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"] == _LABELS
    own, other = pod(rendering), rendering.pod()
    assert own["serviceAccountName"] == NAME
    assert own["securityContext"] == other["securityContext"]
    assert own["containers"][0]["securityContext"] == other["containers"][0]["securityContext"]


def test_its_permissions_are_the_least(render: Render) -> None:
    """It reads no Secret but its own, and signs for one signer."""
    rendering = render(values=ON)
    assert rules(rendering, NAME) == {
        ("ClusterRole", "podcertificaterequests any"): ({"list", "watch"}, None),
        ("ClusterRole", "podcertificaterequests/status any"): ({"patch"}, None),
        ("ClusterRole", "signers named"): ({"sign", "attest"}, [DEFAULT_SIGNER]),
        ("ClusterRole", "clustertrustbundles any"): ({"create"}, None),
        ("ClusterRole", "clustertrustbundles named"): ({"get", "update"}, [bundle_name(DEFAULT_SIGNER)]),
        ("ClusterRole", "pods any"): ({"get"}, None),
        ("ClusterRole", "serviceaccounts any"): ({"get"}, None),
        ("ClusterRole", "nodes any"): ({"get"}, None),
        ("ClusterRole", "events any"): ({"create", "get", "patch"}, None),
        ("Role", "secrets any"): ({"create"}, None),
        ("Role", "secrets named"): ({"get", "update"}, [NAME]),
        ("Role", "leases named"): ({"get", "update"}, [NAME]),
    }
    assert rendering.of("Lease", NAME)
    of_the_server = rules(rendering, "steerway")
    assert not [key for key in of_the_server if "certificate" in key[1] or "signers" in key[1]]


def test_another_signer_is_another_bundle(render: Render) -> None:
    """Settings of identities are those of both programs."""
    identity = {"signer_name": "example.com/mesh", "trust_domain": "example.com"}
    rendering = render(values={**ON, "settings": {"identity": identity}})
    allowed = rules(rendering, NAME)
    assert allowed["ClusterRole", "signers named"][1] == ["example.com/mesh"]
    assert allowed["ClusterRole", "clustertrustbundles named"][1] == ["example.com:mesh:roots"]
    text = rendering.of("ConfigMap", NAME)["data"]["steerway.yaml"]
    assert yaml.safe_load(text)["identity"] == identity
    assert yaml.safe_load(rendering.settings())["identity"] == identity


def test_its_settings_are_those_of_its_objects(render: Render, tmp_path: Path) -> None:
    rendering = render(values={"signer": {"enabled": True, "port": 9000}})
    text = rendering.of("ConfigMap", NAME)["data"]["steerway.yaml"]
    assert yaml.safe_load(text) == {
        "log_format": "json",
        "signer": {"listen": "0.0.0.0:9000", "secret": NAME, "lease_name": NAME},
    }
    file = tmp_path / "steerway.yaml"
    file.write_text(text)
    assert config.load(file, {}, {}).signer.secret == NAME
    (container,) = pod(rendering)["containers"]
    assert container["args"] == ["signer", "--config=/etc/steerway/config/steerway.yaml"]
    assert container["ports"] == [{"name": "http", "containerPort": 9000}]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert "signer" not in yaml.safe_load(rendering.settings())


def test_only_metrics_are_read_from_it(render: Render) -> None:
    (rule,) = render(values=ON).of("NetworkPolicy", NAME)["spec"]["ingress"]
    assert rule["ports"] == [{"port": "http"}]
    assert rule["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] == "monitoring"
    closed = render(values={**ON, "networkPolicy": {"monitoring": []}}).of("NetworkPolicy", NAME)["spec"]
    assert closed["ingress"] == []


def test_pods_get_certificates_with_the_values_for_it(render: Render) -> None:
    rendering = render("mtls")
    assert yaml.safe_load(rendering.settings())["injection"]["certificates"] is True
    assert rendering.of("Deployment", NAME)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"settings": {"signer": {"leaf_seconds": 3600}}}, "set signer.enabled"),
        ({**ON, "settings": {"signer": {"secret": "x"}}}, "settings.signer.secret is written by the chart"),
        ({"signer": {"enabled": True, "replicas": -1}}, "replicas"),
    ],
)
def test_contradictions_are_refused(values: dict[str, Any], reason: str, render: Render) -> None:
    with pytest.raises(ToolError, match=reason):
        render(values=values)
