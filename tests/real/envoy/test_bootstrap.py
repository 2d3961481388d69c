"""A real Envoy starts with the output of `steerway bootstrap --for envoy`."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from steerway.engine.engine import Opened
from steerway.translate.xds.type_url import CLUSTER, LISTENER
from testbed.certificate import Authority
from testbed.envoy.envoy_mesh import EnvoyMesh, eventually
from testbed.envoy.envoy_mesh import mesh as mesh
from testbed.envoy.envoy_proxy import Envoy
from testbed.process.process import Processes, installed
from testbed.xds_server import XdsServer

pytestmark = pytest.mark.needs("envoy")

IDENTITY = "spiffe://cluster.local/ns/edge/sa/envoy"


def bootstrap(*options: str) -> dict[str, Any]:
    command = [
        installed("steerway"),
        "bootstrap",
        "--for",
        "envoy",
        "--envoy-admin",
        "127.0.0.1:15000",
        *options,
    ]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    document: dict[str, Any] = json.loads(output)
    # Tests run beside others: any port will do.
    document["admin"]["address"]["socket_address"]["port_value"] = 0
    return document


def test_calls_go_through_an_envoy_whose_first_server_is_away(
    mesh: EnvoyMesh, processes: Processes, tmp_path: Path
) -> None:
    """The second server configures it."""
    (backend,) = mesh.backends.open(1)
    mesh.files.publish([backend])
    document = bootstrap("--server", "127.0.0.1:1", "--server", mesh.plane.address, "--namespace", "shop")
    envoy = Envoy(processes, document, tmp_path)
    envoy.wait_until_listening(mesh.ports["sidecar"])
    eventually(mesh.grpc().call, lambda answer: answer.backend == backend, f"an answer of {backend}")
    envoy.assert_nothing_refused()


def test_an_envoy_connects_to_a_server_on_localhost(
    mesh: EnvoyMesh, processes: Processes, tmp_path: Path
) -> None:
    """The name has addresses of both families, and the server listens on one."""
    port = mesh.plane.address.rpartition(":")[2]
    envoy = Envoy(processes, bootstrap("--server", f"localhost:{port}", "--namespace", "shop"), tmp_path)
    envoy.wait_until_listening(mesh.ports["sidecar"])
    envoy.assert_nothing_refused()


def test_envoy_presents_its_certificate(processes: Processes, tmp_path: Path) -> None:
    """And verifies that of the server for the host of its address."""
    authority = Authority()
    certificate, client = authority.issue("127.0.0.1"), authority.issue(IDENTITY, usage="client")
    files = {"ca.crt": authority.certificate, "tls.crt": client.certificate, "tls.key": client.key}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with XdsServer(tls=True) as server:
        server.engine.set_tls(certificate.certificate, certificate.key, authority.certificate, True)
        server.publish([], complete=[(CLUSTER, "test"), (LISTENER, "test")])
        server.engine.set_serving(True)
        options = ["--creds", "tls", "--ca", f"{tmp_path}/ca.crt"]
        options += ["--certificate", f"{tmp_path}/tls.crt", "--key", f"{tmp_path}/tls.key"]
        Envoy(processes, bootstrap("--server", server.address, *options), tmp_path)
        (opened,) = server.wait(Opened)
        assert opened.certificate == [f"URI:{IDENTITY}"]
