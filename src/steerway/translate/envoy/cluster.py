"""Clusters for Envoy: how it speaks to the endpoints of a service port, and when it leaves some out.

What Envoy would decide by itself is switched off where the control plane has decided: to use endpoints that are known
to be bad (panic), to keep those that were taken away, and limits that no policy sets.
"""

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2
from envoy.config.core.v3 import base_pb2, config_source_pb2, health_check_pb2, protocol_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as http_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf.any_pb2 import Any

from steerway.catalog.model.mesh import Port
from steerway.catalog.model.policy import HealthCheck
from steerway.catalog.model.protocol import Protocol
from steerway.translate.envoy import balancing, tls
from steerway.translate.grpc.cluster import MAX_REQUESTS, SESSION_STATES, outlier_detection
from steerway.translate.protobuf.message import serialize
from steerway.translate.protobuf.packing import duration, pack, uint32

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_ADS = config_source_pb2.ConfigSource(
    resource_api_version=config_source_pb2.V3, ads=config_source_pb2.AggregatedConfigSource()
)


def build(
    name: str, port: Port, external_name: str = "", service_name: str = "", system_ca_file: str = ""
) -> bytes:
    """The cluster of a service port. With an external name Envoy asks DNS, else steerway for the endpoints, by
    `service_name` (the cluster's own name when it is ""). `system_ca_file`: see `tls.socket`."""
    policy = port.policy
    cluster = cluster_pb2.Cluster(
        name=name,
        connect_timeout=duration(5),
        circuit_breakers=_circuit_breakers(policy.maximum_requests),
        typed_extension_protocol_options={_HTTP_OPTIONS: _http_options(port)},
        common_lb_config=cluster_pb2.Cluster.CommonLbConfig(
            override_host_status=SESSION_STATES,
            # Below 50 % of healthy endpoints Envoy would use the bad ones, too, those that drain among them. Whether
            # that is wanted is a policy's word (`safety`), and the control plane marks them healthy then.
            healthy_panic_threshold=percent_pb2.Percent(value=0),
        ),
    )
    balancing.apply(cluster, policy.balancing)
    if port.tls is not None:
        cluster.transport_socket.CopyFrom(tls.socket(port.tls, system_ca_file))
    if policy.outlier_detection is not None:
        cluster.outlier_detection.CopyFrom(outlier_detection(policy.outlier_detection))
    if policy.health_check is not None:
        cluster.health_checks.append(_health_check(policy.health_check))
        # Else one that was taken away gets requests until a check of it fails.
        cluster.ignore_health_on_host_removal = True
    if external_name:
        _resolve(cluster, external_name, port.number)
    else:
        cluster.type = cluster_pb2.Cluster.EDS
        cluster.eds_cluster_config.eds_config.CopyFrom(_ADS)
        cluster.eds_cluster_config.service_name = service_name or name
    return serialize(cluster)


def _resolve(cluster: cluster_pb2.Cluster, host: str, port: int) -> None:
    """LOGICAL_DNS, whose connections outlive a change of the answer: one name may stand for thousands of hosts."""
    cluster.type = cluster_pb2.Cluster.LOGICAL_DNS
    cluster.dns_lookup_family = cluster_pb2.Cluster.V4_PREFERRED
    cluster.load_assignment.cluster_name = cluster.name
    socket = cluster.load_assignment.endpoints.add().lb_endpoints.add().endpoint.address.socket_address
    socket.address = host
    socket.port_value = port


def _circuit_breakers(most: int | None) -> circuit_breaker_pb2.CircuitBreakers:
    """What is limited are requests. Envoy's other limits, 1024 connections and 1024 requests that wait for one and 3
    retries when unset, would be met first."""
    threshold = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        priority=base_pb2.DEFAULT,
        max_requests=uint32(MAX_REQUESTS if most is None else most),
        max_connections=uint32(MAX_REQUESTS),
        max_pending_requests=uint32(MAX_REQUESTS),
        max_retries=uint32(MAX_REQUESTS),
    )
    return circuit_breaker_pb2.CircuitBreakers(thresholds=[threshold])


def _http_options(port: Port) -> Any:
    """HTTP/2 without asking, as gRPC wants it, also where nothing is stated: a mesh of gRPC is what this is. Inside of
    TLS the server is asked (ALPN) unless one is stated."""
    stated = port.protocol.protocol
    if port.tls is not None and stated not in (Protocol.HTTP1, Protocol.HTTP2):
        both = http_pb2.HttpProtocolOptions.AutoHttpConfig(
            http_protocol_options=protocol_pb2.Http1ProtocolOptions(),
            http2_protocol_options=protocol_pb2.Http2ProtocolOptions(),
        )
        return pack(http_pb2.HttpProtocolOptions(auto_config=both))
    explicit = http_pb2.HttpProtocolOptions.ExplicitHttpConfig()
    if stated is Protocol.HTTP1:
        explicit.http_protocol_options.CopyFrom(protocol_pb2.Http1ProtocolOptions())
    else:
        explicit.http2_protocol_options.CopyFrom(protocol_pb2.Http2ProtocolOptions())
    return pack(http_pb2.HttpProtocolOptions(explicit_http_config=explicit))


def _health_check(wanted: HealthCheck) -> health_check_pb2.HealthCheck:
    return health_check_pb2.HealthCheck(
        timeout=duration(wanted.timeout_seconds),
        interval=duration(wanted.interval_seconds),
        # Else a cluster that gets no requests is looked at once a minute, and its first ones meet stale results.
        no_traffic_interval=duration(wanted.interval_seconds),
        unhealthy_threshold=uint32(wanted.unhealthy_threshold),
        healthy_threshold=uint32(wanted.healthy_threshold),
        grpc_health_check=health_check_pb2.HealthCheck.GrpcHealthCheck(service_name=wanted.service),
    )
