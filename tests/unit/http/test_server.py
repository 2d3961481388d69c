"""An HTTP listener on a real socket whose clients are slow, too many, or not HTTP at all."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from steerway import telemetry
from steerway.http import Hosts, HttpServer
from steerway.http.header import SAFE_HEADERS
from tests.support.http_limits import http_limits

PATIENCE_SECONDS = 20
HALF = b"GET /healthz HTTP/1.1\r\nhost: a\r\n"
WHOLE = HALF + b"\r\n"
LARGE = 32 << 20
"""Bytes that no socket buffer takes at once."""


class Client:
    """A raw HTTP client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def status(self) -> int:
        """The status of the next response, whose body is read."""
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
        length = next(
            int(line.partition(b":")[2])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        await asyncio.wait_for(self._reader.readexactly(length), PATIENCE_SECONDS)
        return int(head.split()[1])

    async def ended(self) -> bytes:
        """What comes before the server closes the connection."""
        try:
            return await asyncio.wait_for(self._reader.read(), PATIENCE_SECONDS)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        self._writer.close()


class Listener:
    """A server and its clients."""

    def __init__(self, address: str, name: str) -> None:
        self._address = address.split(":")
        self._name = name
        self._clients: list[Client] = []

    async def connect(self, data: bytes = b"") -> Client:
        client = Client(*await asyncio.open_connection(*self._address))
        self._clients.append(client)
        client.send(data)
        return client

    async def get(self, data: bytes = WHOLE) -> int:
        """The status of a request on a connection of its own."""
        client = await self.connect(data)
        try:
            return await client.status()
        finally:
            client.close()

    def refused(self, limit: str) -> float:
        value: float = telemetry.HTTP_REFUSED.labels(self._name, limit)._value.get()
        return value

    def close(self) -> None:
        for client in self._clients:
            client.close()


Endpoint = Callable[[Request], Awaitable[Response]]
Listen = Callable[..., Any]


@pytest.fixture
def listen(request: pytest.FixtureRequest) -> Listen:
    """`async with listen(answer, connections=8) as listener`: `/healthz` is a probe, `answer` is at `/`."""

    @asynccontextmanager
    async def serve(
        answer: Endpoint | None = None, hosts: Hosts | None = None, **limits: Any
    ) -> AsyncIterator[Listener]:
        async def probe(_request: Request) -> Response:
            return PlainTextResponse("ok\n")

        routes = [Route("/healthz", probe), Route("/", answer or probe, methods=["GET", "POST"])]
        name = request.node.name
        server = HttpServer(
            "127.0.0.1:0",
            Starlette(routes=routes),
            "--test",
            name=name,
            limits=http_limits(**limits),
            probes={"/healthz"},
            hosts=hosts,
        )
        listener = Listener(await server.start(), name)
        try:
            yield listener
        finally:
            listener.close()
            await server.stop()
            assert telemetry.HTTP_CONNECTIONS.labels(name)._value.get() == 0

    return serve


async def test_half_requests_do_not_keep_probes_out(listen: Listen) -> None:
    """With every place taken the one that waited longest is closed, and the newest stay."""
    async with listen(connections=8) as listener:
        half = [await listener.connect(HALF) for _ in range(8)]
        assert await listener.get() == 200
        assert await half[0].ended() == b""
        half[7].send(b"\r\n")
        assert await half[7].status() == 200
        assert listener.refused("connections") == 1


async def test_connections_that_come_together_are_all_served(listen: Listen) -> None:
    """More than are accepted at a time, and more than the application has seen yet."""
    async with listen(connections=32) as listener:
        assert await asyncio.gather(*(listener.get() for _ in range(30))) == [200] * 30
        assert listener.refused("connections") == 0


async def test_answers_in_the_making_do_not_keep_probes_out(listen: Listen) -> None:
    """Of ten requests that take long seven are let in; the others get 503, and so does no probe."""
    released, arrived = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(_request: Request) -> Response:
        arrived.release()
        await released.wait()
        return PlainTextResponse("late\n")

    async with listen(slow, connections=8) as listener:
        slow_request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
        waiting = [await listener.connect(slow_request) for _ in range(7)]
        for _ in waiting:
            await arrived.acquire()
        assert [await listener.get(slow_request) for _ in range(3)] == [503] * 3
        assert await listener.get() == 200
        assert listener.refused("requests") == 3
        released.set()
        assert [await client.status() for client in waiting] == [200] * 7


@pytest.mark.parametrize(
    "data", [b"", b"GET", HALF, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf"]
)
async def test_a_request_that_is_not_completed_is_ended(listen: Listen, data: bytes) -> None:
    """Wherever in it the client stopped; one that sent nothing, as a browser's spare connection, is not counted."""
    async with listen(request_timeout_seconds=0.05) as listener:
        client = await listener.connect(data)
        assert await client.ended() == b""
        assert listener.refused("request_timeout") == (1 if data else 0)


async def test_a_byte_now_and_then_does_not_prolong_a_request(listen: Listen) -> None:
    """The time counts for the whole request, also for one that follows another on its connection."""
    async with listen(request_timeout_seconds=0.2) as listener:
        client = await listener.connect(WHOLE)
        assert await client.status() == 200
        client.send(HALF)

        async def drip() -> None:
            while True:
                client.send(b"a: b\r\n")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert await client.ended() == b""
        dripping.cancel()
        assert listener.refused("request_timeout") == 1


async def test_an_idle_connection_is_closed(listen: Listen) -> None:
    """That is no misuse, and not counted; meanwhile it serves the next request, and several that come together."""
    async with listen(idle_timeout_seconds=1, request_timeout_seconds=0.05) as listener:
        client = await listener.connect(WHOLE)
        assert await client.status() == 200
        client.send(WHOLE * 3)
        assert [await client.status() for _ in range(3)] == [200] * 3
        assert await client.ended() == b""
        assert listener.refused("request_timeout") == listener.refused("response_timeout") == 0


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
async def test_a_client_that_does_not_take_its_response_is_ended(
    listen: Listen, monkeypatch: pytest.MonkeyPatch, connection: str
) -> None:
    """Its descriptor and the rest of the response in memory are given back."""
    monkeypatch.setattr("steerway.http.connection._SLOWEST_BYTES_PER_SECOND", LARGE * 10)

    async def large(_request: Request) -> Response:
        return Response(bytes(LARGE))

    async with listen(large, request_timeout_seconds=0.2) as listener:
        client = await listener.connect()
        client._reader._transport.pause_reading()  # type: ignore[attr-defined]
        client.send(f"GET / HTTP/1.1\r\nhost: a\r\nconnection: {connection}\r\n\r\n".encode())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not listener.refused("response_timeout"):
                assert await listener.get() == 200
        client._reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await client.ended()) < LARGE


async def test_a_client_that_takes_a_large_response_slowly_gets_all_of_it(listen: Listen) -> None:
    """64 KiB a second are allowed for, whatever the timeout."""

    async def large(_request: Request) -> Response:
        return Response(bytes(LARGE))

    async with listen(large, request_timeout_seconds=0.05) as listener:
        client = await listener.connect(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        await asyncio.sleep(0.2)  # longer than the timeout
        assert len(await client.ended()) > LARGE
        assert listener.refused("response_timeout") == 0


@pytest.mark.parametrize(
    "body",
    [
        b"content-length: 11\r\n\r\n" + b"x" * 11,
        b"content-length: 99999999999999999999\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n6\r\nxxxxxx\r\n6\r\nxxxxxx\r\n",
    ],
)
async def test_a_body_that_is_too_long_is_refused(listen: Listen, body: bytes) -> None:
    """The application does not see the request, and the connection is closed."""
    async with listen(body_bytes=10) as listener:
        client = await listener.connect(b"POST / HTTP/1.1\r\nhost: a\r\n" + body)
        assert await client.status() == 413
        assert await client.ended() == b""
        assert listener.refused("body_bytes") == 1


async def test_the_application_gets_the_body(listen: Listen) -> None:
    """In whatever pieces it came."""

    async def echo(request: Request) -> Response:
        return Response(await request.body())

    async with listen(echo, body_bytes=10) as listener:
        client = await listener.connect(
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n"
        )
        client.send(b"3\r\nsix\r\n0\r\n\r\n")
        head = await asyncio.wait_for(client._reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
        assert b" 200 " in head
        assert await client._reader.readexactly(7) == b"foursix"


async def test_what_is_no_http_is_answered_with_400_and_not_logged(
    listen: Listen, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither a head that is too long nor another protocol; a client must not fill the log."""
    async with listen() as listener:
        for data in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET /" + b"a" * (17 << 10)):
            client = await listener.connect(data)
            assert (await client.ended()).startswith(b"HTTP/1.1 400 ")
    assert capfd.readouterr().err == ""


async def test_a_fault_of_the_application_is_answered_and_counted(listen: Listen) -> None:
    """The next request is served, and the log has a line at the most for them all."""

    async def broken(_request: Request) -> Response:
        raise ZeroDivisionError

    before = telemetry.INTERNAL_ERRORS.labels("http_request")._value.get()
    async with listen(broken) as listener:
        with structlog.testing.capture_logs() as lines:
            answers = [await listener.get(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n") for _ in range(3)]
        assert answers == [500] * 3
        assert {line["event"] for line in lines} == {"internal_error"}  # which has a limit of lines
        assert telemetry.INTERNAL_ERRORS.labels("http_request")._value.get() == before + 3
        assert await listener.get() == 200


async def test_without_a_descriptor_accepting_pauses_and_one_is_given_back(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle connection is closed for the new one; there is a line in the log, and no traceback."""
    loop = asyncio.get_running_loop()
    accept, attempts, served = loop.sock_accept, 0, asyncio.Event()

    async def exhausted(listener: socket.socket) -> tuple[socket.socket, Any]:
        nonlocal attempts
        attempts += 1
        if attempts in (2, 3):
            await served.wait()
            raise OSError(errno.EMFILE, "Too many open files")
        return await accept(listener)

    monkeypatch.setattr(loop, "sock_accept", exhausted)
    async with listen() as listener:
        with structlog.testing.capture_logs() as lines:
            idle = await listener.connect(WHOLE)
            assert await idle.status() == 200
            served.set()
            assert await idle.ended() == b""
            assert await listener.get() == 200
        assert [(line["event"], line["limit"]) for line in lines] == [("limit_reached", "open_files")] * 2
        assert listener.refused("open_files") == 2


async def test_every_response_has_the_safe_headers(listen: Listen) -> None:
    """Those of the application, of the framework, of the limits, and what is no HTTP at all."""

    async def broken(_request: Request) -> Response:
        raise ZeroDivisionError

    requests = {
        200: WHOLE,
        404: b"GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n",
        405: b"PUT / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        500: b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        413: b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n",
        421: b"GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        400: b"GET / HTTP/1.1\r\n\r\n",
    }
    async with listen(broken, Hosts(["a"]), body_bytes=10) as listener:
        for status, request in requests.items():
            client = await listener.connect(request)
            head = await asyncio.wait_for(client._reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
            assert int(head.split()[1]) == status
            for name, value in SAFE_HEADERS:
                assert name + b": " + value + b"\r\n" in head, (status, head)


async def test_a_host_that_is_not_accepted_is_refused_with_the_setting_to_use(listen: Listen) -> None:
    """Whatever the path is; the log names the host."""
    async with listen(hosts=Hosts()) as listener:
        with structlog.testing.capture_logs() as lines:
            client = await listener.connect(
                b"GET /healthz HTTP/1.1\r\nhost: evil.example:80\r\nconnection: close\r\n\r\n"
            )
            answer = await client.ended()
        assert answer.startswith(b"HTTP/1.1 421 ")
        assert b"admin_hosts" in answer
        assert [(line["limit"], line["host"]) for line in lines] == [("host", "evil.example:80")]
        assert await listener.get(WHOLE.replace(b"host: a", b"host: 10.0.0.1:18001")) == 200


async def test_a_connection_that_cannot_be_served_does_not_end_the_listener(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted as an internal error, and the next one is served."""
    before = telemetry.INTERNAL_ERRORS.labels("http_connection")._value.get()
    loop = asyncio.get_running_loop()
    connect = loop.connect_accepted_socket
    broken = [True]

    async def fail_once(make: Any, connection: socket.socket) -> Any:
        if broken:
            broken.clear()
            connection.close()
            raise ZeroDivisionError
        return await connect(make, connection)

    monkeypatch.setattr(loop, "connect_accepted_socket", fail_once)
    async with listen() as listener:
        assert await (await listener.connect(WHOLE)).ended() == b""
        assert await listener.get() == 200
    assert telemetry.INTERNAL_ERRORS.labels("http_connection")._value.get() == before + 1
