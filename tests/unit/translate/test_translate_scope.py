"""What clients get of Services outside the scope: a backend of routes, and no target."""

from typing import Any

import msgspec
import pytest

from steerway.errors import UnknownServiceError
from steerway.explain import Explainer, Question, access
from steerway.sources.policy.gateway import GRPCRoute
from steerway.translate.xds import type_url
from testbed.mesh import ENVOY, UNKNOWN, AbsentError, Mesh, endpoint_slice, service

ROUTE: dict[str, Any] = {
    "metadata": {"name": "r", "namespace": "shop"},
    "spec": {
        "parentRefs": [{"group": "", "kind": "Service", "name": "web"}],
        "rules": [{"backendRefs": [{"name": "spare", "port": 80}]}],
    },
}
SPARE = "spare.shop.svc.cluster.local:80"
OTHER = "other.shop.svc.cluster.local:80"


@pytest.fixture
def mesh() -> Mesh:
    """`web` is served; its route names `spare`, and nothing names `other`."""
    services = [service(80, name=name) for name in ("web", "spare", "other")]
    slices = [endpoint_slice("10.0.0.9", name="s-1", service="spare")]
    return Mesh(*services, *slices, msgspec.convert(ROUTE, GRPCRoute), only=["web"])


def absence(mesh: Mesh, served: str, name: str) -> str:
    with pytest.raises(AbsentError) as caught:
        mesh.get(served, name, UNKNOWN)
    return str(caught.value)


def test_a_route_of_a_served_service_reaches_backends_outside_the_scope(mesh: Mesh) -> None:
    """As in its status; the backend is no target, and goes with the route."""
    assert mesh.dial("web") == ["10.0.0.9:50051"]
    for name, target in (("spare", SPARE), ("other", OTHER)):
        reason = f"service shop/{name} is not listed in the setting upstream_services, so it is not served"
        assert absence(mesh, type_url.LISTENER, f"{name}.shop") == reason
        assert absence(mesh, type_url.ROUTE, target) == reason
    assert "upstream_services" in absence(mesh, type_url.CLUSTER, OTHER)
    assert "service shop/gone not found" in absence(mesh, type_url.LISTENER, "gone")
    mesh.update(delete=[msgspec.convert(ROUTE, GRPCRoute).key])
    assert mesh.dial("web") == []
    assert "upstream_services" in absence(mesh, type_url.CLUSTER, SPARE)


def test_an_envoy_sees_the_clusters_of_its_routes_and_no_other_hosts(mesh: Mesh) -> None:
    """A backend outside the scope has a cluster and no virtual host."""
    mesh.demand((type_url.CLUSTER, "*", ENVOY))
    clusters = {
        name
        for (served, name, _), content in mesh.published.entries.items()
        if served == type_url.CLUSTER and not isinstance(content, str)
    }
    assert clusters == {"web.shop.svc.cluster.local:80", SPARE}
    mesh.demand((type_url.ROUTE, "steerway.sidecar", ENVOY))
    routes = mesh.published.body(type_url.ROUTE, "steerway.sidecar", ENVOY)
    assert b"web.shop" in routes
    assert b"other.shop" not in routes
    assert b"spare.shop.svc" in routes, "as the cluster of the rule"
    assert b"spare.shop:80" not in routes


@pytest.mark.parametrize("name", ["spare", "other"])
def test_explain_names_the_setting(mesh: Mesh, name: str) -> None:
    """No other name is proposed, since this one is right."""
    explainer = Explainer(
        find=mesh.catalog.service,
        known=lambda: mesh.catalog,
        metadata=lambda id: mesh.catalog.metadata(mesh.facts.get, id),
        preview=mesh.translator.preview,
        topology="zone",
        domain="cluster.local",
        namespace="shop",
        buckets=0,
        access=access.of_catalog(mesh.catalog, mesh.facts.get),
        left_out=mesh.catalog.left_out,
    )
    with pytest.raises(UnknownServiceError, match="upstream_services") as caught:
        explainer.explain(Question(f"xds:///{name}"))
    assert caught.value.nearest == []
