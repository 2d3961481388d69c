"""Listeners of xDS servers (gRFC A36): one filter chain, whose routes come by their own name.

The chain has no match, and is not the default one: with that, grpc-java 1.85 ignores every later change of the routes.
The filters never change, so that a server drains its connections only when its TLS changes.
"""

import functools

from envoy.config.core.v3 import config_source_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from steerway.catalog.model.security import TlsMode
from steerway.translate.grpc import http_filter, rbac, transport
from steerway.translate.protobuf.message import serialize
from steerway.translate.protobuf.packing import pack
from steerway.translate.server_name import ListeningAddress

_NETWORK_FILTER = "envoy.filters.network.http_connection_manager"

_REMEMBERED = 4096
"""A change in a namespace asks for those of all its servers again, and few are others."""


@functools.lru_cache(maxsize=_REMEMBERED)
def build(name: str, address: ListeningAddress, route: str, tls: TlsMode, filters: tuple[str, ...]) -> bytes:
    """A Listener with the routes of the name `route`. `filters`: the RBAC filters that the library supports.

    None of them is optional: grpc-js passes over an optional filter that it does not support, and accepts every call.
    """
    manager = hcm_pb2.HttpConnectionManager(
        # grpc-js-xds 1.14 ends the process, or goes on as before, where TLS changes and the manager does not.
        stat_prefix=f"server-{tls.name.lower()}",
        rds=hcm_pb2.Rds(
            # `self` is refused by grpc-go.
            config_source=config_source_pb2.ConfigSource(ads=config_source_pb2.AggregatedConfigSource()),
            route_config_name=route,
        ),
        http_filters=[
            *(hcm_pb2.HttpFilter(name=filter, typed_config=rbac.NO_EFFECT) for filter in filters),
            http_filter.ROUTER,
        ],
    )
    chain = listener_components_pb2.FilterChain(
        name="all",
        filters=[listener_components_pb2.Filter(name=_NETWORK_FILTER, typed_config=pack(manager))],
        transport_socket=transport.downstream(tls),
    )
    listener = listener_pb2.Listener(name=name, filter_chains=[chain])
    socket = listener.address.socket_address
    # gRFC A36: a server whose address is spelled otherwise does not serve.
    socket.address, socket.port_value = address
    return serialize(listener)
