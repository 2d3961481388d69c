"""Clusters, assignments and listeners of Envoy."""

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import health_check_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as http_pb2

from steerway.catalog.model.mesh import Port
from steerway.catalog.model.policy import (
    Algorithm,
    Balancing,
    Ejection,
    HealthCheck,
    OutlierDetection,
    Policy,
    SlowStart,
)
from steerway.translate.envoy import cluster, listener
from steerway.translate.xds import endpoint

NAME = "backend.shop.svc.cluster.local:50051"
MOST = 2**31 - 1


def built(port: Port | None = None, external_name: str = "", **policy: object) -> cluster_pb2.Cluster:
    """A cluster; `policy` are the sections of that of the port."""
    port = port if port is not None else Port(50051, policy=Policy(**policy))  # type: ignore[arg-type]
    return cluster_pb2.Cluster.FromString(cluster.build(NAME, port, external_name))


def test_endpoints_come_over_ads_by_the_same_name() -> None:
    """And are used as the control plane sets: no panic, localities by their weights."""
    result = built()
    assert (result.type, result.eds_cluster_config.service_name) == (cluster_pb2.Cluster.EDS, NAME)
    assert result.eds_cluster_config.eds_config.HasField("ads")
    assert result.common_lb_config.HasField("healthy_panic_threshold")
    assert result.common_lb_config.healthy_panic_threshold.value == 0
    assert result.common_lb_config.HasField("locality_weighted_lb_config")
    assert health_check_pb2.DRAINING in result.common_lb_config.override_host_status.statuses


@pytest.mark.parametrize(
    ("port", "protocol"),
    [
        (Port(1), "http2_protocol_options"),
        (Port(1, "web"), "http2_protocol_options"),
        (Port(1, "grpc-web"), "http2_protocol_options"),
        (Port(1, "http"), "http_protocol_options"),
        (Port(1, "http-web"), "http_protocol_options"),
        (Port(1, "http2"), "http2_protocol_options"),
        (Port(1, "http", "grpc"), "http2_protocol_options"),
        (Port(1, "http", "kubernetes.io/h2c"), "http2_protocol_options"),
        (Port(1, "grpc", "http"), "http_protocol_options"),
        (Port(1, "", "HTTP"), "http_protocol_options"),
        (Port(1, "", "kubernetes.io/ws"), "http_protocol_options"),
        (Port(1, "http", "example.com/custom"), "http_protocol_options"),
        (Port(1, "web", "http/1.1"), "http_protocol_options"),
        (Port(1, "web", named_by=frozenset({"HTTPRoute"})), "http_protocol_options"),
        (Port(1, "web", named_by=frozenset({"HTTPRoute", "GRPCRoute"})), "http2_protocol_options"),
    ],
)
def test_the_protocol_of_a_port_is_that_of_its_service(port: Port, protocol: str) -> None:
    """The appProtocol before the name, and the name before routes; gRPC's HTTP/2 when none states HTTP/1.1."""
    (packed,) = built(port).typed_extension_protocol_options.values()
    options = http_pb2.HttpProtocolOptions()
    assert packed.Unpack(options)
    assert options.explicit_http_config.WhichOneof("protocol_config") == protocol


@pytest.mark.parametrize(("limit", "requests"), [(None, MOST), (7, 7)])
def test_nothing_but_requests_is_limited(limit: int | None, requests: int) -> None:
    """Envoy's own 1024 would be met first."""
    (result,) = built(maximum_requests=limit).circuit_breakers.thresholds
    assert result.max_requests.value == requests
    assert {
        item.value for item in (result.max_connections, result.max_pending_requests, result.max_retries)
    } == {MOST}


@pytest.mark.parametrize(
    ("algorithm", "policy"),
    [
        (Algorithm.ROUND_ROBIN, cluster_pb2.Cluster.ROUND_ROBIN),
        (Algorithm.LEAST_REQUEST, cluster_pb2.Cluster.LEAST_REQUEST),
        (Algorithm.RING_HASH, cluster_pb2.Cluster.RING_HASH),
        (Algorithm.RANDOM, cluster_pb2.Cluster.RANDOM),
        (Algorithm.PICK_FIRST, cluster_pb2.Cluster.ROUND_ROBIN),
    ],
)
def test_balancing_is_what_envoy_calls_it(algorithm: Algorithm, policy: int) -> None:
    """Within localities that have weights."""
    result = built(balancing=Balancing(algorithm))
    assert result.lb_policy == policy
    assert result.common_lb_config.HasField("locality_weighted_lb_config")
    assert not result.HasField("load_balancing_policy")


