"""`steerway run` starts real clients, and names what is wrong with a real control plane."""

import subprocess
from pathlib import Path

import pytest

from testbed.certificate import Authority
from testbed.client.grpc_client import Client, Library
from testbed.manifest import NAMESPACE
from testbed.process.control_plane import ControlPlane, Steer
from testbed.process.process import Processes, installed
from tests.real.conftest import GRPC_GO, GRPC_JAVA, GRPC_JS, Serve

RUN = (installed("steerway"), "run")


@pytest.mark.parametrize("library", ["grpcio", GRPC_GO, GRPC_JAVA, GRPC_JS])
def test_a_program_reads_the_bootstrap_from_its_environment(
    library: Library, processes: Processes, steer: Steer, serve: Serve
) -> None:
    """And is the process that was started: it ends with it."""
    (backend,) = serve("backend")
    launcher = [
        *RUN,
        "--server",
        steer().address,
        "--namespace",
        NAMESPACE,
        "--target",
        "xds:///backend",
        "--",
    ]
    client = Client(processes, library, None, launcher=launcher)
    client.dial("xds:///backend").wait_for_backend(backend)


@pytest.fixture
def secured(steer: Steer, serve: Serve, tmp_path: Path) -> ControlPlane:
    """A control plane with TLS and tokens, `ca.crt` and `token` in the folder of the test."""
    serve("backend")
    authority = Authority()
    certificate = authority.issue("127.0.0.1", usage="server")
    files = {"ca.crt": authority.certificate, "tls.crt": certificate.certificate, "tls.key": certificate.key}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "tokens").write_text("0123456789-secret-of-shop,shop/web\n")
    (tmp_path / "token").write_text("0123456789-secret-of-shop\n")
    return steer(
        *("--tls-certificate", f"{tmp_path}/tls.crt", "--tls-key", f"{tmp_path}/tls.key"),
        *("--authentication-token-file", f"{tmp_path}/tokens"),
    )


def run(plane: ControlPlane, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [*RUN, "--server", plane.address, *options, "--", "true"], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_the_reason_of_a_refusal_is_that_of_the_control_plane(secured: ControlPlane, tmp_path: Path) -> None:
    """Plaintext, no token, the namespace of another service account, a name without a Service, and none."""
    tls = ("--creds", "tls", "--ca", f"{tmp_path}/ca.crt")
    token = (*tls, "--token-file", f"{tmp_path}/token")
    for options, reason in (
        ((), "requires TLS; use --creds tls"),
        (("--creds", "tls"), "is not valid for this client: "),
        (tls, "refuses the client: "),
        ((*token, "--namespace", "other"), "denies the request: "),
        (
            (*token, "--namespace", "shop", "--target", "xds:///none"),
            "xds:///none: resource not found, or not visible to this client",
        ),
    ):
        code, stderr = run(secured, *options)
        assert code == 1
        assert reason in stderr
    assert run(secured, *token, "--namespace", "shop", "--target", "xds:///backend")[0] == 0
