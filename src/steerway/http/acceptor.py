"""Accepts connections of one listener, within its limit and within the open files of the process.

`loop.create_server` cannot do that: asyncio accepts up to a whole backlog before the first connection is seen, and
logs a traceback for each `accept` that fails for want of a descriptor.
"""

import asyncio
import errno
import socket
from collections.abc import Callable

from steerway.http.limit import LimitLog
from steerway.http.pool import Pool

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_SECONDS = 0.1
"""After an `accept` that failed. The connection stays in the kernel's backlog meanwhile."""


async def accept(
    listener: socket.socket, pool: Pool, make: Callable[[], asyncio.Protocol], limits: LimitLog
) -> None:
    """Accept until cancelled. One connection at a time, so that those accepted are served in between."""
    loop = asyncio.get_running_loop()
    while True:
        if pool.stuck:
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        try:
            connection, _ = await loop.sock_accept(listener)
        except OSError as error:
            # accept(2): other errors are those of a connection that is gone already.
            if error.errno in _EXHAUSTED:
                _without_files(pool, limits)
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        pool.make_room()
        await loop.connect_accepted_socket(make, connection)


def _without_files(pool: Pool, limits: LimitLog) -> None:
    """Give a descriptor of this listener back, where one waits for its client."""
    if not pool.close_longest_waiting("open_files"):
        limits.exceeded("open_files", "")
