"""A real Envoy and servers with TLS: with a BackendTLSPolicy it trusts those that the policy names, and no others."""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from testbed.backend.backend import Backends
from testbed.backend.http_backend import http_backend
from testbed.certificate import Authority, Certified
from testbed.envoy.envoy_mesh import EnvoyMesh, eventually
from testbed.manifest import Files, backend_tls_policy, service, slices
from testbed.process.process import Processes
from tests.real.conftest import Steer

pytestmark = pytest.mark.needs("envoy")

SYSTEM = {"wellKnownCACertificates": "System"}
NAME, OTHER, URI = "backend.test", "other.test", "spiffe://cluster.local/ns/shop/sa/web"


@pytest.fixture
def authority() -> Authority:
    """The one whose certificate is the file of the system."""
    return Authority()


@pytest.fixture
def mesh(
    processes: Processes,
    files: Files,
    backends: Backends,
    steer: Steer,
    tmp_path: Path,
    authority: Authority,
) -> Iterator[EnvoyMesh]:
    """As `envoy_mesh.mesh`; Envoys trust the authority."""
    file = tmp_path / "ca.crt"
    file.write_bytes(authority.certificate)
    made = EnvoyMesh(processes, files, backends, steer, tmp_path, "--envoy-system-ca-file", str(file))
    yield made
    made.close()


def context(certificate: Certified, directory: Path, names: list[str]) -> ssl.SSLContext:
    """Of a server of HTTP/1.1; the server names that clients ask for are added to `names`."""
    file = directory / f"{len(list(directory.iterdir()))}.pem"
    file.write_bytes(certificate.certificate + certificate.key)
    ssl_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ssl_context.load_cert_chain(file)
    ssl_context.set_alpn_protocols(["http/1.1"])
    ssl_context.sni_callback = lambda _socket, name, _context: names.append(name or "")  # type: ignore[assignment]
    return ssl_context


def publish(mesh: EnvoyMesh, name: str, port: str, address: str, **validation: Any) -> None:
    """A Service of one port 80, and its policy."""
    policy = backend_tls_policy(name, name, **{"hostname": NAME, **SYSTEM, **validation})
    mesh.files.write(f"{name}.yaml", service(name, {port: 80}), *slices(name, [address], port), policy)


def test_a_server_is_trusted_by_its_certificate(
    mesh: EnvoyMesh, authority: Authority, tmp_path: Path
) -> None:
    """Its name, or one of subjectAltNames instead, and its authority; the hostname is the server name that is sent."""
    sans = {"uri": [{"type": "URI", "uri": URI}], "dns": [{"type": "Hostname", "hostname": OTHER}]}
    trusted: dict[str, tuple[str, Certified, dict[str, Any]]] = {
        "name": ("https", authority.issue(NAME), {}),
        "wildcard": ("http", authority.issue("*.test"), {}),
        "dns": ("web", authority.issue(OTHER), {"subjectAltNames": sans["dns"]}),
        "uri": ("web", authority.issue(URI), {"subjectAltNames": [*sans["dns"], *sans["uri"]]}),
    }
    refused: dict[str, tuple[str, Certified, dict[str, Any]]] = {
        "wrong-name": ("https", authority.issue(OTHER), {}),
        "wrong-san": ("https", authority.issue(NAME), {"subjectAltNames": sans["uri"]}),
        "wrong-authority": ("https", Authority("another").issue(NAME), {}),
    }
    names: list[str] = []
    with ExitStack() as servers:
        made = {}
        for name, (port, certificate, validation) in (trusted | refused).items():
            tls = context(certificate, tmp_path, names)
            made[name] = servers.enter_context(http_backend(name, tls))
            publish(mesh, name, port, made[name].address, **validation)
        mesh.start()
        for name in trusted:
            http = mesh.http(f"{name}.shop")
            eventually(lambda http=http: http.get("/").status_code, lambda status: status == 200, name)
        for name in refused:
            assert mesh.http(f"{name}.shop").get("/").status_code == 503, name
            assert made[name].seen == [], name
    assert set(names) == {NAME}


@contextmanager
def grpc_backend(certificate: Certified) -> Iterator[str]:
    """The address of a gRPC server with TLS that answers every call."""
    handler = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"tls")

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
        def service(self, _details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            return handler

    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, handlers=(Handler(),))
        credentials = grpc.ssl_server_credentials([(certificate.key, certificate.certificate)])
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(0).wait()


def test_grpc_goes_over_tls(mesh: EnvoyMesh, authority: Authority) -> None:
    """Its server wants HTTP/2 to be negotiated; where nothing is stated of the port it is."""
    with grpc_backend(authority.issue(NAME)) as address:
        for port in ("grpc", "api"):
            publish(mesh, port, port, address)
        mesh.start()
        for name in ("grpc", "api"):
            ask = mesh.grpc(f"{name}.shop:80").call
            eventually(ask, lambda answer: answer.backend == "tls", name)


def test_plaintext_ends_with_the_policy(
    processes: Processes, files: Files, backends: Backends, steer: Steer, tmp_path: Path
) -> None:
    """Also where Envoy refuses the cluster with TLS, since the file with the CA certificates is missing; and it comes
    back with the policy's end."""
    missing = str(tmp_path / "missing.crt")
    mesh = EnvoyMesh(processes, files, backends, steer, tmp_path, "--envoy-system-ca-file", missing)
    with http_backend("web") as web:
        mesh.publish_http("web", web.address)
        mesh.start()
        http = mesh.http("web.shop")
        eventually(lambda: http.get("/").status_code, lambda status: status == 200, "plaintext")
        mesh.files.write("tls.yaml", backend_tls_policy("tls", "web", **SYSTEM))
        eventually(lambda: http.get("/").status_code, lambda status: status == 500, "no cluster")
        answered = len(web.seen)
        assert {http.get("/").status_code for _ in range(20)} == {500}
        assert len(web.seen) == answered
        mesh.files.remove("tls.yaml")
        eventually(lambda: http.get("/").status_code, lambda status: status == 200, "plaintext again")
    mesh.disconnect()
