"""Envoys that subscribe to everything: what they are sent, and what a change costs."""

import msgspec
import pytest

from steerway.commit import Commit
from steerway.sources.objects.core import EXPORT_ANNOTATION, PRIVATE_ANNOTATION, Service, ServicePort
from steerway.translate.xds import type_url
from testbed.mesh import ENVOY, GATEWAY, UNKNOWN, AbsentError, Mesh, endpoint_slice, service
from tests.support.example.route_example import grpc_route, parent, rule

CLUSTERS, LISTENERS = (type_url.CLUSTER, "*"), (type_url.LISTENER, "*")
ROUTES = (type_url.ROUTE, "steerway.sidecar")
CANONICAL = "backend.shop.svc.cluster.local:50051"
PAY = "envoy/sidecar/pay"


def put(commit: Commit) -> list[tuple[str, str]]:
    """(type, name) of what is published, in order; the type by its last word."""
    return sorted(
        (resource.type_url.rpartition(".")[2], resource.name.partition(".")[0]) for resource in commit.put
    )


def seen(mesh: Mesh, served: str, audience: str) -> set[str]:
    """The names that a wildcard sees in the engine's store: all that are published for its audience."""
    result = set()
    for kind, name, published in mesh.published.entries:
        if kind == served and f"{audience}/".startswith(f"{published}/" if published else ""):
            try:
                mesh.published.body(served, name, audience)
            except AbsentError:
                continue
            result.add(name.partition(".")[0])
    return result


def annotated(result: Service, **annotations: str) -> Service:
    names = {"export": EXPORT_ANNOTATION, "private": PRIVATE_ANNOTATION}
    metadata = msgspec.structs.replace(
        result.metadata, annotations={names[key]: value for key, value in annotations.items()}
    )
    return msgspec.structs.replace(result, metadata=metadata)


@pytest.fixture
def mesh() -> Mesh:
    """Two Services of one port each."""
    return Mesh(service(50051), service(50051, name="cart"), endpoint_slice("10.0.0.1"))


def test_a_sidecar_gets_a_listener_its_routes_and_all_clusters(mesh: Mesh) -> None:
    """The wildcard may be answered in the commit that brings them, and not before."""
    commit = mesh.demand((*LISTENERS, ENVOY), (*CLUSTERS, ENVOY), (*ROUTES, ENVOY))
    assert put(commit) == [
        ("Cluster", "backend"),
        ("Cluster", "cart"),
        ("Listener", "steerway"),
        ("RouteConfiguration", "steerway"),
    ]
    assert commit.complete == [(type_url.LISTENER, ENVOY), (type_url.CLUSTER, ENVOY)]
    references = {resource.type_url: resource.references for resource in commit.put}
    assert references[type_url.LISTENER] == (ROUTES,)
    assert (type_url.CLUSTER, CANONICAL) in references[type_url.ROUTE]
    assert mesh.get(type_url.ENDPOINT, CANONICAL, ENVOY)


def test_another_namespace_or_locality_adds_only_its_reference(mesh: Mesh) -> None:
    """What is the same for all is published once."""
    mesh.demand((*CLUSTERS, ENVOY))
    for audience in (f"{ENVOY}/eu-1a", PAY):
        commit = mesh.demand((*CLUSTERS, audience))
        assert (commit.put, commit.complete) == ([], [(type_url.CLUSTER, audience)])


def test_a_change_costs_the_service_and_the_routes(mesh: Mesh) -> None:
    """Its cluster when it came or went, nothing of the others; endpoints cost an assignment alone."""
    mesh.demand(
        (*LISTENERS, ENVOY), (*CLUSTERS, ENVOY), (*ROUTES, ENVOY), (type_url.ENDPOINT, CANONICAL, ENVOY)
    )
    assert put(mesh.update(service(50051, name="new"))) == [
        ("Cluster", "new"),
        ("RouteConfiguration", "steerway"),
    ]
    assert put(mesh.update(endpoint_slice("10.0.0.2"))) == [("ClusterLoadAssignment", "backend")]
    assert not mesh.update(endpoint_slice("10.0.0.2", service="new", name="new-1"))
    commit = mesh.update(delete=[service(50051, name="new").key])
    assert put(commit) == [("RouteConfiguration", "steerway")]
    assert [key[:2] for key in commit.forget] == [(type_url.CLUSTER, "new.shop.svc.cluster.local:50051")]


def test_the_last_wildcard_takes_its_clusters_along(mesh: Mesh) -> None:
    """Not those that somebody asks for by name; a change costs nothing then."""
    mesh.demand((*CLUSTERS, ENVOY), (*CLUSTERS, PAY), (type_url.CLUSTER, CANONICAL, ENVOY))
    assert not mesh.withdraw((*CLUSTERS, PAY))
    commit = mesh.withdraw((*CLUSTERS, ENVOY))
    assert [forgotten.name.partition(".")[0] for forgotten in commit.forget] == ["cart"]
    assert not mesh.update(service(50051, name="new"))
    assert mesh.withdraw((type_url.CLUSTER, CANONICAL, ENVOY)).forget
    assert not mesh.withdraw((*CLUSTERS, ENVOY)), "again"


