"""Bootstraps of `steerway bootstrap`, with all that they can have, in the gRPC libraries."""

from pathlib import Path

import pytest

from testbed.certificate import Authority
from testbed.manifest import PORT, Files
from testbed.process.control_plane import Steer
from tests.real.conftest import EVERY_LIBRARY, GRPC_GO, GRPC_JAVA, Connect, Serve, by

NO_SERVER = "127.0.0.1:1"
TYPE = "type.googleapis.com/envoy"
LISTENER = "envoy.config.listener.v3.Listener"
AUTHORITY = "mesh.example"


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with the files of a certificate provider."""
    authority = Authority()
    client = authority.issue("client")
    folder = tmp_path / "certs"
    folder.mkdir()
    files = {"ca.crt": authority.certificate, "tls.crt": client.certificate, "tls.key": client.key}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def xdstp_listener(name: str, cluster: str) -> dict[str, object]:
    """A Listener of an authority, whose calls go to a cluster of steerway."""
    manager = f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = {"@type": f"{TYPE}.extensions.filters.http.router.v3.Router"}
    hosts = [
        {
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": ""}, "route": {"cluster": cluster}}],
        }
    ]
    return {
        "@type": f"{TYPE}.config.listener.v3.Listener",
        "name": name,
        "api_listener": {
            "api_listener": {
                "@type": manager,
                "route_config": {"name": "inline", "virtual_hosts": hosts},
                "http_filters": [{"name": "router", "typed_config": router}],
            }
        },
    }


@EVERY_LIBRARY
def test_every_part_of_a_bootstrap_is_accepted(
    connect: Connect, steer: Steer, serve: Serve, files: Files, certificates: Path
) -> None:
    """Fallback servers, an authority, a certificate provider, listener templates, locality and metadata."""
    (backend,) = serve("backend")
    cluster = f"backend.shop.svc.cluster.local:{PORT}"
    files.write("xdstp.yaml", xdstp_listener(f"xdstp://{AUTHORITY}/{LISTENER}/shop-entry", cluster))
    plane = steer()
    client = connect(
        plane,
        *("--server", NO_SERVER, "--authority", f"{AUTHORITY}={plane.address}"),
        *("--certificate-provider", f"mesh={certificates}", "--certificate-refresh-seconds", "1"),
        *("--server-listener-template", "--client-listener-template", "%s"),
        *("--node-cluster", "web", "--region", "eu", "--zone", "eu-1", "--metadata", "team=shop"),
    )
    client.dial("xds:///backend").wait_for_backend(backend)
    client.dial(f"xds://{AUTHORITY}/shop-entry").wait_for_backend(backend)


@by("grpcio", GRPC_GO, GRPC_JAVA)
def test_the_next_server_is_used_while_the_first_is_away(
    connect: Connect, steer: Steer, serve: Serve
) -> None:
    """gRFC A71; grpc-js has the first one only."""
    (backend,) = serve("backend")
    plane = steer()
    client = connect(plane, before=[NO_SERVER])
    client.dial("xds:///backend").wait_for_backend(backend)
