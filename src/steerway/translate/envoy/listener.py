"""The listener of an Envoy: one, which never changes, since one that does drains its connections.

All that may change is in the routes; the filters stand there with nothing to do until a route gives them something.
"""

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import address_pb2, config_source_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.type.matcher.v3 import string_pb2
from google.protobuf import wrappers_pb2

from steerway.translate.grpc import http_filter
from steerway.translate.protobuf.message import serialize
from steerway.translate.protobuf.packing import duration, pack, uint32

_MAX_STREAMS = 2**31 - 1
"""The most that Envoy takes."""
_MANAGER = "envoy.filters.network.http_connection_manager"


def build(name: str, address: str, edge: bool) -> bytes:
    """A Listener on `HOST:PORT` for the RouteConfiguration of its own name. `edge`: its clients are not trusted."""
    manager = hcm_pb2.HttpConnectionManager(
        stat_prefix=name,
        codec_type=hcm_pb2.HttpConnectionManager.AUTO,
        rds=hcm_pb2.Rds(
            config_source=config_source_pb2.ConfigSource(
                resource_api_version=config_source_pb2.V3, ads=config_source_pb2.AggregatedConfigSource()
            ),
            route_config_name=name,
        ),
        # Unset ends a stream that is quiet for five minutes, as a gRPC stream may be for days.
        stream_idle_timeout=duration(0),
        http_filters=http_filter.OF_LISTENER,
        local_reply_config=hcm_pb2.LocalReplyConfig(mappers=_replies()),
        # The sender is then the peer, and not that of X-Forwarded-For.
        use_remote_address=wrappers_pb2.BoolValue(value=edge),
        # `backend.shop.` is `backend.shop`, with a port behind it as well: a host without it finds its virtual host.
        strip_trailing_host_dot=True,
        normalize_path=wrappers_pb2.BoolValue(value=edge),
    )
    if not edge:
        # Unset: 1024, and a gRPC channel, which is one connection, keeps what exceeds it waiting.
        manager.http2_protocol_options.max_concurrent_streams.value = _MAX_STREAMS
    chain = listener_components_pb2.FilterChain(
        filters=[listener_components_pb2.Filter(name=_MANAGER, typed_config=pack(manager))]
    )
    return serialize(listener_pb2.Listener(name=name, address=_address(address), filter_chains=[chain]))


def _address(address: str) -> address_pb2.Address:
    host, _, port = address.rpartition(":")
    return address_pb2.Address(
        socket_address=address_pb2.SocketAddress(address=host.strip("[]"), port_value=int(port))
    )


def _replies() -> list[hcm_pb2.ResponseMapper]:
    """Where Envoy's own answers are others than the Gateway API's and gRPC's:

    - NC: the cluster is missing. 500 to HTTP (see `route`), and to gRPC UNAVAILABLE, which is what Envoy makes of 503;
    - DT: the time of a request is up. To gRPC it is DEADLINE_EXCEEDED already; to HTTP 504 and not 408, since the
      client is not to blame (HTTPRouteTimeouts.request);
    - FI: a fault that was asked for. It is a status of gRPC, which HTTP would take for 200.
    """
    return [
        _reply(503, _flag("NC"), _grpc(True)),
        _reply(504, _flag("DT"), _grpc(False)),
        _reply(503, _flag("FI"), _grpc(False)),
    ]


def _reply(status: int, *conditions: accesslog_pb2.AccessLogFilter) -> hcm_pb2.ResponseMapper:
    both = accesslog_pb2.AccessLogFilter(and_filter=accesslog_pb2.AndFilter(filters=conditions))
    return hcm_pb2.ResponseMapper(filter=both, status_code=uint32(status))


def _flag(flag: str) -> accesslog_pb2.AccessLogFilter:
    return accesslog_pb2.AccessLogFilter(response_flag_filter=accesslog_pb2.ResponseFlagFilter(flags=[flag]))


def _grpc(wanted: bool) -> accesslog_pb2.AccessLogFilter:
    header = route_components_pb2.HeaderMatcher(
        name="content-type",
        string_match=string_pb2.StringMatcher(prefix="application/grpc"),
        invert_match=not wanted,
        treat_missing_header_as_empty=True,
    )
    return accesslog_pb2.AccessLogFilter(header_filter=accesslog_pb2.HeaderFilter(header=header))
