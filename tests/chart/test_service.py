"""Names and ports of the Services."""

from typing import Any

import pytest

from tests.chart.conftest import NEEDS_HELM, Render

pytestmark = NEEDS_HELM


def test_names_follow_the_release(render: Render) -> None:
    rendering = render(values={"fullnameOverride": "mesh"})
    assert rendering.of("Service", "mesh")
    assert rendering.of("ClusterRole", "steerway-system:mesh")


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("mesh", {}, "mesh-steerway"),
        ("a.b", {}, "a-b-steerway"),
        ("steerway.eu", {}, "steerway-eu"),
        ("9", {}, "steerway-9-steerway"),
        ("1steerway", {}, "steerway-1steerway"),
        ("steerway", {"fullnameOverride": "0"}, "steerway-0"),
    ],
)
def test_a_name_is_valid_for_a_service(
    release: str, values: dict[str, Any], name: str, render: Render
) -> None:
    """RFC 1035: no dot, and a letter first. The Lease and the names in the webhook's certificate are the same."""
    rendering = render(values={**values, "injection": {"enabled": True}}, release=release)
    for kind in ("Service", "Deployment", "Lease", "ConfigMap"):
        assert rendering.of(kind, name)
