"""TLS handshakes of one listener: each is a task and a member of the pool, so that a client that does not complete its
own delays no other, and can be closed to make room.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeAlias

from steerway.http.limit import LimitLog
from steerway.http.pool import Pool
from steerway.runtime.isolation import isolated

TlsContext: TypeAlias = Callable[[], ssl.SSLContext | None]
"""The context of the next handshake; None: there is no certificate yet, so connections are closed."""


class Handshakes:
    """Starts handshakes, and hands connections to protocols that `make` makes."""

    def __init__(
        self,
        context: TlsContext,
        pool: Pool,
        make: Callable[[], asyncio.Protocol],
        limits: LimitLog,
        timeout_seconds: float,
    ) -> None:
        self._context = context
        self._pool = pool
        self._make = make
        self._limits = limits
        self._timeout_seconds = timeout_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, connection: socket.socket) -> None:
        """Begin the handshake of an accepted connection. Without a certificate the connection is closed."""
        context = self._context()
        if context is None:
            connection.close()
            return
        member = _Handshake(connection)
        self._pool.add(member)
        task = asyncio.create_task(self._run(member, context), name="TLS handshake")
        member.task = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Close every connection whose handshake is not complete."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, member: "_Handshake", context: ssl.SSLContext) -> None:
        try:
            with isolated("http_connection", OSError):
                await asyncio.get_running_loop().connect_accepted_socket(
                    self._make,
                    member.connection,
                    ssl=context,
                    ssl_handshake_timeout=self._timeout_seconds,
                    ssl_shutdown_timeout=self._timeout_seconds,
                )
        except ssl.SSLError as error:
            self._limits.exceeded("tls_handshake", member.peer, reason=str(error.reason or error))
        except ConnectionAbortedError:  # the handshake took too long
            self._limits.exceeded("request_timeout", member.peer)
        except OSError:  # the client is gone
            pass
        finally:
            # The connection itself is a member by now, or closed.
            self._pool.remove(member)


class _Handshake:
    """A connection whose handshake is not complete."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.peer = _peer(connection)
        self.task: asyncio.Task[None] | None = None

    def abort(self) -> None:
        """Close at once."""
        if self.task is not None:
            self.task.cancel()


def _peer(connection: socket.socket) -> str:
    try:
        host, port = connection.getpeername()[:2]
    except OSError:  # the client is gone
        return ""
    return f"{host}:{port}"
