"""The values: their schema is complete and refuses mistakes, and the settings of every rendering are valid."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from steerway import config
from steerway.config import SETTINGS
from testbed.helm.tools import ToolError, Tools
from tests.chart.conftest import NEEDS_HELM, Render
from tests.support.chart.__main__ import derived
from tests.support.chart.kustomize_base import CHART
from tests.support.chart.values_document import values

pytestmark = NEEDS_HELM

FILES = ("", "namespaced", "tls", "monitoring", "namespaced tls", "tls monitoring")
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())


@pytest.mark.parametrize("path", derived(), ids=lambda path: path.name)
def test_a_derived_file_is_up_to_date(path: Path) -> None:
    """Version, schema of settings, table of the README, definition of TrafficPolicy: `make chart` writes them."""
    assert path.read_text("utf-8") == derived()[path]


def test_every_value_is_described() -> None:
    described = list(values((CHART / "values.yaml").read_text()))
    assert len(described) > 50
    assert [value.path for value in described if not value.description] == []


def paths(tree: Any, prefix: str = "") -> Iterator[str]:
    """The dotted paths of a schema's properties, without what is below free mappings."""
    for name, schema in tree.get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from paths(schema, f"{prefix}{name}.")


def given(tree: Any, prefix: str = "") -> Iterator[str]:
    for name, value in tree.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from given(value, f"{prefix}{name}.")


def test_schema_and_defaults_have_the_same_keys() -> None:
    """Apart from `settings`, whose keys are those of steerway, and `global`, which Helm passes to each chart."""
    in_schema = set(paths(SCHEMA)) - {"global", "resources.claims"}
    in_values = {path for path in given(DEFAULTS) if not path.startswith("settings.")}
    assert in_schema - in_values == set()
    missing = in_values - in_schema
    assert {path.partition(".")[0] for path in missing} <= {
        "monitoring",
        "podSecurityContext",
        "probes",
        "resources",
        "securityContext",
        "signer",
    }


def test_defaults_of_settings_are_those_of_steerway() -> None:
    """Apart from what differs in a pod."""
    different = {"log_format", "kubernetes.namespaces", "authentication.pod_address"}
    leaves = {
        path: value
        for path in given(DEFAULTS["settings"])
        if not isinstance(value := lookup(DEFAULTS["settings"], path), dict)
    }
    assert len(leaves) > 5
    assert leaves.keys() <= SETTINGS.keys()
    wrong = {path for path, value in leaves.items() if SETTINGS[path].default != value}
    assert wrong == different


def lookup(tree: Any, path: str) -> Any:
    for part in path.split("."):
        tree = tree[part]
    return tree


def test_the_chart_is_linted(tools: Tools) -> None:
    assert "1 chart(s) linted, 0 chart(s) failed" in tools.helm("lint", "--strict", str(CHART))


@pytest.mark.parametrize("files", FILES)
def test_settings_of_a_rendering_are_valid(files: str, render: Render, tmp_path: Path) -> None:
    """steerway reads them without an error, with the values of the chart."""
    file = tmp_path / "steerway.yaml"
    file.write_text(render(files).settings())
    settings = config.load(file, {}, {})
    assert settings.kubernetes.enabled
    assert (settings.tls.certificate is not None) is ("tls" in files)
    assert settings.kubernetes.namespaces == (() if "namespaced" in files else ("all",))
    assert settings.authentication.pod_address == "plaintext"
    ports = ("0.0.0.0:18443", "0.0.0.0:18000") if "tls" in files else ("0.0.0.0:18000",)
    assert (*settings.listen, *settings.plaintext_listen) == ports
    exposed = "monitoring" in files
    assert settings.admin.startswith("0.0.0.0:" if exposed else "127.0.0.1:")
    assert (settings.admin_token_file is not None) is exposed


