"""Listeners for gRPC clients: an API listener that points at the route of one service port."""

from envoy.config.core.v3 import config_source_pb2
from envoy.config.listener.v3 import api_listener_pb2, listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from steerway.translate.grpc import http_filter
from steerway.translate.protobuf.message import serialize
from steerway.translate.protobuf.packing import pack


def build(name: str, route: str) -> bytes:
    """A Listener named exactly as the client asked (gRFC A27), for the RouteConfiguration `route`."""
    manager = hcm_pb2.HttpConnectionManager(
        stat_prefix=route,
        rds=hcm_pb2.Rds(
            # `ads`, because xDS servers in Go refuse `self` and every client takes `ads`.
            config_source=config_source_pb2.ConfigSource(ads=config_source_pb2.AggregatedConfigSource()),
            route_config_name=route,
        ),
        http_filters=http_filter.OF_LISTENER,
    )
    listener = listener_pb2.Listener(
        name=name, api_listener=api_listener_pb2.ApiListener(api_listener=pack(manager))
    )
    return serialize(listener)
