"""What the clients of one HTTP listener may use, and the record of those that exceeded it."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from steerway import telemetry

log = structlog.get_logger()

MAX_HEAD_BYTES = 16 << 10
"""Bytes of request line and headers; a longer head is answered with 400. As on the xDS port."""
LEAST_CONNECTIONS = 8
"""Fewest connections that a listener can be limited to: one in eight stays free for probes."""
_LOG_PAUSE_SECONDS = 10.0
"""Least time between two lines about the same limit, as for the limits of the xDS port."""
_SHOWN = 512
"""Characters of a client's text in a log line."""
_OTHER_FILES = 256
"""Files that the engine keeps for everything but xDS connections (`files_for_connections`, rust/server)."""
_SHARE = 4
"""A listener uses one of so many parts of the files that xDS connections leave."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits of one listener. Times are seconds, sizes are bytes.

    `connections`: open at a time. `request_timeout_seconds`: from the first byte of a request (or the connection) to
    the last one of its body, and for a client to take a response, plus a second per 64 KiB of it.
    `idle_timeout_seconds`: between a response and the next request. `body_bytes`: of one request.
    """

    connections: int = 64
    request_timeout_seconds: float = 10.0
    idle_timeout_seconds: float = 60.0
    body_bytes: int = 64 << 10


def within_open_files(wanted: int, xds_connections: int) -> int:
    """The number of connections, of `wanted`, that a listener can hold without using descriptors kept for xDS.

    `xds_connections` is the setting `max_connections`.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return wanted
    others = files - min(xds_connections, max(files - _OTHER_FILES, files // 2))
    return max(LEAST_CONNECTIONS, min(wanted, others // _SHARE))


class LimitLog:
    """Counts clients over a limit of the listener called `server`, and logs each limit once in ten seconds."""

    def __init__(self, server: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._clock = clock
        self._logged: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def exceeded(self, limit: str, peer: str, **details: str) -> None:
        """A client exceeded `limit`. `count` in the log line is how many did since the last line; of `details`, which
        may come from the client, the line has 512 characters each."""
        telemetry.HTTP_REFUSED.labels(self._server, limit).inc()
        if (count := self._due(limit)) is not None:
            shown = {name: value[:_SHOWN] for name, value in details.items()}
            log.warning("limit_reached", server=self._server, limit=limit, count=count, peer=peer, **shown)

    def _due(self, kind: str) -> int | None:
        """How many lines of this kind the next one stands for; None while it is too early for one."""
        now = self._clock()
        count = self._suppressed.get(kind, 0) + 1
        if now - self._logged.get(kind, float("-inf")) < _LOG_PAUSE_SECONDS:
            self._suppressed[kind] = count
            return None
        self._logged[kind], self._suppressed[kind] = now, 0
        return count
