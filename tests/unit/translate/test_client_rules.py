"""The oracle itself: it finds every fault that clients were seen to refuse, so that its silence means something."""

from collections.abc import Callable
from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import health_check_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.load_balancing_policies.least_request.v3 import least_request_pb2
from envoy.extensions.load_balancing_policies.ring_hash.v3 import ring_hash_pb2
from google.protobuf.wrappers_pb2 import UInt32Value, UInt64Value

from steerway.catalog.model.mesh import Endpoint, Locality
from steerway.catalog.model.policy import NOTHING
from steerway.translate.grpc import cluster, listener, route
from steerway.translate.xds import endpoint, type_url
from testbed.mesh import everything, groups
from tests.support.model import client_rules

NAME = "backend"
GOOD: dict[str, tuple[Any, bytes]] = {
    type_url.LISTENER: (listener_pb2.Listener, listener.build(NAME, NAME)),
    type_url.ROUTE: (route_pb2.RouteConfiguration, route.build(NAME, [everything(NAME)])),
    type_url.CLUSTER: (cluster_pb2.Cluster, cluster.build(NAME, NOTHING)),
    type_url.ENDPOINT: (
        endpoint_pb2.ClusterLoadAssignment,
        endpoint.build(
            NAME, groups([Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 1, locality=Locality(zone="a"))])
        ),
    ),
}
Change = Callable[[Any], object]


def manager(change: Change) -> Change:
    """A change of the HttpConnectionManager inside of a Listener."""

    def changed(result: listener_pb2.Listener) -> None:
        inner = hcm_pb2.HttpConnectionManager.FromString(result.api_listener.api_listener.value)
        change(inner)
        result.api_listener.api_listener.Pack(inner)

    return changed


def entry(change: Change) -> Change:
    """A change of the first route."""
    return lambda result: change(result.virtual_hosts[0].routes[0])


def pod(change: Change) -> Change:
    """A change of the first endpoint."""
    return lambda result: change(result.endpoints[0].lb_endpoints[0])


