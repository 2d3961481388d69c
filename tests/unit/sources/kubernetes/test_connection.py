"""Connections over real TCP and TLS: socket options, and reason and remedy of each failure."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from steerway.sources.kubernetes import client as client_module
from steerway.sources.kubernetes import connection
from steerway.sources.kubernetes.access import Access, RequestError
from steerway.sources.kubernetes.cause import failure_of
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.event import SILENT, Failure
from steerway.sources.kubernetes.hint import hint, server_hint
from steerway.testing.fake_api_server import FakeApiServer
from testbed.certificate import Authority, Certified

_SERVICES = "/api/v1/services"


@contextlib.asynccontextmanager
async def connecting(kubeconfig: Path) -> AsyncIterator[KubernetesClient]:
    """A client that is closed at the end."""
    client = KubernetesClient(Access.find(kubeconfig, None))
    try:
        yield client
    finally:
        await client.close()


async def failure(kubeconfig: Path) -> tuple[Failure, str]:
    """Failure and remedy of a request."""
    async with connecting(kubeconfig) as client:
        with pytest.raises(RequestError) as caught:
            await client.get(_SERVICES, {})
        return caught.value.failure, server_hint(caught.value.failure, client.server)


def kubeconfig(folder: Path, url: str, **cluster: Any) -> Path:
    path = folder / "kubeconfig"
    FakeApiServer().write_kubeconfig(path)
    path.write_text(path.read_text().replace("http://127.0.0.1:0", url))
    if cluster:
        lines = "".join(f"\n    {name}: {value}" for name, value in cluster.items())
        path.write_text(path.read_text().replace(f"    server: {url}", f"    server: {url}{lines}"))
    return path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """Every socket that is opened from then on."""
    sockets: list[socket.socket] = []
    make = connection._socket

    def record(address: Any) -> socket.socket:
        sockets.append(make(address))
        return sockets[-1]

    monkeypatch.setattr(connection, "_socket", record)
    return sockets


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the options of Linux")
async def test_every_connection_ends_within_half_a_minute_of_its_peer(
    server: FakeApiServer, tmp_path: Path, opened: list[socket.socket]
) -> None:
    """Keepalive and TCP_USER_TIMEOUT are set before the first packet, for watches and lists."""
    async with (
        connecting(server.write_kubeconfig(tmp_path / "k")) as client,
        client.stream(_SERVICES, {"watch": "1", "resourceVersion": "1"}, 90.0),
    ):
        await client.get(_SERVICES, {})
        assert len(opened) == 2
        for item in opened:
            assert item.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            idle, interval, count, limit = (
                item.getsockopt(socket.IPPROTO_TCP, option)
                for option in (
                    socket.TCP_KEEPIDLE,
                    socket.TCP_KEEPINTVL,
                    socket.TCP_KEEPCNT,
                    socket.TCP_USER_TIMEOUT,
                )
            )
            assert idle + interval * count <= 30
            # The kernel checks the limit when a probe is due: one interval later at the latest.
            assert limit / 1000 + interval <= 30


async def test_more_watches_than_a_pool_of_100(server: FakeApiServer, tmp_path: Path) -> None:
    """Twelve kinds in ten namespaces; the hundred-and-first must not wait for a connection."""
    async with (
        connecting(server.write_kubeconfig(tmp_path / "k")) as client,
        contextlib.AsyncExitStack() as watches,
    ):
        for _ in range(120):
            query = {"watch": "1", "resourceVersion": "1"}
            await watches.enter_async_context(client.stream(_SERVICES, query, 90.0))
        assert server.open_watches == 120


async def test_a_silent_watch_has_a_reason_of_its_own(server: FakeApiServer, tmp_path: Path) -> None:
    """Silent before or after its headers."""
    async with connecting(server.write_kubeconfig(tmp_path / "k")) as client:
        for pause in (lambda: None, server.pause_watches):
            pause()
            with pytest.raises(RequestError) as caught:
                async with client.stream(_SERVICES, {"watch": "1", "resourceVersion": "1"}, 0.05) as lines:
                    async for _ in lines:
                        pass
            assert caught.value.failure.reason == SILENT


async def test_a_refused_connection_has_no_hint_for_permissions(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    result, remedy = await failure(kubeconfig(tmp_path, url))
    assert result.reason == "connection refused"
    assert "no matter of permissions" in remedy
    assert url in remedy


async def test_an_unresolvable_host_has_a_hint_for_dns(tmp_path: Path) -> None:
    result, remedy = await failure(kubeconfig(tmp_path, "https://nowhere.invalid:6443"))
    assert result.reason == "name not resolved"
    assert "DNS" in remedy


async def test_a_handshake_that_is_not_answered_is_a_connection_that_timed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a stopped process, whose kernel still accepts connections."""
    monkeypatch.setattr(client_module, "_WHOLE", client_module.aiohttp.ClientTimeout(sock_connect=0.05))
    with socket.create_server(("127.0.0.1", 0)) as stopped:
        result, remedy = await failure(kubeconfig(tmp_path, f"https://127.0.0.1:{stopped.getsockname()[1]}"))
    assert result.reason == "connect timed out"
    assert "firewall" in remedy


