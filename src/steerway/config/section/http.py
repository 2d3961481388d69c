"""Settings of the two HTTP listeners: the admin server and REST-JSON discovery."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from msgspec import Meta

from steerway.config.unit import Address, OptionalFile, PositiveSeconds, unset, whole

MIN_CONNECTIONS = 8
"""Least limit of connections of a listener: one of eight is reserved for probes."""
Connections: TypeAlias = Annotated[int, whole(MIN_CONNECTIONS, 65536)]


@dataclass(frozen=True, kw_only=True)
class HttpSettings:
    """Addresses, access and limits of the admin server and of REST-JSON discovery.

    Clients that exceed a limit are counted in `steerway_http_refused_total`, and logged as `limit_reached`.
    """

    admin: Annotated[Address, Meta(title="Address of the admin HTTP server")] = "127.0.0.1:18001"
    """Address of the [admin HTTP server](admin.md). The default is loopback, because it shows all clients and
    resources. In a pod, use `0.0.0.0:18001` so that the kubelet can probe it and Prometheus can scrape it."""

    admin_token_file: Annotated[
        OptionalFile,
        Meta(title="File with the bearer token of the admin server", **unset("no token is required")),
    ] = None
    """File with the bearer token that requests to the admin server must carry; `/healthz` and `/readyz` need none. It
    is read again when it changes. Without it, any client that reaches the port can read."""

    admin_hosts: Annotated[
        tuple[
            Annotated[str, Meta(pattern=r"^(\*|(\*\.)?[0-9A-Za-z]([-.0-9A-Za-z]*[0-9A-Za-z])?)\Z")],
            ...,
        ],
        Meta(
            title="Host name of the admin server in requests (repeatable)",
            description="a list of host names, *.DOMAIN or *",
            extra={"metavar": "NAME", "unset": "no further names"},
        ),
    ] = ()
    """Names that are accepted in the `Host` header of requests to the admin server, besides IP addresses, `localhost`,
    the name of this host and the host of `admin`. Other names get status 421, which protects against
    [DNS rebinding](security.md#the-admin-server). `*.DOMAIN` accepts all names below it, `*` all names. Empty by
    default, because probes, scrapers and port-forwards use addresses."""

    admin_max_connections: Annotated[
        Connections, Meta(title="Concurrent connections of the admin server")
    ] = 64
    """Number of concurrent connections of the admin server. At the limit a new connection replaces the one that has
    waited longest for its client (idle, or with a partial request). While 7 of 8 connections wait for a response,
    further requests except probes get status 503. The number is lower when the limit of open files is low: a quarter
    of what `max_connections` leaves. The kubelet, some replicas of Prometheus and a few users need about a dozen."""

    admin_max_event_streams: Annotated[
        int, whole(1, 65536), Meta(title="Concurrent event streams of the admin server")
    ] = 32
    """Number of concurrent [event streams](admin.md#events-stream) of the admin server: open pages and commands with
    `--watch`. Further ones get status 503. Half of `admin_max_connections` is the limit where that is lower, so that
    other requests are answered."""

    rest_listen: Annotated[
        Address | None,
        Meta(
            title="Address of REST-JSON discovery, for Envoys that poll",
            description="HOST:PORT (an IPv6 host in brackets; PORT up to 65535, 0 lets the system choose)",
            extra={"metavar": "HOST:PORT", "unset": "no REST-JSON discovery"},
        ),
    ] = None
    """Address of [REST-JSON discovery](guide.md#envoys-that-poll) (`POST /v3/discovery:clusters`), for Envoys that poll
    instead of opening a stream. Plain HTTP; it serves secrets (SDS) to clients with permission, and requires tokens
    where `authentication` does. Without it, REST-JSON discovery is off, because a stream is better in all respects."""

    rest_max_connections: Annotated[
        Connections, Meta(title="Concurrent connections of REST-JSON discovery")
    ] = 64
    """As `admin_max_connections`, for `rest_listen`. An Envoy that polls uses a connection for milliseconds every few
    seconds, so 64 connections serve hundreds of Envoys."""

    http_request_timeout_seconds: Annotated[
        PositiveSeconds, Meta(title="Timeout to send an HTTP request or to read its response")
    ] = 10.0
    """Seconds that a client of either listener has to send a request (headers and body, from its first byte or from
    the start of the connection), and to read the response, plus one second per 64 KiB. Then the connection is closed.
    Clients need milliseconds for either; a kubelet stops after one second."""

    http_idle_timeout_seconds: Annotated[
        PositiveSeconds, Meta(title="Idle timeout of an HTTP connection")
    ] = 60.0
    """Seconds after which a connection of either listener without a request is closed, rounded up to whole seconds. A
    scraper with an interval of 15 or 30 s keeps its connection."""