CHANGES: list[tuple[str, str, Change]] = [
    (type_url.LISTENER, "another name", lambda m: setattr(m, "name", "x")),
    (type_url.LISTENER, "no api_listener", lambda m: m.ClearField("api_listener")),
    (type_url.LISTENER, "rds-config-source-path", manager(lambda m: m.rds.config_source.Clear())),
    (type_url.LISTENER, "rds-self", manager(lambda m: m.rds.config_source.self.SetInParent())),
    (type_url.LISTENER, "scoped-routes", manager(lambda m: m.scoped_routes.SetInParent())),
    (type_url.LISTENER, "xff-trusted-hops", manager(lambda m: setattr(m, "xff_num_trusted_hops", 1))),
    (type_url.LISTENER, "filters-empty", manager(lambda m: m.ClearField("http_filters"))),
    (type_url.LISTENER, "filters-dup-name", manager(lambda m: m.http_filters.append(m.http_filters[0]))),
    (type_url.LISTENER, "router-not-last", manager(lambda m: m.http_filters.add(name="cors"))),
    (type_url.ROUTE, "another name", lambda m: setattr(m, "name", "x")),
    (type_url.ROUTE, "vhost-no-domains", lambda m: m.virtual_hosts[0].ClearField("domains")),
    (type_url.ROUTE, "vhost-bad-domain", lambda m: m.virtual_hosts[0].domains.append("a*b")),
    (type_url.ROUTE, "vhost-empty-domain", lambda m: m.virtual_hosts[0].domains.append("")),
    (type_url.ROUTE, "vhost-dup-domain", lambda m: m.virtual_hosts[0].domains.append("*")),
    (type_url.ROUTE, "vhost-domain-upper-case", lambda m: m.virtual_hosts[0].domains.append("A")),
    (type_url.ROUTE, "no routes", lambda m: m.virtual_hosts[0].ClearField("routes")),
    (type_url.ROUTE, "route-no-match", entry(lambda m: m.ClearField("match"))),
    (type_url.ROUTE, "query-parameters", entry(lambda m: m.match.query_parameters.add(name="a"))),
    (type_url.ROUTE, "route-no-action", entry(lambda m: m.ClearField("route"))),
    (type_url.ROUTE, "route-redirect", entry(lambda m: m.redirect.SetInParent())),
    (type_url.ROUTE, "route-non-forwarding", entry(lambda m: m.non_forwarding_action.SetInParent())),
    (type_url.ROUTE, "route-cluster-empty-name", entry(lambda m: setattr(m.route, "cluster", ""))),
    (type_url.ROUTE, "route-cluster-header", entry(lambda m: setattr(m.route, "cluster_header", "x"))),
    (type_url.ROUTE, "wc-empty", entry(lambda m: m.route.weighted_clusters.SetInParent())),
    (
        type_url.ROUTE,
        "wc-weight-unset",
        entry(lambda m: m.route.weighted_clusters.clusters.add(name="a")),
    ),
    (
        type_url.ROUTE,
        "wc-twice",
        entry(
            lambda m: [
                m.route.weighted_clusters.clusters.add(name="a", weight=UInt32Value(value=1)) for _ in "ab"
            ]
        ),
    ),
    (type_url.ROUTE, "route-bad-regex", entry(lambda m: setattr(m.match.safe_regex, "regex", "("))),
    (type_url.ROUTE, "route-lookahead", entry(lambda m: setattr(m.match.safe_regex, "regex", "(?=a)"))),
    (
        type_url.ROUTE,
        "route-regex-of-either",
        entry(lambda m: setattr(m.match.safe_regex, "regex", "(/a)|/[|]")),
    ),
    (
        type_url.ROUTE,
        "hm-regex-of-either",
        entry(lambda m: setattr(m.match.headers.add(name="a").safe_regex_match, "regex", "a|b")),
    ),
    (type_url.ROUTE, "hm-no-specifier", entry(lambda m: m.match.headers.add(name="a"))),
    (type_url.ROUTE, "hm-contains", entry(lambda m: m.match.headers.add(name="a", contains_match="b"))),
    (
        type_url.ROUTE,
        "retry-num-0",
        entry(lambda m: setattr(m.route.retry_policy, "retry_on", "unavailable")),
    ),
    (type_url.ROUTE, "retry-5xx", entry(lambda m: setattr(m.route.retry_policy, "retry_on", "5xx"))),
    (type_url.ROUTE, "hash-policy-cookie", entry(lambda m: m.route.hash_policy.add().cookie.SetInParent())),
    (
        type_url.ROUTE,
        "hash-policy-header-empty",
        entry(lambda m: m.route.hash_policy.add().header.SetInParent()),
    ),
    (type_url.ROUTE, "override-unknown", entry(lambda m: m.typed_per_filter_config["a"].SetInParent())),
    (
        type_url.ROUTE,
        "override-not-optional",
        entry(lambda m: override(m, cors_pb2.CorsPolicy(), optional=False)),
    ),
    (type_url.ROUTE, "override-fault-wrapped", entry(lambda m: override(m, fault_pb2.HTTPFault()))),
    (
        type_url.ROUTE,
        "max-stream-duration-negative",
        entry(lambda m: setattr(m.route.max_stream_duration.max_stream_duration, "seconds", -1)),
    ),
    (type_url.CLUSTER, "cds-lbp-empty", lambda m: m.load_balancing_policy.SetInParent()),
    (type_url.CLUSTER, "cds-lbp-least-request-only", lambda m: policy(m, least_request_pb2.LeastRequest())),
    (type_url.CLUSTER, "cds-lbp-ring-hash-default-fn", lambda m: policy(m, ring_hash_pb2.RingHash())),
    (
        type_url.CLUSTER,
        "cds-lbp-ring-hash-size",
        lambda m: policy(
            m,
            ring_hash_pb2.RingHash(
                hash_function=ring_hash_pb2.RingHash.XX_HASH, maximum_ring_size=UInt64Value(value=9)
            ),
        ),
    ),
    (type_url.CLUSTER, "cds-outlier-unset", lambda m: m.outlier_detection.SetInParent()),
    (type_url.CLUSTER, "another name", lambda m: setattr(m, "name", "x")),
    (type_url.CLUSTER, "cds-static", lambda m: setattr(m, "type", cluster_pb2.Cluster.STATIC)),
    (type_url.CLUSTER, "cds-eds-config-path", lambda m: m.eds_cluster_config.eds_config.Clear()),
    (type_url.CLUSTER, "cds-maglev", lambda m: setattr(m, "lb_policy", cluster_pb2.Cluster.MAGLEV)),
    (type_url.CLUSTER, "cds-lrs-ads", lambda m: m.lrs_server.ads.SetInParent()),
    (type_url.CLUSTER, "cds-transport-socket-matches", lambda m: m.transport_socket_matches.add(name="a")),
    (type_url.CLUSTER, "no limit", lambda m: m.ClearField("circuit_breakers")),
    (
        type_url.CLUSTER,
        "no request at all",
        lambda m: setattr(m.circuit_breakers.thresholds[0].max_requests, "value", 0),
    ),
    (
        type_url.CLUSTER,
        "a limit that Java reads as negative",
        lambda m: setattr(m.circuit_breakers.thresholds[0].max_requests, "value", 2**31),
    ),
    (type_url.ENDPOINT, "another name", lambda m: setattr(m, "cluster_name", "x")),
    (type_url.ENDPOINT, "eds-hostname-address", pod(lambda m: setattr(socket(m), "address", "a.b"))),
    (type_url.ENDPOINT, "eds-port-0", pod(lambda m: setattr(socket(m), "port_value", 0))),
    (
        type_url.ENDPOINT,
        "eds-endpoint-weight-zero",
        pod(lambda m: m.load_balancing_weight.SetInParent()),
    ),
    (
        type_url.ENDPOINT,
        "eds-degraded",
        pod(lambda m: setattr(m, "health_status", health_check_pb2.DEGRADED)),
    ),
    (type_url.ENDPOINT, "eds-priority-gap", lambda m: setattr(m.endpoints[1], "priority", 2)),
    (
        type_url.ENDPOINT,
        "eds-locality-weight-unset",
        lambda m: m.endpoints[0].ClearField("load_balancing_weight"),
    ),
    (type_url.ENDPOINT, "eds-locality-unset", lambda m: m.endpoints[0].ClearField("locality")),
    (type_url.ENDPOINT, "eds-locality-empty", lambda m: m.endpoints[0].ClearField("lb_endpoints")),
    (type_url.ENDPOINT, "eds-dup-locality", lambda m: setattr(m.endpoints[1].locality, "zone", "")),
    (
        type_url.ENDPOINT,
        "eds-dup-address",
        lambda m: setattr(socket(m.endpoints[1].lb_endpoints[0]), "address", "10.0.0.1"),
    ),
    (
        type_url.ENDPOINT,
        "weights beyond 32 bits",
        lambda m: [setattr(item.load_balancing_weight, "value", 2**32 - 1) for item in m.endpoints],
    ),
]


def policy(result: cluster_pb2.Cluster, wanted: Any) -> None:
    """The only entry of `load_balancing_policy`."""
    result.load_balancing_policy.policies.add().typed_extension_config.typed_config.Pack(wanted)


def override(result: route_components_pb2.Route, wanted: Any, optional: bool = True) -> None:
    """What a route sets in a filter, in a FilterConfig."""
    config = route_components_pb2.FilterConfig(is_optional=optional)
    config.config.Pack(wanted)
    result.typed_per_filter_config["a"].Pack(config)


def socket(item: Any) -> Any:
    return item.endpoint.address.socket_address


@pytest.mark.parametrize(
    ("served", "change"),
    [pytest.param(served, change, id=f"{served.rpartition('.')[2]}-{id}") for served, id, change in CHANGES],
)
def test_one_fault_is_found(served: str, change: Change) -> None:
    """In a resource that was good before."""
    message_type, body = GOOD[served]
    assert client_rules.refusals(served, NAME, body) == []
    message = message_type.FromString(body)
    change(message)
    assert message.SerializeToString() != body
    assert client_rules.refusals(served, NAME, message.SerializeToString())
