"""A listener with TLS: slow and failing handshakes, and a certificate that changes."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from steerway import telemetry
from steerway.http import HttpServer
from testbed.certificate import Authority
from testbed.process.deadline import PATIENCE_SECONDS
from tests.support.http_limits import http_limits

REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


def server_context(authority: Authority, folder: Path) -> ssl.SSLContext:
    certified = authority.issue("localhost")
    file = folder / "pair.pem"
    file.write_bytes(certified.certificate + certified.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def client_context(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate.decode())


class Listener:
    """A server and the ways to reach it."""

    def __init__(self, address: str, name: str) -> None:
        self.host, self.port = address.split(":")
        self._name = name

    async def get(self, context: ssl.SSLContext) -> bytes:
        """The status line of a request."""
        reader, writer = await asyncio.open_connection(
            self.host, self.port, ssl=context, server_hostname="localhost"
        )
        writer.write(REQUEST)
        line = await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)
        writer.close()
        return line

    async def ended(self, data: bytes = b"") -> bytes:
        """What comes on a plain connection before the server closes it."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(data)
        try:
            return await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    def refused(self, limit: str) -> float:
        value: float = telemetry.HTTP_REFUSED.labels(self._name, limit)._value.get()
        return value


@asynccontextmanager
async def listening(
    name: str, tls: Callable[[], ssl.SSLContext | None], **limits: Any
) -> AsyncIterator[Listener]:
    async def answer(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    server = HttpServer(
        "127.0.0.1:0",
        Starlette(routes=[Route("/", answer)]),
        "--test",
        name=name,
        limits=http_limits(**limits),
        tls=tls,
    )
    listener = Listener(await server.start(), name)
    try:
        yield listener
    finally:
        await server.stop()


async def test_the_certificate_is_that_of_the_moment(tmp_path: Path) -> None:
    """Open connections keep theirs; a new one is used for the next handshake."""
    first, second = Authority(), Authority()
    contexts = [server_context(first, tmp_path)]
    async with listening("tls certificate", lambda: contexts[-1]) as listener:
        assert await listener.get(client_context(first)) == b"HTTP/1.1 200 OK\r\n"
        contexts.append(server_context(second, tmp_path))
        assert await listener.get(client_context(second)) == b"HTTP/1.1 200 OK\r\n"
        with pytest.raises(ssl.SSLCertVerificationError):
            await listener.get(client_context(first))


async def test_without_a_certificate_connections_are_closed() -> None:
    """The webhook starts before its Secret exists."""
    async with listening("tls none", lambda: None) as listener:
        assert await listener.ended() == b""


async def test_plain_text_is_refused_and_counted(tmp_path: Path) -> None:
    """As a client is that does not trust the certificate."""
    context = server_context(Authority(), tmp_path)
    async with listening("tls plain", lambda: context) as listener:
        await listener.ended(REQUEST)
        assert listener.refused("tls_handshake") == 1


async def test_a_handshake_has_a_time_limit(tmp_path: Path) -> None:
    """A client that only connects is disconnected."""
    context = server_context(Authority(), tmp_path)
    async with listening("tls slow", lambda: context, request_timeout_seconds=0.05) as listener:
        assert await listener.ended() == b""
        assert listener.refused("request_timeout") == 1


async def test_clients_that_only_connect_make_room(tmp_path: Path) -> None:
    """The one that waits longest is closed for a new connection."""
    authority = Authority()
    context = server_context(authority, tmp_path)
    async with listening("tls room", lambda: context, connections=8) as listener:
        idle = [await asyncio.open_connection(listener.host, listener.port) for _ in range(20)]
        assert await listener.get(client_context(authority)) == b"HTTP/1.1 200 OK\r\n"
        assert listener.refused("connections") >= 12
        for _, writer in idle:
            writer.close()


async def test_a_stop_ends_handshakes(tmp_path: Path) -> None:
    """No task is left."""
    context = server_context(Authority(), tmp_path)
    async with listening("tls stop", lambda: context) as listener:
        reader, writer = await asyncio.open_connection(listener.host, listener.port)
        connections = telemetry.HTTP_CONNECTIONS.labels("tls stop")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if connections._value.get():
                    break
                await asyncio.sleep(0)  # no event to wait for
    assert await asyncio.wait_for(reader.read(), PATIENCE_SECONDS) == b""
    writer.close()
