"""Route configurations: every method of a service port goes to its cluster."""

from envoy.config.route.v3 import route_components_pb2, route_pb2

from steerway.translate.message import serialize


def build(name: str, cluster: str) -> bytes:
    """A RouteConfiguration with one route.

    The domain is `*`, because one route serves all aliases of the service, and clients match domains against the
    target as it was dialled, port included (gRFC A27).
    """
    everything = route_components_pb2.Route(
        match=route_components_pb2.RouteMatch(prefix=""),
        route=route_components_pb2.RouteAction(cluster=cluster),
    )
    host = route_components_pb2.VirtualHost(name=name, domains=["*"], routes=[everything])
    return serialize(route_pb2.RouteConfiguration(name=name, virtual_hosts=[host]))