def test_every_setting_can_be_given(render: Render, tmp_path: Path) -> None:
    """A whole tree, which the chart does not know, reaches steerway."""
    tree = {
        "topology": "node",
        "service_selector": "team=shop",
        "clusters": [{"name": "east", "kubeconfig": "/etc/clusters.yaml", "priority": 2}],
        "debounce": {"quiet_seconds": 0.2},
        "authentication": {"token_file": "/etc/tokens"},
        "authorization": {"rules": [{"identity": {"namespace": "shop"}, "subscribe": ["./*"]}]},
    }
    file = tmp_path / "steerway.yaml"
    file.write_text(render(values={"settings": tree}).settings())
    settings = config.load(file, {}, {})
    assert (settings.topology, settings.service_selector) == ("node", "team=shop")
    assert settings.clusters[0].priority == 2
    assert settings.debounce.quiet_seconds == 0.2
    assert settings.authorization.rules[0].identity.namespace == "shop"


REFUSED = [
    ({"replica": 3}, "additional properties 'replica' not allowed"),
    ({"replicas": "three"}, "at '/replicas': got string, want null or integer"),
    ({"settings": None}, "at '': missing property 'settings'"),
    ({"settings": {"authentication": None}}, "missing property 'authentication'"),
    ({"settings": {"authentication": {"pod_address": None}}}, "missing property 'pod_address'"),
    ({"service": {"port": None}}, "at '/service': missing property 'port'"),
    ({"injection": {"caBundle": "LS0tLS1CRUdJTg=="}}, "at '/injection/caBundle'"),
    ({"image": {"tga": "1"}}, "at '/image': additional properties 'tga' not allowed"),
    ({"image": {"digest": "latest"}}, "at '/image/digest'"),
    ({"service": {"port": 70000}}, "at '/service/port': maximum: got 70,000, want 65,535"),
    ({"extraArgs": "--log-level debug"}, "at '/extraArgs': got string, want array"),
    ({"settings": {"drain_second": 5}}, "at '/settings': additional properties 'drain_second' not allowed"),
    ({"settings": {"drain_seconds": "5 s"}}, "at '/settings/drain_seconds': got string, want number"),
    (
        {"settings": {"kubernetes": {"namespaces": "shop"}}},
        "at '/settings/kubernetes/namespaces': got string",
    ),
    (
        {"settings": {"topology": False}},
        "at '/settings/topology': value must be one of 'node', 'off', 'zone'",
    ),
]


@pytest.mark.parametrize(("wrong", "reason"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_mistake_is_refused(wrong: dict[str, Any], reason: str, render: Render) -> None:
    """With its place."""
    with pytest.raises(ToolError) as failure:
        render(values=wrong)
    assert reason in str(failure.value)


def test_null_is_an_empty_value_or_refused(tools: Tools) -> None:
    """Never an error of a template. `podLabels:` without a value is null in YAML."""
    everything: dict[str, Any] = {
        "injection": {"enabled": True},
        "autoscaling": {"enabled": True},
        "admin": {"exposed": True},
    }
    everything["monitoring"] = {
        name: {"enabled": True} for name in ("serviceMonitor", "prometheusRule", "dashboard")
    }
    free = [path for path in given(DEFAULTS) if isinstance(lookup(DEFAULTS, path), list | dict)]
    accepted = {path for path in free if null_is_accepted(tools, path, everything)}
    assert {"podLabels", "commonLabels", "injection.excludedNamespaces", "monitoring.labels"} <= accepted
    assert not accepted & {"image", "settings", "tls", "admin", "probes.liveness", "monitoring.dashboard"}


def null_is_accepted(tools: Tools, path: str, others: dict[str, Any]) -> bool:
    tree = null = copy.deepcopy(others)
    *sections, name = path.split(".")
    for section in sections:
        null = null.setdefault(section, {})
    null[name] = None
    try:
        tools.run("helm", "template", "steerway", str(CHART), "--values=-", stdin=json.dumps(tree))
    except ToolError as error:
        assert "missing property" in str(error) or "injection.enabled needs all namespaces" in str(error)
        return False
    return True
