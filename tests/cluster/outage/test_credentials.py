"""Tokens that are replaced while steerway runs, and kubeconfigs that lead nowhere."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.cluster import kubeconfig
from testbed.cluster.api import path
from testbed.cluster.cluster import Cluster
from testbed.cluster.command import API_SERVER, SERVER_NAME
from testbed.cluster.forwarder import Forwarder
from testbed.cluster.namespace import Namespace
from testbed.process.deadline import until
from testbed.process.process import Processes, installed
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Open, Steer

pytestmark = NEEDS_CLUSTER


@pytest.mark.parametrize("locality", ["token", "tokenFile"])
def test_a_replaced_token_is_taken_up_without_a_restart(
    locality: str,
    cluster: Cluster,
    namespace: Namespace,
    open_backends: Open,
    steer: Steer,
    connect: Connect,
    forwarder: Forwarder,
    tmp_path: Path,
) -> None:
    """The old token is refused (401), the new one stands in the kubeconfig or the file that it names."""
    first, second = open_backends(2)
    namespace.publish([first])
    account = namespace.account()
    account.allow("services", "endpointslices", everywhere=True)
    file, token_file = tmp_path / "rotated.kubeconfig", tmp_path / "token"
    certificate, server = cluster.commands.certificate, f"https://{forwarder.address}"

    def write(token: str) -> None:
        token_file.write_text(token)
        user = {"token": token} if locality == "token" else {"tokenFile": str(token_file)}
        kubeconfig.write(file, server, certificate, user, server_name=SERVER_NAME)

    old = account.token()
    write(old)
    plane = steer(kubeconfig=file)
    channel = connect(plane).dial(namespace.target())
    with channel.load() as load:
        load.settle(first)
        account.delete()
        account.create()
        until(lambda: cluster.api.status_as(old, path("Service")) == 401, "the end of the old token")
        write(account.token())
        forwarder.cut()  # an open watch lives on; the next one has to show a token
        namespace.publish([second])
        forwarder.restore()
        load.settle(second)
    assert load.failures == []


def test_a_refused_token_is_named_and_a_good_one_heals(
    cluster: Cluster, namespace: Namespace, steer: Steer, tmp_path: Path
) -> None:
    """401 while steerway starts: it is not ready, with the reason; no restart is needed."""
    file, certificate = tmp_path / "wrong.kubeconfig", cluster.commands.certificate
    kubeconfig.write(file, API_SERVER, certificate, {"token": "wrong"})
    plane = steer(kubeconfig=file)
    problem = plane.wait_for_problem(API_SERVER, "401")
    assert "credentials are not accepted" in problem["hint"]
    assert not plane.ready()
    namespace.publish([])
    kubeconfig.write(file, API_SERVER, certificate, {"token": cluster.token})
    until(plane.ready, lambda: f"ready: {plane.get('/readyz')}")


def test_a_server_with_another_certificate_is_not_trusted(
    cluster: Cluster, steer: Steer, tmp_path: Path
) -> None:
    """TLS fails: the credentials are not sent, and the hint names the certificate authority."""
    other = _another_certificate(tmp_path)
    file = kubeconfig.write(tmp_path / "other.kubeconfig", API_SERVER, other, {"token": cluster.token})
    problem = steer(kubeconfig=file).wait_for_problem(API_SERVER, "certificate not trusted")
    assert "certificate-authority" in problem["hint"]


def test_a_server_that_is_not_there_is_named(cluster: Cluster, steer: Steer, tmp_path: Path) -> None:
    """It is asked again and again; until then the problem names the address."""
    closed, certificate = "https://127.0.0.1:6444", cluster.commands.certificate
    file = kubeconfig.write(tmp_path / "closed.kubeconfig", closed, certificate, {"token": "any"})
    plane = steer(kubeconfig=file)
    problem = plane.wait_for_problem(closed, "connection refused")
    assert closed in problem["hint"]
    assert not plane.ready()


def _missing(file: Path) -> None:
    assert not file.exists()


def _malformed(file: Path) -> None:
    file.write_text("clusters: [")


def _empty(file: Path) -> None:
    file.write_text("")


def _without_the_context(file: Path) -> None:
    kubeconfig.write(file, API_SERVER, file, {"token": "any"}, context="other")


@pytest.mark.parametrize("write", [_missing, _malformed, _empty, _without_the_context])
def test_an_unusable_kubeconfig_ends_the_start_with_a_hint(
    write: Callable[[Path], None], processes: Processes, tmp_path: Path
) -> None:
    """Exit code 1, and one message that names the file or the context and the fix."""
    file = tmp_path / "kubeconfig"
    write(file)
    options = ["--kubernetes", "--kubeconfig", str(file), "--context", "production", "--namespace", "all"]
    addresses = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    process = processes.start("steerway serve", [installed("steerway"), "serve", *addresses, *options])
    assert process.ended(40) == 1, process.complaint("ended otherwise")
    error = process.errors[-1]
    assert str(file) in error or "production" in error, process.complaint("does not name it")
    assert "(" in error, process.complaint("names no hint")
    assert not any("Traceback" in line for line in process.errors), process.complaint("shows its inside")


def _another_certificate(folder: Path) -> Path:
    """A self-signed certificate that has nothing to do with the API server's."""
    certificate, key = folder / "another.crt", folder / "another.key"
    subject = ["-subj", "/CN=another", "-days", "1", "-nodes", "-newkey", "rsa:2048"]
    command = ["openssl", "req", "-x509", *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate
