"""Names of the resources of xDS servers (gRFC A36).

A server requests its Listener by the address that it listens on, which the template of its bootstrap completes. The
name of its routes contains what they depend on: `server/NAMESPACE/WORKLOAD:PORT`.
"""

import ipaddress
import re
from typing import NamedTuple

from steerway.catalog.locality.traffic_distribution import UNKNOWN
from steerway.errors import TranslateError
from steerway.text import bounded

_PREFIX = "grpc/server?xds.resource.listening_address="
SERVER_LISTENER_TEMPLATE = f"{_PREFIX}%s"
"""The name by which an xDS server requests its Listener, as most control planes have it; `%s` is `IP:PORT`."""
_ROUTES = "server/"
_ROUTE = re.compile(rf"{_ROUTES}([a-z0-9-]{{1,63}})/([A-Za-z0-9._-]{{1,63}}):([1-9][0-9]{{0,4}})")
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_MAX_PORT = 65_535
_MAX_SHOWN = 80


class ListeningAddress(NamedTuple):
    """`host` is an IP literal as the server wrote it, without the brackets of IPv6."""

    host: str
    port: int


class ServerRoute(NamedTuple):
    """What a name of routes stands for. `workload` is "" for servers that are not identified."""

    namespace: str
    workload: str
    port: int

    def __str__(self) -> str:
        return f"{_ROUTES}{self.namespace}/{self.workload or UNKNOWN}:{self.port}"


def is_listener(name: str) -> bool:
    """Whether it is the name of a server's Listener."""
    return name.startswith(_PREFIX)


def is_route(name: str) -> bool:
    """Whether it is the name of a server's routes, and of no Service: those have no slash."""
    return name.startswith(_ROUTES)


def parse_listener(name: str) -> ListeningAddress:
    """TranslateError: the address is none that a server can listen on."""
    address = name.removeprefix(_PREFIX)
    host, _, port = address.rpartition(":")
    literal = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        version: int = ipaddress.ip_address(literal).version
    except ValueError:
        version = 0
    valid_port = _NUMBER.fullmatch(port) is not None and int(port) <= _MAX_PORT
    if not valid_port or version != (6 if literal != host else 4):
        raise TranslateError(
            f"'{bounded(address, _MAX_SHOWN)}' is no listening address: have the server listen on IP:PORT or"
            " [IPv6]:PORT, with a port that is not 0"
        )
    return ListeningAddress(literal, int(port))


def parse_route(name: str) -> ServerRoute:
    """TranslateError: it is no name of a server's routes."""
    match = _ROUTE.fullmatch(name)
    if match is None or int(match[3]) > _MAX_PORT:
        raise TranslateError(f"'{bounded(name, _MAX_SHOWN)}' is no name of a server's routes")
    return ServerRoute(match[1], "" if match[2] == UNKNOWN else match[2], int(match[3]))
