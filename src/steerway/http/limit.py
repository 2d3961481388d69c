"""What the clients of one HTTP listener may use, and the record of those that exceeded it."""

import resource
from dataclasses import dataclass

import structlog

from steerway import telemetry
from steerway._engine import connections_within
from steerway.config.section.http import MIN_CONNECTIONS

log = structlog.get_logger()

MAX_HEAD_BYTES = 16 << 10
"""Bytes of request line and headers; a longer head is answered with 400. As on the xDS port."""
_SHARE = 4
"""A listener uses one of so many parts of the files that xDS connections leave."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits of one listener. Times are seconds, sizes are bytes.

    `connections`: open at a time. `request_timeout_seconds`: from the first byte of a request (or the connection) to
    the last one of its body, and for a client to take a response, plus a second per 64 KiB of it.
    `idle_timeout_seconds`: between a response and the next request. `body_bytes`: of one request.
    """

    connections: int
    request_timeout_seconds: float
    idle_timeout_seconds: float
    body_bytes: int = 64 << 10


def within_open_files(wanted: int, xds_connections: int) -> int:
    """The number of connections, of `wanted`, that a listener can hold without using descriptors kept for xDS.

    `xds_connections` is the setting `max_connections`.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return wanted
    others = files - min(xds_connections, connections_within(files))
    return max(MIN_CONNECTIONS, min(wanted, others // _SHARE))


class LimitLog:
    """Counts and logs clients over a limit of the listener called `server`."""

    def __init__(self, server: str) -> None:
        self._server = server

    def exceeded(self, limit: str, peer: str, **details: str) -> None:
        """A client exceeded `limit`. `details` are for the log line, and may come from the client."""
        telemetry.HTTP_REFUSED.labels(self._server, limit).inc()
        log.warning("limit_reached", server=self._server, limit=limit, peer=peer, **details)
