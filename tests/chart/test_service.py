"""Names and ports of the Services."""

from typing import Any

import pytest

from testbed.helm.tools import Tools
from tests.chart.conftest import NEEDS_HELM, Render
from tests.support.chart.kustomize_base import CHART

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


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
def test_only_the_xds_ports_are_published(kind: str, render: Render) -> None:
    """The admin server and the webhook are for the cluster, by a Service of their own."""
    rendering = render("monitoring", {"service": {"type": kind}, "injection": {"enabled": True}})
    xds, internal = (rendering.of("Service", name)["spec"] for name in ("steerway", "steerway-internal"))
    assert (xds["type"], internal["type"]) == (kind, "ClusterIP")
    assert [port["name"] for port in xds["ports"]] == ["xds"]
    assert [port["name"] for port in internal["ports"]] == ["injection", "admin"]
    assert xds["selector"] == internal["selector"]
    (endpoint,) = rendering.of("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["port"] == "admin"


def test_there_is_one_service_by_default(render: Render) -> None:
    services = [item["metadata"]["name"] for item in render() if item["kind"] == "Service"]
    assert services == ["steerway"]


def test_notes_state_that_addresses_change_on_the_way(tools: Tools) -> None:
    """Through a Service that is published, so that authentication by address refuses the client."""
    hint = "pod_address) refuses clients"
    off = "--set-string=settings.authentication.pod_address=off"
    for options, stated in (
        ([], False),
        (["--set=service.type=LoadBalancer"], True),
        (["--set=service.type=NodePort", off], False),
    ):
        notes = tools.helm("install", "steerway", str(CHART), "--dry-run=client", *options)
        assert (hint in notes.partition("NOTES:")[2]) is stated
