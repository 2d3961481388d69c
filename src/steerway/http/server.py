"""An HTTP listener's socket and life: uvicorn inside of the program's own event loop, fed by an acceptor."""

import asyncio
import contextlib
import math
import socket
from collections.abc import Collection, Iterator
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from steerway.errors import ListenError
from steerway.http.acceptor import accept
from steerway.http.connection import Connection
from steerway.http.exchange import Exchange
from steerway.http.handshake import Handshakes, TlsContext
from steerway.http.host import Hosts
from steerway.http.limit import MAX_HEAD_BYTES, HttpLimits, LimitLog
from steerway.http.pool import Pool

_BACKLOG = 256
"""Connections that wait to be accepted. A probe waits for those before it, so a flood must not find more room; clients
whose connection finds none try again by themselves (TCP)."""


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: the program has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves `application` on `listen` (HOST:PORT; port 0 lets the system choose), which the setting of `flag` gave.

    `name` stands in metrics and log lines. Requests for the paths `probes` are answered also when too many others are.
    `hosts` decides which `Host` a request may name; None: any. `tls` gives the context of each handshake; None: no TLS.
    """

    def __init__(
        self,
        listen: str,
        application: ASGIApp,
        flag: str,
        *,
        name: str,
        limits: HttpLimits,
        probes: Collection[str] = (),
        hosts: Hosts | None = None,
        tls: TlsContext | None = None,
    ) -> None:
        self._listen = listen
        self._flag = flag
        self._record = LimitLog(name)
        self._pool = Pool(limits.connections, name, self._record)
        config = uvicorn.Config(
            Exchange(application, self._pool, limits, self._record, probes, hosts),
            lifespan="off",
            ws="none",
            http="h11",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # the peer's address is a fact, X-Forwarded-For what a client claims
            timeout_graceful_shutdown=1,
            timeout_keep_alive=math.ceil(limits.idle_timeout_seconds),
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
        self._server = _Server(config)
        state = self._server.server_state
        self._connection = partial(Connection, config, state, self._pool, limits, self._record)
        self._handshakes = None
        if tls is not None:
            seconds = limits.request_timeout_seconds
            self._handshakes = Handshakes(tls, self._pool, self._connection, self._record, seconds)
        self._listener: socket.socket | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> str:
        """Bind and accept; returns the bound `host:port`. ListenError when the address cannot be bound."""
        self._listener = await asyncio.to_thread(_bind, self._listen, self._flag)
        accepting = accept(self._listener, self._pool, self._connection, self._record, self._handshakes)
        self._tasks = [
            # Without sockets of its own uvicorn serves the connections that the acceptor hands it.
            asyncio.create_task(self._server.serve(sockets=[]), name=f"HTTP server of {self._flag}"),
            asyncio.create_task(accepting, name=f"acceptor of {self._flag}"),
        ]
        return _address(self._listener)

    async def stop(self) -> None:
        """Stop accepting and end what is open within a second. Idempotent."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        serving, accepting = self._tasks
        accepting.cancel()
        await asyncio.wait([accepting])
        listener.close()
        if self._handshakes is not None:
            self._handshakes.stop()
        self._server.should_exit = True
        await serving
        self._pool.abort()


def _bind(listen: str, flag: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ListenError(
            f"cannot serve HTTP on {listen}: {reason}; choose another address with {flag}"
        ) from error
    listener.setblocking(False)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
