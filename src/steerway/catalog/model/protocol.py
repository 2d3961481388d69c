"""What the endpoints of a service port speak, as far as its Service and its routes state it.

`appProtocol` comes before the name of the port, and the name before the kinds of the routes that name the port. An
`appProtocol` that is not known is ignored: it is a hint, and one for another implementation must not change what the
port was without it.

gRPC clients speak HTTP/2 whatever is stated, and bring their own TLS. Envoy has to know.

Sources: Kubernetes API reference, ServicePort.appProtocol; KEP-3726 (`kubernetes.io/h2c`, `ws`, `wss`); ALPN protocol
IDs (`http/1.1`, `h2c`); the names of ports as Istio reads them.
"""

import enum
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple


class Protocol(enum.Enum):
    """What stands on the connection. `TLS` is any protocol inside of TLS, `TCP` one that is not HTTP."""

    HTTP1 = "HTTP/1.1"
    HTTP2 = "HTTP/2"
    TLS = "TLS"
    TCP = "TCP"


class Statement(NamedTuple):
    """A protocol and where it is stated; `protocol` None: nothing states one."""

    protocol: Protocol | None = None
    origin: str = ""


UNSTATED = Statement()
_APP_PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        "http": Protocol.HTTP1,
        "http/1.1": Protocol.HTTP1,
        "ws": Protocol.HTTP1,
        "kubernetes.io/ws": Protocol.HTTP1,
        "grpc": Protocol.HTTP2,
        "grpc-web": Protocol.HTTP2,
        "http2": Protocol.HTTP2,
        "h2c": Protocol.HTTP2,
        "kubernetes.io/h2c": Protocol.HTTP2,
        "https": Protocol.TLS,
        "tls": Protocol.TLS,
        "wss": Protocol.TLS,
        "kubernetes.io/wss": Protocol.TLS,
        "tcp": Protocol.TCP,
    }
)
_NAMES: Mapping[str, Protocol] = MappingProxyType(
    {
        "http": Protocol.HTTP1,
        "grpc": Protocol.HTTP2,
        "http2": Protocol.HTTP2,
        "h2c": Protocol.HTTP2,
        "https": Protocol.TLS,
        "tls": Protocol.TLS,
        "wss": Protocol.TLS,
    }
)
"""The name of a port, up to the first `-`."""


def stated(app_protocol: str, name: str, routes: Collection[str] = ()) -> Statement:
    """The protocol of a port by its `appProtocol`, its name, and the kinds of the routes that name it."""
    if (stated_protocol := _APP_PROTOCOLS.get(app_protocol.lower())) is not None:
        return Statement(stated_protocol, f"appProtocol {app_protocol}")
    if (by_name := _NAMES.get(name.partition("-")[0])) is not None:
        return Statement(by_name, f"the port name {name}")
    if "GRPCRoute" in routes:
        return Statement(Protocol.HTTP2, "a GRPCRoute that names the port")
    if "HTTPRoute" in routes:
        return Statement(Protocol.HTTP1, "HTTPRoutes alone name the port")
    return UNSTATED
