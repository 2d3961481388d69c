"""A real Envoy before servers of HTTP/1.1 and of gRPC: it speaks to each port what its Service and routes state."""

from typing import Any

import grpc
import pytest

from testbed.backend.http_backend import http_backend
from testbed.envoy.envoy_mesh import EnvoyMesh, answered_by, eventually
from testbed.envoy.envoy_mesh import mesh as mesh
from testbed.manifest import Manifest, backend_ref, grpc_route, http_route, rule, service, slices

pytestmark = pytest.mark.needs("envoy")

STATED: dict[str, dict[str, str]] = {
    "custom": {"name": "http", "appProtocol": "example.com/custom"},
    "h11": {"name": "web", "appProtocol": "http/1.1"},
    "parent": {"name": "web"},
    "backend": {"name": "default"},
    "unnamed": {},
}
"""Services of HTTP/1.1 servers by what they state of their port."""
REFUSED: dict[str, dict[str, str]] = {
    "wss": {"name": "web", "appProtocol": "kubernetes.io/wss"},
    "https": {"name": "http", "appProtocol": "https"},
    "tls": {"name": "tls-web"},
    "tcp": {"name": "http", "appProtocol": "tcp"},
}


def published(mesh: EnvoyMesh, name: str, port: dict[str, str], address: str) -> None:
    """A Service of one port 80."""
    results: dict[str, Any] = service(name, {port.get("name", ""): 80})
    results["spec"]["ports"] = [{"port": 80, **port}]
    mesh.files.write(f"{name}.yaml", results, *slices(name, [address], port.get("name", "")))


def to(name: str) -> Manifest:
    return rule(backend_ref(name, port=80))


def test_each_server_is_spoken_to_in_its_protocol(mesh: EnvoyMesh) -> None:
    """By appProtocol, name and routes; a server whose port states TLS or TCP gets no connection."""
    (h2,) = mesh.backends.open(1)
    with http_backend("h1") as h1:
        for name, port in (STATED | REFUSED).items():
            published(mesh, name, port, h1.address)
        for name in ("silent", "called"):
            published(mesh, name, {"name": "api"}, h2)
        mesh.write(
            http_route("parent", "parent", to("parent"), to("backend")),
            http_route(
                "gateway", "custom", to("custom"), to("backend"), to("unnamed"), to("wss"), to("called")
            ),
            grpc_route("called", "called", to("called")),
        )
        mesh.start()
        for name in STATED:
            http = mesh.http(f"{name}.shop")
            eventually(lambda http=http: http.get("/").status_code, lambda status: status == 200, name)
        answers = len(h1.seen)
        for name in REFUSED:
            assert mesh.http(f"{name}.shop").get("/").status_code == 500, name
            assert mesh.grpc(f"{name}.shop:80").call().code is grpc.StatusCode.UNAVAILABLE, name
        assert len(h1.seen) == answers
        for name in ("silent", "called"):
            eventually(mesh.grpc(f"{name}.shop:80").call, answered_by(h2), name)


def test_a_service_of_a_mapping_takes_any_port(mesh: EnvoyMesh) -> None:
    """Its key has no port, and neither its virtual host nor its cluster invents one."""
    (address,) = mesh.backends.open(1)
    host, _, port = address.rpartition(":")
    mesh.files.write("mapping.yaml", {"backend.shop": {"a": [{"ip": host, "port": int(port)}]}})
    mesh.start()
    for authority in ("backend.shop", "backend.shop:50051", "backend.shop.svc.cluster.local:9"):
        eventually(mesh.grpc(authority).call, answered_by(address), authority)
