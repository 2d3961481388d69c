"""Routes of xDS servers (gRFC A36): every call is the server's own, if the authorization permits it."""

import functools

from envoy.config.route.v3 import route_components_pb2 as components
from envoy.config.route.v3 import route_pb2

from steerway.catalog.model.security import Authorization
from steerway.translate.destination import BLACKHOLE
from steerway.translate.grpc import rbac
from steerway.translate.protobuf.message import serialize

_EVERY_CALL = components.RouteMatch(prefix="/")

_REMEMBERED = 4096
"""See `server_listener`."""


@functools.lru_cache(maxsize=_REMEMBERED)
def build(name: str, authorization: Authorization, audits: bool) -> bytes:
    """`audits`: see `rbac.overrides`."""
    served = components.Route(match=_EVERY_CALL, non_forwarding_action=components.NonForwardingAction())
    return _configuration(name, served, authorization, audits)


def build_refusal(name: str) -> bytes:
    """Routes by which no call is served: each fails with UNAVAILABLE, as gRFC A36 wants it of a route that forwards."""
    refused = components.Route(match=_EVERY_CALL, route=components.RouteAction(cluster=BLACKHOLE))
    return _configuration(name, refused, Authorization(), audits=False)


def _configuration(name: str, route: components.Route, authorization: Authorization, audits: bool) -> bytes:
    host = components.VirtualHost(
        name=name,
        domains=["*"],
        routes=[route],
        typed_per_filter_config=rbac.overrides(authorization, audits),
    )
    return serialize(route_pb2.RouteConfiguration(name=name, virtual_hosts=[host]))
