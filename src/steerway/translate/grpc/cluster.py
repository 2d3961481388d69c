"""Clusters for gRPC clients: how they balance over the endpoints of a service port, and when they leave some out."""

from collections.abc import Sequence

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2, outlier_detection_pb2
from envoy.config.core.v3 import base_pb2, config_source_pb2, health_check_pb2

from steerway.catalog.model.policy import Ejection, OutlierDetection, Policy
from steerway.catalog.model.security import TextMatch
from steerway.translate.grpc import balancing, transport
from steerway.translate.protobuf.message import serialize
from steerway.translate.protobuf.packing import duration, percent, uint32

MAX_REQUESTS = 2**31 - 1
"""gRFC A32: unset means 1,024 concurrent requests per cluster and client, always enforced. The largest number that all
clients read alike: grpc-java takes the uint32 as a signed int."""

SESSION_STATES = health_check_pb2.HealthStatusSet(
    statuses=[health_check_pb2.UNKNOWN, health_check_pb2.HEALTHY, health_check_pb2.DRAINING]
)
"""A session stays with an endpoint that drains (gRFC A55). Where there are none it means nothing."""


def build(
    name: str,
    policy: Policy,
    report_load: bool = False,
    level: str = "",
    assignment: str = "",
    identities: Sequence[TextMatch] = (),
) -> bytes:
    """An EDS cluster. With `report_load`, clients report their requests (LRS). `level`: see `client.Client.level`.
    `assignment`: the name of its assignment where that is not the cluster's. `identities`: those of its servers, for
    TLS; empty: plaintext."""
    cluster = _cluster(name, policy, report_load, level)
    ads = config_source_pb2.ConfigSource(ads=config_source_pb2.AggregatedConfigSource())
    cluster.type = cluster_pb2.Cluster.EDS
    cluster.eds_cluster_config.CopyFrom(
        cluster_pb2.Cluster.EdsClusterConfig(eds_config=ads, service_name=assignment or name)
    )
    if identities:
        cluster.transport_socket.CopyFrom(transport.upstream(identities))
    return serialize(cluster)


def build_dns(name: str, policy: Policy, host: str, port: int, report_load: bool = False) -> bytes:
    """A cluster whose clients ask DNS for `host` themselves: one endpoint, as gRFC A37 wants it."""
    cluster = _cluster(name, policy, report_load, "a27")
    cluster.type = cluster_pb2.Cluster.LOGICAL_DNS
    cluster.load_assignment.cluster_name = name
    locality = cluster.load_assignment.endpoints.add()
    locality.locality.SetInParent()
    locality.load_balancing_weight.value = 1
    socket = locality.lb_endpoints.add().endpoint.address.socket_address
    socket.address = host
    socket.port_value = port
    return serialize(cluster)


def _cluster(name: str, policy: Policy, report_load: bool, level: str) -> cluster_pb2.Cluster:
    """The fields that clusters of every kind have."""
    itself = config_source_pb2.ConfigSource(self=config_source_pb2.SelfConfigSource())
    cluster = cluster_pb2.Cluster(
        name=name,
        connect_timeout=duration(5),
        lrs_server=itself if report_load else None,  # gRFC A27: only `self` is taken
        circuit_breakers=circuit_breakers(policy.maximum_requests),
        common_lb_config=cluster_pb2.Cluster.CommonLbConfig(override_host_status=SESSION_STATES),
    )
    balancing.apply(cluster, policy.balancing, level)
    if policy.outlier_detection is not None:
        cluster.outlier_detection.CopyFrom(outlier_detection(policy.outlier_detection))
    return cluster


def circuit_breakers(most: int | None) -> circuit_breaker_pb2.CircuitBreakers:
    """At most so many requests under way; None: as many as there are."""
    threshold = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        priority=base_pb2.DEFAULT, max_requests=uint32(MAX_REQUESTS if most is None else most)
    )
    return circuit_breaker_pb2.CircuitBreakers(thresholds=[threshold])


def outlier_detection(wanted: OutlierDetection) -> outlier_detection_pb2.OutlierDetection:
    """gRFC A50. What is not wanted is switched off by name: unset means 100 % for the success rate."""
    off = Ejection(0.0, enforcing=0.0)
    rate, failures = wanted.success_rate or off, wanted.failure_percentage or off
    detection = outlier_detection_pb2.OutlierDetection(
        interval=duration(wanted.interval_seconds),
        base_ejection_time=duration(wanted.base_seconds),
        max_ejection_time=duration(wanted.maximum_seconds),
        max_ejection_percent=percent(wanted.maximum_share),
        enforcing_success_rate=percent(rate.enforcing),
        enforcing_failure_percentage=percent(failures.enforcing),
        enforcing_consecutive_5xx=uint32(0),
        enforcing_consecutive_gateway_failure=uint32(0),
    )
    if wanted.success_rate is not None:
        detection.success_rate_stdev_factor.value = round(rate.factor * 1000)
        detection.success_rate_minimum_hosts.value = rate.minimum_hosts
        detection.success_rate_request_volume.value = rate.request_volume
    if wanted.failure_percentage is not None:
        detection.failure_percentage_threshold.value = round(failures.factor * 100)
        detection.failure_percentage_minimum_hosts.value = failures.minimum_hosts
        detection.failure_percentage_request_volume.value = failures.request_volume
    return detection
