"""Credentials over real HTTP and TLS: where they come from, and their renewal."""

import base64
import json
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from steerway.errors import SourceError
from steerway.sources.kubernetes import client as client_module
from steerway.sources.kubernetes.access import Access, RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.testing.fake_api_server import FakeApiServer
from testbed.certificate import Authority
from tests.unit.sources.kubernetes.running_informers import Running, service

Run = Callable[..., Running]


@pytest.fixture
async def client() -> AsyncIterator[Callable[[Access], KubernetesClient]]:
    """Make clients that are closed at the end."""
    made: list[KubernetesClient] = []

    def make(result: Access) -> KubernetesClient:
        made.append(KubernetesClient(result))
        return made[-1]

    yield make
    for kubernetes_client in made:
        await kubernetes_client.close()


def plugin(directory: Path, token: str, expires: str | None = None, **more: str) -> dict[str, object]:
    """The user section of a kubeconfig with an exec plugin; each run adds a line to `runs`."""
    status = {"token": token, **({"expirationTimestamp": expires} if expires else {}), **more}
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    (directory / "credential.json").write_text(json.dumps(credential))
    script = directory / "plugin.py"
    script.write_text(
        f"import pathlib\nhere = pathlib.Path({str(directory)!r})\n"
        "with (here / 'runs').open('a') as runs: runs.write('run\\n')\n"
        "print((here / 'credential.json').read_text())\n"
    )
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(script)],
            "interactiveMode": "Never",
        }
    }


def runs(directory: Path) -> int:
    return len((directory / "runs").read_text().splitlines())


def tokens(server: FakeApiServer) -> list[str]:
    return [request.token for request in server.requests]


