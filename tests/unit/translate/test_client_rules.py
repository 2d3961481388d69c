"""The oracle itself: it finds every fault that clients were seen to refuse, so that its silence means something."""

from collections.abc import Callable
from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import health_check_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from tests.support import client_rules

from steerway.catalog.model import Endpoint, Locality
from steerway.translate import cluster, endpoint, listener, route, type_url

NAME = "backend"
GOOD: dict[str, tuple[Any, bytes]] = {
    type_url.LISTENER: (listener_pb2.Listener, listener.build(NAME, NAME)),
    type_url.ROUTE: (route_pb2.RouteConfiguration, route.build(NAME, NAME)),
    type_url.CLUSTER: (cluster_pb2.Cluster, cluster.build(NAME)),
    type_url.ENDPOINT: (
        endpoint_pb2.ClusterLoadAssignment,
        endpoint.build(
            NAME,
            [Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 1, locality=Locality(zone="a"))],
            draining=False,
        ),
    ),
}
Change = Callable[[Any], object]


def manager(change: Change) -> Change:
    """A change of the HttpConnectionManager inside of a Listener."""

    def changed(found: listener_pb2.Listener) -> None:
        inner = hcm_pb2.HttpConnectionManager.FromString(found.api_listener.api_listener.value)
        change(inner)
        found.api_listener.api_listener.Pack(inner)

    return changed


def entry(change: Change) -> Change:
    """A change of the first route."""
    return lambda found: change(found.virtual_hosts[0].routes[0])


def pod(change: Change) -> Change:
    """A change of the first endpoint."""
    return lambda found: change(found.endpoints[0].lb_endpoints[0])


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
    (type_url.CLUSTER, "another name", lambda m: setattr(m, "name", "x")),
    (type_url.CLUSTER, "cds-static", lambda m: setattr(m, "type", cluster_pb2.Cluster.STATIC)),
    (type_url.CLUSTER, "cds-eds-config-path", lambda m: m.eds_cluster_config.eds_config.Clear()),
    (type_url.CLUSTER, "cds-maglev", lambda m: setattr(m, "lb_policy", cluster_pb2.Cluster.MAGLEV)),
    (type_url.CLUSTER, "cds-lrs-ads", lambda m: m.lrs_server.ads.SetInParent()),
    (type_url.CLUSTER, "cds-transport-socket-matches", lambda m: m.transport_socket_matches.add(name="a")),
    (type_url.CLUSTER, "no limit", lambda m: m.ClearField("circuit_breakers")),
    (
        type_url.CLUSTER,
        "the hidden limit",
        lambda m: setattr(m.circuit_breakers.thresholds[0].max_requests, "value", 1024),
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
        lambda m: [setattr(each.load_balancing_weight, "value", 2**32 - 1) for each in m.endpoints],
    ),
]


def socket(each: Any) -> Any:
    return each.endpoint.address.socket_address


@pytest.mark.parametrize(
    ("served", "change"),
    [pytest.param(served, change, id=f"{served.rpartition('.')[2]}-{id}") for served, id, change in CHANGES],
)
def test_one_fault_is_found(served: str, change: Change) -> None:
    """In a resource that was good before."""
    message_type, body = GOOD[served]
    assert client_rules.refusals(served, NAME, body) == []
    found = message_type.FromString(body)
    change(found)
    assert found.SerializeToString() != body
    assert client_rules.refusals(served, NAME, found.SerializeToString())
