"""The protocol of a port: by its appProtocol, its name, and routes; and the clients that do not connect."""

import pytest

from steerway.catalog.model.mesh import Port, ServiceId
from steerway.catalog.model.protocol import Protocol, stated
from steerway.catalog.service import connection
from steerway.status.condition import LIMITED
from tests.support.model.attached import EvaluatedMesh

HTTP1, HTTP2, TLS, TCP = Protocol.HTTP1, Protocol.HTTP2, Protocol.TLS, Protocol.TCP
GRPC, HTTP = "GRPCRoute", "HTTPRoute"


@pytest.mark.parametrize(
    ("app_protocol", "name", "routes", "expected"),
    [
        ("", "", (), None),
        ("", "web", (), None),
        ("", "default", (), None),
        ("", "tcp", (), None),
        ("", "httpd", (), None),
        ("example.com/custom", "", (), None),
        ("", "http", (), HTTP1),
        ("", "http-web", (GRPC,), HTTP1),
        ("", "grpc", (HTTP,), HTTP2),
        ("", "grpc-web", (), HTTP2),
        ("", "http2", (), HTTP2),
        ("", "h2c-api", (HTTP,), HTTP2),
        ("", "https", (), TLS),
        ("", "tls-admin", (), TLS),
        ("http", "grpc", (GRPC,), HTTP1),
        ("HTTP", "", (), HTTP1),
        ("http/1.1", "web", (), HTTP1),
        ("kubernetes.io/ws", "", (), HTTP1),
        ("ws", "", (), HTTP1),
        ("grpc", "http", (), HTTP2),
        ("kubernetes.io/h2c", "http", (HTTP,), HTTP2),
        ("https", "http", (), TLS),
        ("wss", "", (), TLS),
        ("kubernetes.io/wss", "web", (HTTP,), TLS),
        ("tcp", "http", (), TCP),
        ("example.com/custom", "http", (), HTTP1),
        ("example.com/custom", "grpc", (), HTTP2),
        ("redis", "web", (HTTP,), HTTP1),
        ("", "web", (HTTP,), HTTP1),
        ("", "web", (GRPC,), HTTP2),
        ("", "web", (GRPC, HTTP), HTTP2),
    ],
)
def test_a_protocol_is_stated(
    app_protocol: str, name: str, routes: tuple[str, ...], expected: Protocol | None
) -> None:
    """An unknown appProtocol is ignored; a name counts up to its first hyphen; routes count last."""
    result = stated(app_protocol, name, routes)
    assert result.protocol is expected
    assert bool(result.origin) == (expected is not None)


@pytest.mark.parametrize(
    ("port", "envoys", "note"),
    [
        (Port(1, "http"), True, ""),
        (Port(1, "grpc"), True, ""),
        (Port(1, "web"), True, "HTTP/2 is assumed for Envoy: name the port http for HTTP/1.1, or grpc"),
        (Port(1, "web", "https"), False, "Envoys do not connect to it: appProtocol https states TLS"),
        (Port(1, "https"), False, "Envoys do not connect to it: the port name https states TLS"),
        (
            Port(1, "web", "tcp"),
            False,
            "Envoys do not connect to it: appProtocol tcp: protocols other than HTTP",
        ),
    ],
)
def test_envoys_connect_where_plaintext_http_is_spoken(port: Port, envoys: bool, note: str) -> None:
    """gRPC clients bring what they speak."""
    assert bool(connection.refusal(port, envoy=True)) is not envoys
    assert connection.refusal(port, envoy=False) == ""
    assert connection.note(port).startswith(note)
    assert bool(connection.note(port)) == bool(note)


SERVICES = """
kind: Service
metadata: {name: front}
spec: {ports: [{port: 80, name: a}, {port: 81, name: b}]}
---
kind: Service
metadata: {name: back}
spec: {ports: [{port: 80}]}
"""


def route(kind: str, parent: str = "front", backend: str = "back", namespace: str = "shop") -> str:
    """One named like its kind in lower case."""
    return f"""
kind: {kind}
metadata: {{name: {kind.lower()}, namespace: {namespace}}}
spec:
  parentRefs: [{{group: '', kind: Service, namespace: shop, name: {parent}}}]
  rules: [{{backendRefs: [{{name: {backend}, namespace: shop, port: 80}}]}}]
"""


def protocols(mesh: EvaluatedMesh) -> dict[str, Protocol | None]:
    """By Service and port."""
    return {
        f"{service.id.name}:{port.number}": port.protocol.protocol
        for service in mesh.catalog
        for port in service.ports
    }


def test_a_port_speaks_what_the_routes_that_name_it_are_for() -> None:
    """As a parent, by number or name, and as a backend; what a route names no more is as before."""
    mesh = EvaluatedMesh(SERVICES)
    unstated = {"front:80": None, "front:81": None, "back:80": None}
    assert protocols(mesh) == unstated
    mesh.put(route(HTTP))
    assert protocols(mesh) == dict.fromkeys(unstated, HTTP1)
    mesh.put(route(GRPC, parent="front, sectionName: b"))
    assert protocols(mesh) == {"front:80": HTTP1, "front:81": HTTP2, "back:80": HTTP2}
    mesh.put(route(GRPC, parent="front, port: 80", backend="gone"))
    assert protocols(mesh) == {"front:80": HTTP2, "front:81": HTTP1, "back:80": HTTP1}
    mesh.remove(GRPC, "grpcroute")
    mesh.put(route(HTTP, parent="front, port: 80", backend="gone"))
    assert protocols(mesh) == unstated | {"front:80": HTTP1}
    mesh.remove(HTTP, "httproute")
    assert protocols(mesh) == unstated


def test_a_route_of_another_namespace_changes_nothing_for_all() -> None:
    """Else its author would decide how clients of every namespace connect."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(route(HTTP, namespace="pay"))
    assert set(protocols(mesh).values()) == {None}


def test_a_route_to_a_port_without_envoys_is_limited() -> None:
    """Its status has the limitation, and it is accepted: gRPC clients connect."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put("kind: Service\nmetadata: {name: back}\nspec: {ports: [{port: 80, appProtocol: https}]}\n")
    mesh.put(route(HTTP))
    conditions = mesh.conditions(HTTP, "httproute")
    assert conditions["Accepted"].status
    assert conditions[LIMITED].status
    assert "rule 0: Envoys do not connect to port 80 of Service shop/back: appProtocol https" in (
        conditions[LIMITED].message
    )
    mesh.put("kind: Service\nmetadata: {name: back}\nspec: {ports: [{port: 80, appProtocol: http}]}\n")
    assert LIMITED not in mesh.conditions(HTTP, "httproute")


def test_the_port_of_a_service_stays_as_it_is_for_equal_facts() -> None:
    """A change of a route that names the same ports concerns its parents alone."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(route(HTTP))
    before = mesh.catalog.service(ServiceId("shop", "back"))
    mesh.put(route(HTTP).replace("rules: [{", "rules: [{name: x, "))
    assert mesh.catalog.service(ServiceId("shop", "back")) is before
