"""What clients get of a port for which a BackendTLSPolicy asks for TLS that they do not do: no endpoint, whichever name
they know."""

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as http_pb2

from steerway.sources.objects.core import EndpointPort, ServicePort
from steerway.sources.policy.gateway import BackendTLSPolicy
from steerway.translate.destination import BLACKHOLE
from steerway.translate.xds import type_url
from testbed.mesh import (
    CORE,
    ENVOY,
    GATEWAY,
    UNKNOWN,
    AbsentError,
    Mesh,
    addresses,
    endpoint,
    endpoint_slice,
    service,
)
from tests.support.example.route_example import backend, grpc_route, parent, rule, tls_policy

CANONICAL = "backend.shop.svc.cluster.local:50051"
CONFIG_MAP = {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}
POLICY = tls_policy(**CONFIG_MAP)


def mesh_of(*more: object, policy: BackendTLSPolicy = POLICY) -> Mesh:
    """`backend` with the ports `grpc` and `admin`, and the policy."""
    return Mesh(
        service(ServicePort(50051, "grpc"), ServicePort(50052, "admin")),
        endpoint_slice(
            endpoint("10.0.0.1", hostname="backend-0"),
            ports=[EndpointPort("grpc", 50051), EndpointPort("admin", 50052)],
        ),
        policy,
        *more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("target", ["backend.shop:50051", "backend-0.backend.shop:50051"])
def test_calls_of_grpc_clients_fail(target: str) -> None:
    """By the Service's name and that of one pod; they go on when the policy is gone."""
    mesh = mesh_of()
    assert list(mesh.walk(target, CORE)) == [BLACKHOLE]
    assert mesh.dial(target) == []
    mesh.update(delete=[POLICY.key])
    assert mesh.dial(target) == ["10.0.0.1:50051"]


def test_a_client_with_the_cluster_gets_no_endpoint() -> None:
    """It is there, so that no client waits for it."""
    mesh = mesh_of()
    assert mesh.get(type_url.CLUSTER, CANONICAL)
    assert (
        endpoint_pb2.ClusterLoadAssignment.FromString(mesh.get(type_url.ENDPOINT, CANONICAL)).endpoints == []
    )


def test_other_ports_are_as_they_were() -> None:
    """A policy with a sectionName is for that port alone."""
    mesh = mesh_of(policy=tls_policy(section="grpc", **CONFIG_MAP))
    assert mesh.dial("backend.shop:50051") == []
    assert mesh.dial("backend.shop:50052") == ["10.0.0.1:50052"]


def test_a_routes_share_of_it_fails() -> None:
    """The rest goes on; a change of the policy changes the route."""
    route = grpc_route(
        rule(backend("backend", 3), backend("v2", 1)),
        parents=[parent("front")],
    )
    mesh = mesh_of(
        service(50051, name="front"),
        service(50051, name="v2"),
        endpoint_slice("10.0.0.2", service="v2", name="v2-1"),
        route,
    )
    v2 = "v2.shop.svc.cluster.local:50051"
    assert set(mesh.walk("front.shop")) == {BLACKHOLE, v2}
    mesh.update(delete=[POLICY.key])
    assert set(mesh.walk("front.shop")) == {CANONICAL, v2}


def test_an_external_name_is_not_resolved() -> None:
    """On no port of it."""
    mesh = Mesh(service(external_name="db.example.org"), POLICY)
    assert list(mesh.walk("backend.shop:5432", UNKNOWN)) == [BLACKHOLE]
    cluster = "backend.shop.svc.cluster.local:5432"
    assert b"db.example.org" not in mesh.get(type_url.CLUSTER, cluster)
    assert (
        addresses(endpoint_pb2.ClusterLoadAssignment.FromString(mesh.get(type_url.ENDPOINT, cluster)), 1)
        == []
    )


SYSTEM = tls_policy(wellKnownCACertificates="System")
SECURED = f"tls/{CANONICAL}"


def envoy_clusters(mesh: Mesh) -> dict[str, cluster_pb2.Cluster]:
    """What the wildcard of a sidecar sees of `backend`'s port 50051, by its name."""
    clusters = {}
    for name in (CANONICAL, SECURED):
        try:
            body = mesh.published.body(type_url.CLUSTER, name, ENVOY)
        except (AbsentError, AssertionError):
            continue
        clusters[name] = cluster_pb2.Cluster.FromString(body)
    return clusters


def test_envoy_has_another_cluster_with_tls() -> None:
    """Instead of the one in plaintext, with the same endpoints; and back. gRPC clients have none."""
    mesh = mesh_of(policy=SYSTEM)
    mesh.demand((type_url.CLUSTER, "*", ENVOY))
    clusters = envoy_clusters(mesh)
    assert list(clusters) == [SECURED]
    cluster = clusters[SECURED]
    assert cluster.eds_cluster_config.service_name == CANONICAL
    context = tls_pb2.UpstreamTlsContext()
    assert cluster.transport_socket.typed_config.Unpack(context)
    validation = context.common_tls_context.validation_context
    assert context.sni == "backend.test"
    assert validation.trusted_ca.filename == "/etc/ssl/certs/ca-certificates.crt"
    assert [
        match_typed_subject_alt_name.matcher.exact
        for match_typed_subject_alt_name in validation.match_typed_subject_alt_names
    ] == ["backend.test"]
    mesh.demand((type_url.ENDPOINT, CANONICAL, ENVOY))
    body = mesh.published.body(type_url.ENDPOINT, CANONICAL, ENVOY)
    assert addresses(endpoint_pb2.ClusterLoadAssignment.FromString(body), 1) == ["10.0.0.1:50051"]
    assert mesh.dial("backend.shop:50051") == []
    mesh.update(delete=[SYSTEM.key])
    (plain,) = envoy_clusters(mesh).values()
    assert not plain.HasField("transport_socket")
    mesh.update(SYSTEM)
    assert list(envoy_clusters(mesh)) == [SECURED]


def test_a_gateways_backend_may_turn_to_tls() -> None:
    """Its cluster is seen by a route of another Service, whose facts stay as they are."""
    route = grpc_route(rule("backend"), parents=[parent("front")])
    mesh = mesh_of(service(50051, name="front"), route, policy=SYSTEM)
    mesh.demand((type_url.CLUSTER, "*", GATEWAY), (type_url.ROUTE, "steerway.gateway", GATEWAY))
    for change, expected, other in (((), SECURED, CANONICAL), ((SYSTEM.key,), CANONICAL, SECURED)):
        mesh.update(delete=list(change))
        assert mesh.published.body(type_url.CLUSTER, expected, GATEWAY)
        with pytest.raises(AbsentError):
            mesh.published.body(type_url.CLUSTER, other, GATEWAY)
        routes = mesh.published.body(type_url.ROUTE, "steerway.gateway", GATEWAY)
        assert (SECURED.encode() in routes) == (expected == SECURED)


@pytest.mark.parametrize(
    ("port", "options"),
    [
        (ServicePort(50051, "http"), "http_protocol_options"),
        (ServicePort(50051, "grpc"), "http2_protocol_options"),
        (ServicePort(50051, "https"), "auto"),
        (ServicePort(50051, "api"), "auto"),
    ],
)
def test_the_protocol_inside_of_tls_is_negotiated_unless_it_is_stated(
    port: ServicePort, options: str
) -> None:
    """By ALPN."""
    mesh = Mesh(service(port), SYSTEM)
    mesh.demand((type_url.CLUSTER, "*", ENVOY))
    (packed,) = envoy_clusters(mesh)[SECURED].typed_extension_protocol_options.values()
    http_protocol_options = http_pb2.HttpProtocolOptions()
    assert packed.Unpack(http_protocol_options)
    explicit = http_protocol_options.explicit_http_config.WhichOneof("protocol_config")
    assert (explicit or ("auto" if http_protocol_options.HasField("auto_config") else "")) == options


def test_envoy_has_no_cluster_of_it() -> None:
    """Its routes do not name one either."""
    mesh = mesh_of()
    mesh.demand((type_url.CLUSTER, "*", ENVOY))
    with pytest.raises(AbsentError, match="BackendTLSPolicy shop/tls cannot be followed"):
        mesh.get(type_url.CLUSTER, CANONICAL, ENVOY)
    mesh.demand((type_url.ROUTE, "steerway.sidecar", ENVOY))
    (references,) = (
        entry[1]
        for key, entry in mesh.published.entries.items()
        if key[0] == type_url.ROUTE and len(entry) == 3
    )
    assert (type_url.CLUSTER, CANONICAL) not in references