async def test_a_token_file_is_read_again_as_it_ages(
    server: FakeApiServer,
    tmp_path: Path,
    client: Callable[..., KubernetesClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """New requests have the new token before the server refuses the old one."""
    token = tmp_path / "token"
    token.write_text("first")
    config = server.write_kubeconfig(tmp_path / "k", user={"tokenFile": str(token)})
    made = client(Access.find(config, None))
    await made.get("/api/v1/services", {})
    token.write_text("second")
    await made.get("/api/v1/services", {})
    monkeypatch.setattr(client_module, "REFRESH_SECONDS", 0.0)
    await made.get("/api/v1/services", {})
    assert tokens(server) == ["first", "first", "second"]


async def test_a_refused_token_is_read_again_at_once(server: FakeApiServer, tmp_path: Path, run: Run) -> None:
    """At any age: a 401 means an outdated token."""
    token = tmp_path / "token"
    token.write_text("first")
    server.token = "first"
    server.put(service("a"))
    running = run(server.write_kubeconfig(tmp_path / "k", user={"tokenFile": str(token)}))
    await running.until(lambda: running.store.synced)
    await server.until(lambda: server.open_watches == 2)
    server.token = "second"
    server.drop_watches()
    await running.problem("401 Unauthorized", "the credentials are not accepted")
    token.write_text("second")
    await running.problem()
    server.put(service("b"))
    await running.until(lambda: set(running.ports()) == {"a", "b"})


async def test_a_replaced_kubeconfig_is_read_again(server: FakeApiServer, tmp_path: Path, run: Run) -> None:
    """After a valid one, an incomplete one is a problem and does not end the source."""
    path = tmp_path / "k"
    server.token = "first"
    running = run(server.write_kubeconfig(path))
    await running.until(lambda: running.store.synced)
    await server.until(lambda: server.open_watches == 2)
    server.token = "second"
    path.write_text("clusters: [")
    server.drop_watches()
    await running.problem("configuration unreadable", "kubectl config view")
    server.write_kubeconfig(path)
    await running.problem()
    assert not running.task.done()


async def test_an_exec_plugin_runs_once_for_a_credential_without_expiry(
    server: FakeApiServer, tmp_path: Path, client: Callable[..., KubernetesClient]
) -> None:
    """It runs again when the server refuses the credential."""
    server.token = "first"
    config = server.write_kubeconfig(tmp_path / "k", user=plugin(tmp_path, "first"))
    made = client(Access.find(config, None))
    for _ in range(3):
        await made.get("/api/v1/services", {})
    assert runs(tmp_path) == 1
    server.token = "second"
    plugin(tmp_path, "second")
    with pytest.raises(RequestError, match="401"):
        await made.get("/api/v1/services", {})
    await made.get("/api/v1/services", {})
    assert (runs(tmp_path), tokens(server)) == (2, ["first"] * 4 + ["second"])


async def test_an_exec_plugin_runs_again_when_its_credential_expires(
    server: FakeApiServer, tmp_path: Path, client: Callable[..., KubernetesClient]
) -> None:
    """At the expiry in its output."""
    config = server.write_kubeconfig(tmp_path / "k", user=plugin(tmp_path, "first", "2001-01-01T00:00:00Z"))
    made = client(Access.find(config, None))
    await made.prepare()
    plugin(tmp_path, "second", "2999-01-01T00:00:00Z")
    for _ in range(3):
        await made.get("/api/v1/services", {})
    assert (runs(tmp_path), tokens(server)) == (2, ["second"] * 3)


async def test_a_failing_exec_plugin_is_a_problem_and_retried(
    server: FakeApiServer, tmp_path: Path, run: Run
) -> None:
    """The problem has the plugin's output; the source does not end."""
    user = plugin(tmp_path, "x")
    (tmp_path / "plugin.py").write_text("import sys\nsys.exit('please log in')\n")
    running = run(server.write_kubeconfig(tmp_path / "k", user=user))
    await running.problem("credentials refused", "please log in", "run the kubeconfig's plugin by hand")
    plugin(tmp_path, "x")
    await running.until(lambda: running.store.synced)


def test_an_in_cluster_config_takes_precedence_over_the_default_kubeconfig_only(tmp_path: Path) -> None:
    """The usual order of client libraries; a given kubeconfig comes first."""
    (tmp_path / "token").write_text("t")
    (tmp_path / "config").write_text("")
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBECONFIG": str(tmp_path / "config")}
    assert Access.find(None, None, pod, tmp_path).kubeconfigs == ()
    assert Access.find(tmp_path / "config", None, pod, tmp_path).kubeconfigs == (tmp_path / "config",)
    assert Access.find(None, "c", pod, tmp_path) == Access((tmp_path / "config",), "c", environ=pod)
    usual = {"KUBECONFIG": f"/missing:{tmp_path / 'config'}"}
    assert Access.find(None, None, usual, tmp_path).kubeconfigs == (tmp_path / "config",)
    with pytest.raises(SourceError, match=r"/missing: no kubeconfig there \(give --kubeconfig"):
        Access.find(None, None, {"KUBECONFIG": "/missing"}, tmp_path)
    with pytest.raises(SourceError, match="or run in a pod"):
        Access.find(None, None, {}, tmp_path)


@dataclass(frozen=True)
class Certificates:
    """A CA, a server's and a client's certificate, as files."""

    directory: Path

    def path(self, name: str) -> Path:
        return self.directory / name

    def server_context(self, *, clients: bool) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.path("server.pem"), self.path("server.key"))
        if clients:
            context.load_verify_locations(self.path("ca.pem"))
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Generated, so that none in the repository expires."""
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority("ca")
    (directory / "ca.pem").write_bytes(authority.certificate)
    for name, issued in (
        ("server", authority.issue("127.0.0.1", usage="server")),
        ("client", authority.issue(usage="client")),
    ):
        (directory / f"{name}.pem").write_bytes(issued.certificate)
        (directory / f"{name}.key").write_bytes(issued.key)
    return Certificates(directory)


@pytest.mark.parametrize("form", ["file", "data", "plugin"])
async def test_client_certificates_are_presented(
    certificates: Certificates, tmp_path: Path, client: Callable[..., KubernetesClient], form: str
) -> None:
    """Without them the handshake fails, and the failure is reported as one of TLS."""
    pem, key = certificates.path("client.pem"), certificates.path("client.key")
    files: dict[str, object] = {"client-certificate": str(pem), "client-key": str(key)}
    if form == "data":
        files = {
            "client-certificate-data": base64.b64encode(pem.read_bytes()).decode(),
            "client-key-data": base64.b64encode(key.read_bytes()).decode(),
        }
    elif form == "plugin":
        files = plugin(tmp_path, "", clientCertificateData=pem.read_text(), clientKeyData=key.read_text())
    async with FakeApiServer(tls=certificates.server_context(clients=True)) as server:
        ca = certificates.path("ca.pem")
        good = client(Access.find(server.write_kubeconfig(tmp_path / "good", user=files, ca=ca), None))
        await good.get("/api/v1/services", {})
        assert server.count("list") == 1
        bad = client(Access.find(server.write_kubeconfig(tmp_path / "bad", ca=ca), None))
        with pytest.raises(RequestError):
            await bad.get("/api/v1/services", {})
        assert server.count("list") == 1


async def test_a_server_of_another_authority_is_not_trusted(
    certificates: Certificates, tmp_path: Path, client: Callable[..., KubernetesClient]
) -> None:
    """The failure is reported as one of TLS, and nothing is sent."""
    async with FakeApiServer(tls=certificates.server_context(clients=False)) as server:
        made = client(Access.find(server.write_kubeconfig(tmp_path / "k"), None))
        with pytest.raises(RequestError) as caught:
            await made.get("/api/v1/services", {})
        assert caught.value.failure.reason == "certificate not trusted"
        assert server.requests == []


async def test_the_name_of_the_servers_certificate_may_differ_from_the_url(
    tmp_path: Path, client: Callable[..., KubernetesClient]
) -> None:
    """`tls-server-name` is the name that is checked."""
    authority = Authority()
    issued = authority.issue("api.test", usage="server")
    for name, content in (
        ("ca.pem", authority.certificate),
        ("server.pem", issued.certificate),
        ("server.key", issued.key),
    ):
        (tmp_path / name).write_bytes(content)
    async with FakeApiServer(tls=Certificates(tmp_path).server_context(clients=False)) as server:
        config = server.write_kubeconfig(tmp_path / "k", ca=tmp_path / "ca.pem")
        url = f"server: {server.url}"
        config.write_text(config.read_text().replace(url, f"{url}\n    tls-server-name: api.test"))
        await client(Access.find(config, None)).get("/api/v1/services", {})


async def test_an_encrypted_key_is_a_problem(
    certificates: Certificates, tmp_path: Path, client: Callable[..., KubernetesClient]
) -> None:
    """No password is asked for."""
    loaded = load_pem_private_key(certificates.path("client.key").read_bytes(), None)
    encrypted = loaded.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"some password")
    )
    (tmp_path / "client.key").write_bytes(encrypted)
    user = {"client-certificate": str(certificates.path("client.pem")), "client-key": "client.key"}
    async with FakeApiServer(tls=certificates.server_context(clients=True)) as server:
        made = client(Access.find(server.write_kubeconfig(tmp_path / "k", user=user), None))
        with pytest.raises(RequestError, match="certificates unreadable"):
            await made.get("/api/v1/services", {})


async def test_an_invalid_certificate_file_is_a_problem(
    certificates: Certificates, tmp_path: Path, client: Callable[..., KubernetesClient]
) -> None:
    """It may be in the middle of its rotation."""
    async with FakeApiServer(tls=certificates.server_context(clients=False)) as server:
        ca = tmp_path / "ca.pem"
        ca.write_text("nothing")
        made = client(Access.find(server.write_kubeconfig(tmp_path / "k", ca=ca), None))
        with pytest.raises(RequestError, match="certificates unreadable"):
            await made.get("/api/v1/services", {})
        ca.write_bytes(certificates.path("ca.pem").read_bytes())
        await made.get("/api/v1/services", {})


async def test_a_pod_uses_its_service_account(
    certificates: Certificates, tmp_path: Path, client: Callable[..., KubernetesClient]
) -> None:
    """Address from the environment, token and authority from the mounted files."""
    (tmp_path / "token").write_text("mounted")
    (tmp_path / "ca.crt").write_bytes(certificates.path("ca.pem").read_bytes())
    async with FakeApiServer(token="mounted", tls=certificates.server_context(clients=False)) as server:
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
        made = client(Access.find(None, None, environ, tmp_path))
        await made.get("/api/v1/services", {})
        assert tokens(server) == ["mounted"]
        # The refusal of an old token starts a read of one that was rotated early.
        (tmp_path / "token").write_text("rotated")
        server.token = "rotated"
        with pytest.raises(RequestError, match="401"):
            await made.get("/api/v1/services", {})
        await made.get("/api/v1/services", {})
        assert tokens(server) == ["mounted", "mounted", "rotated"]