def test_a_name_that_is_asked_for_and_seen_is_kept_for_both(mesh: Mesh) -> None:
    """Whichever goes first."""
    mesh.demand((type_url.CLUSTER, CANONICAL, ENVOY), (*CLUSTERS, ENVOY))
    assert not mesh.withdraw((type_url.CLUSTER, CANONICAL, ENVOY))
    assert seen(mesh, type_url.CLUSTER, ENVOY) == {"backend", "cart"}


def test_a_service_is_seen_where_it_is_exported_to(mesh: Mesh) -> None:
    """Also when that changes; one that is private is withheld by its scope."""
    mesh.demand((*CLUSTERS, ENVOY), (*CLUSTERS, PAY))
    mesh.update(annotated(service(50051), export="."))
    assert (seen(mesh, type_url.CLUSTER, ENVOY), seen(mesh, type_url.CLUSTER, PAY)) == (
        {"backend", "cart"},
        {"cart"},
    )
    mesh.update(annotated(service(50051), export="pay"))
    assert "backend" in seen(mesh, type_url.CLUSTER, PAY)
    mesh.update(annotated(service(50051), private="true"))
    (cluster,) = (
        content
        for (served, name, _), content in mesh.published.entries.items()
        if (served, name) == (type_url.CLUSTER, CANONICAL)
    )
    assert cluster[2] == "shop/backend"


def test_a_gateway_sees_what_routes_expose(mesh: Mesh) -> None:
    """From the moment when there is one, as long as there is one; clusters of sidecars are not its."""
    mesh.demand((*CLUSTERS, ENVOY), (*CLUSTERS, GATEWAY), (type_url.ROUTE, "steerway.gateway", GATEWAY))
    assert seen(mesh, type_url.CLUSTER, GATEWAY) == set()
    route = grpc_route(rule("cart"), parents=[parent()])
    mesh.update(route)
    assert seen(mesh, type_url.CLUSTER, GATEWAY) == {"cart"}
    mesh.update(delete=[route.key])
    assert seen(mesh, type_url.CLUSTER, GATEWAY) == set()


def test_a_cluster_may_move_from_one_reason_to_another_at_once(mesh: Mesh) -> None:
    """What goes for one service and comes for another in one batch stays."""
    first, second = (
        grpc_route(rule("cart"), parents=[parent(name)], name=f"to-{name}") for name in ("backend", "cart")
    )
    mesh.update(first)
    mesh.demand((*CLUSTERS, GATEWAY))
    commit = mesh.update(second, delete=[first.key])
    assert not commit.put
    assert not commit.forget
    assert seen(mesh, type_url.CLUSTER, GATEWAY) == {"cart"}


def test_raw_envoys_see_raw_resources_alone(mesh: Mesh) -> None:
    """They may be answered at once."""
    raw = "envoy/raw/shop"
    commit = mesh.demand((*LISTENERS, raw), (*CLUSTERS, raw))
    assert (commit.put, len(commit.complete)) == ([], 2)
    with pytest.raises(AbsentError, match="no file gives it"):
        mesh.get(type_url.CLUSTER, CANONICAL, raw)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.shop.svc.cluster.local:1", "service shop/missing not found"),
        ("backend.shop.svc.cluster.local:1", "no TCP port 1"),
        ("web-0.backend.shop.svc.cluster.local:50051", "not of single pods"),
        ("steerway.blackhole", "no file gives"),
    ],
)
def test_a_cluster_that_is_none_is_absent(mesh: Mesh, name: str, reason: str) -> None:
    """With a reason."""
    with pytest.raises(AbsentError, match=reason):
        mesh.get(type_url.CLUSTER, name, ENVOY)


def test_a_glob_collection_keeps_what_it_sees(mesh: Mesh) -> None:
    """The engine takes a wildcard's completeness back when the `*` goes; a collection that is left needs it."""
    collection = (type_url.CLUSTER, "xdstp://a/envoy.config.cluster.v3.Cluster/*", ENVOY)
    mesh.demand((*CLUSTERS, ENVOY), collection)
    commit = mesh.withdraw((*CLUSTERS, ENVOY))
    assert (commit.forget, commit.complete) == ([], [(type_url.CLUSTER, ENVOY)])
    assert mesh.withdraw(collection).forget


def test_grpc_clients_are_not_touched(mesh: Mesh) -> None:
    """By what Envoys are sent."""
    before = mesh.dial("backend", UNKNOWN)
    mesh.demand((*LISTENERS, ENVOY), (*CLUSTERS, ENVOY), (*ROUTES, ENVOY))
    assert mesh.dial("backend", UNKNOWN) == before


def test_a_port_that_envoys_do_not_connect_to_has_no_cluster(mesh: Mesh) -> None:
    """It goes when that is stated, and comes back; an assignment is given to clients that can connect."""
    mesh.demand((*CLUSTERS, ENVOY), (*ROUTES, ENVOY))
    stated = service(ServicePort(50051, app_protocol="https"))
    commit = mesh.update(stated)
    assert [entry[1:] for entry in commit.absent] == [
        (
            CANONICAL,
            "envoy/sidecar",
            "appProtocol https states TLS: TLS without a BackendTLSPolicy is not supported by Envoy",
        )
    ]
    (routes,) = (resource for resource in commit.put if resource.type_url == type_url.ROUTE)
    assert (type_url.CLUSTER, CANONICAL) not in routes.references
    assert mesh.get(type_url.CLUSTER, CANONICAL, "grpc/core/shop/-/-")
    assert ("Cluster", "backend") in put(mesh.update(service(50051)))
