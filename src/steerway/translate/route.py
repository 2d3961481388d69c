"""Route configurations: every method of a service port goes to its cluster."""

from envoy.config.route.v3 import route_components_pb2, route_pb2

from steerway.translate.message import serialize

_CHANNEL = route_components_pb2.RouteAction.HashPolicy(
    filter_state=route_components_pb2.RouteAction.HashPolicy.FilterState(key="io.grpc.channel_id")
)
"""gRFC A42: what all calls of a channel have in common."""


def build(name: str, cluster: str, sticky: bool = False) -> bytes:
    """A RouteConfiguration with one route. `sticky`: all calls of a channel have one hash.

    The domain is `*`, because one route serves all aliases of the service, and clients match domains against the
    target as it was dialled, port included (gRFC A27).
    """
    everything = route_components_pb2.Route(
        match=route_components_pb2.RouteMatch(prefix=""),
        route=route_components_pb2.RouteAction(cluster=cluster, hash_policy=[_CHANNEL] if sticky else []),
    )
    host = route_components_pb2.VirtualHost(name=name, domains=["*"], routes=[everything])
    return serialize(route_pb2.RouteConfiguration(name=name, virtual_hosts=[host]))
