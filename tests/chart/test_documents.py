"""Values in the documents: the chart accepts them, and they have the effect that the text states."""

from typing import Any

import pytest
import yaml

from testbed import markdown
from testbed.helm.tools import ToolError
from tests.chart.conftest import NEEDS_HELM, Render
from tests.support.chart.kustomize_base import CHART

pytestmark = NEEDS_HELM
DOCS = CHART.parents[1] / "docs"


def values(document: str, heading: str, first: str) -> dict[str, Any]:
    """The YAML block of a section that starts with this key."""
    listed = markdown.blocks(DOCS / document, "yaml", heading)
    (block,) = (block for block in listed if block.text.startswith(f"{first}:"))
    return dict(yaml.safe_load(block.text))


def test_three_values_together_close_the_port_without_tls(render: Render) -> None:
    given = values("guides/install.md", "Security", "tls")
    closed = render("tls", given)
    ports = {port["name"] for port in closed.container()["ports"]}
    assert "xds-tls" in ports
    assert "xds" not in ports
    for key in ("admin", "settings"):
        with pytest.raises(ToolError, match="plaintext"):
            render("tls", {name: value for name, value in given.items() if name != key})


def test_the_policy_admits_the_namespaces_of_clients_only(render: Render) -> None:
    given = values("security.md", "The address of a pod", "networkPolicy")
    policy = render("", given).of("NetworkPolicy")["spec"]
    peers = [{"namespaceSelector": {"matchLabels": {"steerway.io/clients": "true"}}}]
    assert [rule["from"] for rule in policy["ingress"]] == [peers]
    labels = render().of("Deployment")["spec"]["template"]["metadata"]["labels"]
    (own,) = (
        yaml.safe_load(block.text)
        for block in markdown.blocks(DOCS / "security.md", "yaml", "The address of a pod")
        if "kind: NetworkPolicy" in block.text
    )
    assert own["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
