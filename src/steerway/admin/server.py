"""An HTTP server's socket and life, the admin server's foremost: uvicorn inside of the program's own event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette

from steerway.admin.route import application
from steerway.admin.view import AdminView
from steerway.errors import SettingsError


class _Server(uvicorn.Server):
    """uvicorn without signal handlers (the program has its own), and with an event for "accepts now"."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()


class HttpServer:
    """Serves an application on `listen` (HOST:PORT; port 0 lets the system choose), which `flag` gave."""

    def __init__(self, listen: str, application: Starlette, flag: str) -> None:
        self._listen = listen
        self._application = application
        self._flag = flag
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Bind and accept; returns the bound `host:port`. SettingsError when the address cannot be bound."""
        listener = await asyncio.to_thread(_bind, self._listen, self._flag)
        address = _address(listener)
        options: dict[str, Any] = {"access_log": False, "log_config": None, "server_header": False}
        config = uvicorn.Config(
            self._application, lifespan="off", ws="none", timeout_graceful_shutdown=1, **options
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve([listener]), name=f"HTTP server of {self._flag}")
        accepting = asyncio.create_task(self._server.accepting.wait())
        await asyncio.wait({self._task, accepting}, return_when=asyncio.FIRST_COMPLETED)
        if not accepting.done():
            accepting.cancel()
            await self._task  # raises what kept it from starting
        return address

    async def stop(self) -> None:
        """Stop accepting and end what is open within a second. Idempotent."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
            self._server = self._task = None


class AdminServer(HttpServer):
    """Serves an AdminView. `accepts` tells whether a bearer token is the right one; None: no token is asked for."""

    def __init__(self, listen: str, view: AdminView, accepts: Callable[[str], bool] | None = None) -> None:
        super().__init__(listen, application(view, accepts), "--admin")


def _bind(listen: str, flag: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SettingsError(
            f"cannot serve HTTP on {listen}: {reason}; choose another address with {flag}"
        ) from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