def test_weights_by_load_reports_are_an_extension() -> None:
    """Within localities by their weights, too, by the wrapper."""
    result = built(balancing=Balancing(Algorithm.WEIGHTED_ROUND_ROBIN, slow_start=SlowStart(3.0)))
    (policy,) = result.load_balancing_policy.policies
    assert policy.typed_extension_config.typed_config.type_url.endswith("WrrLocality")
    assert not result.common_lb_config.HasField("locality_weighted_lb_config")


@pytest.mark.parametrize("algorithm", [Algorithm.ROUND_ROBIN, Algorithm.LEAST_REQUEST])
def test_new_endpoints_may_start_slowly(algorithm: Algorithm) -> None:
    """From a share that is in percent."""
    result = built(balancing=Balancing(algorithm, choices=4, slow_start=SlowStart(30.0, 0.2)))
    config = (
        result.round_robin_lb_config if algorithm is Algorithm.ROUND_ROBIN else result.least_request_lb_config
    )
    assert config.slow_start_config.slow_start_window.seconds == 30
    assert config.slow_start_config.min_weight_percent.value == 20
    if algorithm is Algorithm.LEAST_REQUEST:
        assert result.least_request_lb_config.choice_count.value == 4


def test_a_ring_has_its_sizes() -> None:
    """Least and greatest."""
    ring_hash_lb_config = built(
        balancing=Balancing(Algorithm.RING_HASH, minimum_ring=8, maximum_ring=16)
    ).ring_hash_lb_config
    assert (ring_hash_lb_config.minimum_ring_size.value, ring_hash_lb_config.maximum_ring_size.value) == (
        8,
        16,
    )


def test_endpoints_may_be_asked_and_watched() -> None:
    """A check also while there are no requests; one that was taken away is not kept for its health."""
    result = built(
        health_check=HealthCheck("shop.Backend", 2.0, 1.0, 3, 2),
        outlier_detection=OutlierDetection(failure_percentage=Ejection(0.5)),
    )
    (check,) = result.health_checks
    assert check.grpc_health_check.service_name == "shop.Backend"
    assert (check.interval.seconds, check.no_traffic_interval.seconds, check.timeout.seconds) == (2, 2, 1)
    assert (check.unhealthy_threshold.value, check.healthy_threshold.value) == (3, 2)
    assert result.ignore_health_on_host_removal
    assert result.outlier_detection.failure_percentage_threshold.value == 50
    assert not built().ignore_health_on_host_removal


def test_an_external_name_is_asked_of_dns() -> None:
    """By Envoy itself."""
    result = built(Port(443), "db.example.org")
    assert result.type == cluster_pb2.Cluster.LOGICAL_DNS
    socket = result.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address
    assert (socket.address, socket.port_value) == ("db.example.org", 443)


def test_an_assignment_keeps_its_content_and_has_the_factor() -> None:
    """Envoy stays in a priority as long as anything in it is healthy."""
    body = endpoint.build(NAME, [])
    cluster_load_assignment = endpoint_pb2.ClusterLoadAssignment.FromString(endpoint.any_health(body))
    assert cluster_load_assignment.policy.overprovisioning_factor.value == 100_000
    cluster_load_assignment.ClearField("policy")
    assert cluster_load_assignment == endpoint_pb2.ClusterLoadAssignment.FromString(body)


@pytest.mark.parametrize("edge", [False, True])
@pytest.mark.parametrize(
    ("address", "host", "port"), [("127.0.0.1:15001", "127.0.0.1", 15001), ("[::]:80", "::", 80)]
)
def test_a_listener_has_all_filters_and_the_routes_of_its_name(
    edge: bool, address: str, host: str, port: int
) -> None:
    """It never changes afterwards; clients at the edge are not trusted."""
    message = listener_pb2.Listener.FromString(listener.build("steerway.sidecar", address, edge))
    socket = message.address.socket_address
    assert (message.name, socket.address, socket.port_value) == ("steerway.sidecar", host, port)
    manager = hcm_pb2.HttpConnectionManager()
    assert message.filter_chains[0].filters[0].typed_config.Unpack(manager)
    assert [http_filter.name for http_filter in manager.http_filters] == [
        "envoy.filters.http.fault",
        "envoy.filters.http.stateful_session",
        "envoy.filters.http.router",
    ]
    assert manager.rds.route_config_name == "steerway.sidecar"
    assert manager.HasField("stream_idle_timeout")
    assert manager.strip_trailing_host_dot
    assert manager.use_remote_address.value is edge
    assert manager.HasField("http2_protocol_options") is not edge
