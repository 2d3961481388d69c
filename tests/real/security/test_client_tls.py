"""gRPC clients with `tls` in their bootstrap file reach the engine, with and without a certificate (gRFC A65)."""

import json
from pathlib import Path
from typing import Any

import pytest

from steerway.engine.engine import Demand, HandshakeFailed, Opened
from steerway.translate.xds.type_url import LISTENER
from testbed.certificate import Authority, Certified
from testbed.client.grpc_client import Client, Library
from testbed.process.process import Processes
from testbed.xds_server import XdsServer

IDENTITY = "spiffe://cluster.local/ns/shop/sa/cart"

_LIBRARIES = [
    "grpcio",
    # The first test with grpc-go compiles the client, which takes minutes once.
    pytest.param("grpc-go", marks=[pytest.mark.needs("go"), pytest.mark.timeout(900)]),
]


def _bootstrap(directory: Path, server: XdsServer, authority: Authority, client: Certified | None) -> Path:
    """Write the file, and the certificates that it names."""
    files = {"ca_certificate_file": authority.certificate}
    if client:
        files |= {"certificate_file": client.certificate, "private_key_file": client.key}
    config: dict[str, Any] = {}
    for key, pem in files.items():
        path = directory / f"{key}.pem"
        path.write_bytes(pem)
        config[key] = str(path)
    creds = [{"type": "tls", "config": config}]
    servers = [{"server_uri": server.address, "channel_creds": creds, "server_features": ["xds_v3"]}]
    bootstrap = directory / "bootstrap.json"
    bootstrap.write_text(json.dumps({"xds_servers": servers, "node": {"id": "test", "locality": {}}}))
    return bootstrap


@pytest.mark.parametrize("library", _LIBRARIES)
@pytest.mark.parametrize("with_certificate", [True, False], ids=["certificate", "none"])
def test_client_asks_over_tls(
    library: Library, with_certificate: bool, processes: Processes, tmp_path: Path
) -> None:
    """Each is known by the names of its certificate."""
    authority = Authority()
    certificate = authority.issue("127.0.0.1", usage="server")
    client = authority.issue(IDENTITY, usage="client") if with_certificate else None
    with XdsServer(tls=True) as server:
        server.engine.set_tls(certificate.certificate, certificate.key, authority.certificate)
        server.engine.set_serving(True)
        bootstrap = _bootstrap(tmp_path, server, authority, client)
        Client(processes, library, bootstrap).dial("xds:///backend.shop").begin()
        server.wait(Demand, type_url=LISTENER, name="backend.shop")
        (opened,) = server.wait(Opened)
        assert opened.certificate == ([f"URI:{IDENTITY}"] if with_certificate else [])


@pytest.mark.parametrize("library", _LIBRARIES)
def test_client_without_a_certificate_is_refused_where_one_is_required(
    library: Library, processes: Processes, tmp_path: Path
) -> None:
    """And the reason is logged."""
    authority = Authority()
    certificate = authority.issue("127.0.0.1", usage="server")
    with XdsServer(tls=True) as server:
        server.engine.set_tls(certificate.certificate, certificate.key, authority.certificate, True)
        server.engine.set_serving(True)
        bootstrap = _bootstrap(tmp_path, server, authority, None)
        Client(processes, library, bootstrap).dial("xds:///backend.shop").begin()
        (failed,) = server.wait(HandshakeFailed)
        assert failed.reason == "no_client_certificate"
