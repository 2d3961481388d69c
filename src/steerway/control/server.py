"""Construction of the HTTP servers, and of the gRPC calls beside discovery, from settings."""

from collections.abc import Collection
from dataclasses import replace

from steerway import rest
from steerway.access.token.shared_token import SharedToken
from steerway.admin.grpc.call_service import Authorize, CallService, Respond
from steerway.admin.grpc.client_status import ClientStatus
from steerway.admin.grpc.load_request import LoadRequest
from steerway.admin.server import AdminServer
from steerway.admin.view import AdminView
from steerway.config import Settings
from steerway.engine.engine import Engine
from steerway.http.limit import HttpLimits, within_open_files
from steerway.http.server import HttpServer


def admin_server(settings: Settings, view: AdminView, token: SharedToken | None) -> AdminServer:
    """`token`: the bearer token that requests must carry; None: no token."""
    limits = http_limits(settings, settings.admin_max_connections)
    accepts = token.accepts if token else None
    hosts: Collection[str] = settings.admin_hosts
    return AdminServer(settings.admin, view, limits, accepts, hosts)


def rest_servers(settings: Settings, engine: Engine) -> list[tuple[str, HttpServer]]:
    """The server of REST-JSON discovery, with what is announced before its address; none without `rest_listen`."""
    if settings.rest_listen is None:
        return []
    limits = replace(http_limits(settings, settings.rest_max_connections), body_bytes=rest.MAX_BODY_BYTES)
    application = rest.application(engine.fetch)
    server = HttpServer(settings.rest_listen, application, "--rest-listen", name="rest", limits=limits)
    return [("REST discovery on http://", server)]


def call_service(settings: Settings, engine: Engine, authorize: Authorize) -> CallService:
    """Client status and load reports on the xDS port."""
    status = ClientStatus(engine)
    responders: dict[str, Respond] = {
        "FetchClientStatus": status,
        "StreamClientStatus": status,
        "StreamLoadStats": LoadRequest(settings.load_reporting.interval_seconds),
    }
    return CallService(engine, responders, authorize)


def http_limits(settings: Settings, connections: int) -> HttpLimits:
    """The limits of an HTTP listener that wants so many connections."""
    return HttpLimits(
        connections=within_open_files(connections, settings.max_connections),
        request_timeout_seconds=settings.http_request_timeout_seconds,
        idle_timeout_seconds=settings.http_idle_timeout_seconds,
    )