async def test_an_unanswered_request_has_a_hint_for_load(
    server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_WHOLE", client_module.aiohttp.ClientTimeout(sock_read=0.05))
    server.pause()
    result, remedy = await failure(server.write_kubeconfig(tmp_path / "k"))
    assert result.reason == "read timed out"
    assert "does not answer" in remedy


@pytest.mark.parametrize(
    ("issue", "trusted", "reason", "remedy"),
    [
        (lambda ca: ca.issue("127.0.0.1"), False, "certificate not trusted", "certificate-authority"),
        (lambda ca: ca.issue("api.test"), True, "certificate for another name", "tls-server-name"),
        (
            lambda ca: ca.issue("127.0.0.1", end=-timedelta(hours=1)),
            True,
            "certificate not valid now",
            "clock",
        ),
    ],
)
async def test_each_error_of_a_server_certificate_has_its_remedy(
    tmp_path: Path, issue: Callable[[Authority], Certified], trusted: bool, reason: str, remedy: str
) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes((authority if trusted else Authority("another")).certificate)
    async with FakeApiServer(tls=_tls(tmp_path, issue(authority))) as server:
        result, advice = await failure(server.write_kubeconfig(tmp_path / "k", ca=tmp_path / "ca.pem"))
        assert result.reason == reason
        assert remedy in advice
        assert server.requests == [], "no credentials were sent"


async def test_a_server_without_tls_is_reported(server: FakeApiServer, tmp_path: Path) -> None:
    result, remedy = await failure(kubeconfig(tmp_path, server.url.replace("http:", "https:")))
    assert result.reason == "TLS not spoken"
    assert "does not speak TLS" in remedy


def test_a_refused_client_certificate_differs_from_an_invalid_server_certificate() -> None:
    """With TLS 1.3 the alert arrives with the answer, after the client's handshake."""
    alert = ssl.SSLError(1, "alert")
    alert.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    lost = client_module.aiohttp.ClientOSError(1, "alert")
    lost.__cause__ = alert
    result = failure_of(lost)
    assert result.reason == "client certificate refused"
    assert "client-certificate" in server_hint(result, "https://api:6443")


async def test_a_closed_connection_is_reported_as_lost(tmp_path: Path) -> None:
    async def cut(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as cutting:
        port = cutting.sockets[0].getsockname()[1]
        result, _ = await failure(kubeconfig(tmp_path, f"http://127.0.0.1:{port}"))
    assert result.reason == "connection lost"


def test_refusals_name_credentials_or_the_rule() -> None:
    """401 has a hint for credentials, 403 the RBAC rule to add."""
    server = "https://api:6443"
    assert "credentials are not accepted" in hint(Failure(401, "Unauthorized"), "services", "", server)
    forbidden = hint(Failure(403, "Forbidden"), "grpcroutes", "gateway.networking.k8s.io", server)
    assert "apiGroups: ['gateway.networking.k8s.io'], resources: [grpcroutes]" in forbidden
    assert "asked again" in hint(Failure(503, "ServiceUnavailable"), "services", "", server)
    assert "Role" not in hint(Failure(None, "connection refused"), "services", "", server)


def _tls(folder: Path, issued: Certified) -> ssl.SSLContext:
    (folder / "server.pem").write_bytes(issued.certificate)
    (folder / "server.key").write_bytes(issued.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context
