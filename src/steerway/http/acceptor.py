"""Accepts connections of one listener, within its limit and within the open files of the process; with TLS, also the
handshakes.

`loop.create_server` cannot do that: asyncio accepts up to a whole backlog before the first connection is seen, and
logs a traceback for each `accept` that fails for want of a descriptor.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable

from steerway.http.handshake import Handshakes
from steerway.http.limit import LimitLog
from steerway.http.pool import Pool
from steerway.runtime.isolation import isolated

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_SECONDS = 0.1
"""After an `accept` that failed. The connection stays in the kernel's backlog meanwhile."""


async def accept(
    listener: socket.socket,
    pool: Pool,
    make: Callable[[], asyncio.Protocol],
    limits: LimitLog,
    handshakes: Handshakes | None,
) -> None:
    """Accept until cancelled. A few connections at a time, so that those accepted are served in between. `handshakes`:
    those of TLS; None: without TLS."""
    loop = asyncio.get_running_loop()
    while True:
        if pool.stuck:
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        try:
            first, _ = await loop.sock_accept(listener)
        except OSError as error:
            # accept(2): other errors are those of a connection that is gone already.
            if error.errno in _EXHAUSTED:
                _without_files(pool, limits)
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        connections = [first, *_waiting(listener, pool.batch - 1)]
        pool.make_room(len(connections))
        if handshakes is not None:
            for connection in connections:
                handshakes.start(connection)
            continue
        with isolated("http_connection"):
            await asyncio.gather(
                *(loop.connect_accepted_socket(make, connection) for connection in connections)
            )


def _waiting(listener: socket.socket, most: int) -> list[socket.socket]:
    """Further connections that wait now. In a flood the queue is as short as accepting is fast, and a probe in it."""
    connections: list[socket.socket] = []
    with contextlib.suppress(OSError):  # none waits; another error is met again by the next `sock_accept`
        while len(connections) < most:
            connections.append(listener.accept()[0])
    return connections


def _without_files(pool: Pool, limits: LimitLog) -> None:
    """Give a descriptor of this listener back, where one waits for its client."""
    if not pool.close_longest_waiting("open_files"):
        limits.exceeded("open_files", "")
