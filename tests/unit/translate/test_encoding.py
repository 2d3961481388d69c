"""The content of each resource for gRPC clients, and that equal meaning is equal bytes."""

import itertools

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2
from envoy.config.core.v3.health_check_pb2 import DRAINING, HEALTHY, UNKNOWN
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from steerway.catalog.model.mesh import Endpoint, EndpointState, Locality
from steerway.catalog.model.policy import NOTHING
from steerway.translate.grpc import cluster, listener, route
from steerway.translate.xds import endpoint, type_url
from testbed.mesh import addresses, everything, groups, zones
from tests.support.model import client_rules

NAME = "backend.shop.svc.cluster.local:50051"


def assignment(*endpoints: Endpoint, draining: bool = False) -> endpoint_pb2.ClusterLoadAssignment:
    """What a client reads of these endpoints; every client accepts it."""
    body = endpoint.build(NAME, groups(endpoints, draining))
    assert client_rules.refusals(type_url.ENDPOINT, NAME, body) == []
    return endpoint_pb2.ClusterLoadAssignment.FromString(body)


def pod(number: int, zone: str = "", state: EndpointState = EndpointState.HEALTHY) -> Endpoint:
    """An endpoint 10.0.0.NUMBER."""
    return Endpoint(f"10.0.0.{number}", 50051, state, Locality(zone=zone))


class TestListener:
    @pytest.mark.parametrize("name", ["backend", "backend.shop:grpc", NAME])
    def test_is_named_exactly_as_asked(self, name: str) -> None:
        """gRFC A27: a client takes no other for its own."""
        message = listener_pb2.Listener.FromString(listener.build(name, NAME))
        assert message.name == name

    def test_points_at_the_route_over_ads(self) -> None:
        """By an API listener whose last filter is the router, and no other of which has anything to do."""
        body = listener.build("backend", NAME)
        manager = hcm_pb2.HttpConnectionManager()
        assert listener_pb2.Listener.FromString(body).api_listener.api_listener.Unpack(manager)
        assert manager.rds.route_config_name == NAME
        assert manager.http_filters[-1].name == "envoy.filters.http.router"
        assert not any(http_filter.typed_config.value for http_filter in manager.http_filters)
        assert client_rules.refusals(type_url.LISTENER, "backend", body) == []


class TestRoute:
    def test_sends_every_method_of_every_alias_to_the_cluster(self) -> None:
        """The domain is `*`: clients match it against the target as it was dialled."""
        body = route.build(NAME, [everything("cluster")])
        (host,) = route_pb2.RouteConfiguration.FromString(body).virtual_hosts
        (entry,) = host.routes
        assert list(host.domains) == ["*"]
        assert entry.match.WhichOneof("path_specifier") == "prefix"
        assert (entry.match.prefix, entry.route.cluster) == ("", "cluster")
        assert client_rules.refusals(type_url.ROUTE, NAME, body) == []


class TestCluster:
    def test_takes_its_endpoints_from_the_assignment_of_its_name(self) -> None:
        """Over ads, with round robin inside of weighted localities."""
        body = cluster.build(NAME, NOTHING)
        message = cluster_pb2.Cluster.FromString(body)
        assert message.type == cluster_pb2.Cluster.EDS
        assert message.eds_cluster_config.service_name == NAME
        assert message.lb_policy == cluster_pb2.Cluster.ROUND_ROBIN
        assert client_rules.refusals(type_url.CLUSTER, NAME, body) == []

    def test_may_be_one_host_that_clients_ask_dns_for(self) -> None:
        """gRFC A37."""
        body = cluster.build_dns(NAME, NOTHING, "db.example.org", 5432)
        message = cluster_pb2.Cluster.FromString(body)
        assert message.type == cluster_pb2.Cluster.LOGICAL_DNS
        assert addresses(message.load_assignment, UNKNOWN) == ["db.example.org:5432"]
        assert client_rules.refusals(type_url.CLUSTER, NAME, body) == []

    def test_lifts_the_hidden_limit_of_requests(self) -> None:
        """gRFC A32: 1,024 at once when unset; the highest number that grpc-java reads as positive."""
        (limit,) = cluster_pb2.Cluster.FromString(cluster.build(NAME, NOTHING)).circuit_breakers.thresholds
        assert (limit.priority, limit.max_requests.value) == (base_pb2.DEFAULT, 2**31 - 1)


class TestAssignment:
    def test_has_one_locality_for_each_zone_weighted_by_its_endpoints(self) -> None:
        """So that every endpoint gets the same share."""
        result = assignment(pod(1), pod(2, "a"), pod(3, "a"), pod(4, "b"))
        assert zones(result) == [("", 1, 1), ("a", 2, 2), ("b", 1, 1)]
        assert addresses(result, HEALTHY) == [f"10.0.0.{number}:50051" for number in (1, 2, 3, 4)]

    def test_of_no_endpoints_is_empty(self) -> None:
        """Not absent: calls fail at once, and recover at once."""
        result = assignment()
        assert result.cluster_name == NAME
        assert not result.endpoints

    def test_of_no_endpoints_has_an_unreachable_one_for_clients_that_keep_old_ones(self) -> None:
        """No server can have it, and every client accepts it. It is there alone or not at all."""
        body = endpoint.build(NAME, [], never_empty=True)
        cluster_load_assignment = endpoint_pb2.ClusterLoadAssignment.FromString(body)
        assert client_rules.refusals(type_url.ENDPOINT, NAME, body) == []
        assert addresses(cluster_load_assignment, HEALTHY) == ["255.255.255.255:1"]
        assert endpoint.is_unreachable(cluster_load_assignment.endpoints[0])
        some = groups([pod(1), pod(2, "a")])
        assert endpoint.build(NAME, some, never_empty=True) == endpoint.build(NAME, some)
        assert not any(map(endpoint.is_unreachable, assignment(pod(1), pod(2, "a")).endpoints))

    def test_shows_a_locality_also_when_it_has_no_name(self) -> None:
        """Go, C-core and Node refuse an assignment in which it is unset."""
        (locality,) = assignment(pod(1)).endpoints
        assert locality.HasField("locality")
        assert locality.locality == base_pb2.Locality()

    def test_names_the_parts_of_a_locality(self) -> None:
        """Region, zone and sub-zone."""
        locality = Locality("eu", "eu-1", "rack")
        (result,) = assignment(Endpoint("10.0.0.1", 1, locality=locality)).endpoints
        assert result.locality == base_pb2.Locality(region="eu", zone="eu-1", sub_zone="rack")

    def test_leaves_draining_endpoints_out_where_clients_do_not_use_them(self) -> None:
        """Their zone goes with them when nothing else is in it."""
        endpoints = [pod(1, "a"), pod(2, "a", EndpointState.DRAINING), pod(3, "b", EndpointState.DRAINING)]
        result = assignment(*endpoints)
        assert zones(result) == [("a", 1, 1)]
        assert addresses(result, DRAINING) == []

    def test_marks_draining_endpoints_where_clients_know_the_state(self) -> None:
        """They count for the weight only where nothing else does: a locality without weight is no locality."""
        endpoints = [pod(1, "a"), pod(2, "a", EndpointState.DRAINING), pod(3, "b", EndpointState.DRAINING)]
        result = assignment(*endpoints, draining=True)
        assert zones(result) == [("a", 1, 2), ("b", 1, 1)]
        assert addresses(result, HEALTHY) == ["10.0.0.1:50051"]
        assert addresses(result, DRAINING) == ["10.0.0.2:50051", "10.0.0.3:50051"]

    @pytest.mark.parametrize("draining", [False, True])
    def test_keeps_endpoints_that_drain_where_there_are_no_others(self, draining: bool) -> None:
        """As healthy ones, for every client, as kube-proxy does (KEP-1669): gRPC gives draining ones no new call."""
        endpoints = [pod(1, "a", EndpointState.DRAINING), pod(2, "b", EndpointState.DRAINING)]
        result = assignment(*endpoints, draining=draining)
        assert zones(result) == [("a", 1, 1), ("b", 1, 1)]
        assert addresses(result, HEALTHY) == ["10.0.0.1:50051", "10.0.0.2:50051"]

    def test_takes_ipv6_addresses(self) -> None:
        """As literals without brackets."""
        result = assignment(Endpoint("fd00::1", 50051))
        assert addresses(result, HEALTHY) == ["fd00::1:50051"]


@pytest.mark.parametrize(
    "build",
    [
        lambda: listener.build("backend", NAME),
        lambda: route.build(NAME, [everything(NAME)]),
        lambda: cluster.build(NAME, NOTHING),
        lambda: cluster.build_dns(NAME, NOTHING, "db.example.org", 1),
        lambda: endpoint.build(NAME, groups([pod(1, "a"), pod(2, "b")])),
    ],
    ids=["listener", "route", "cluster", "host", "assignment"],
)
def test_equal_meaning_is_equal_bytes(build) -> None:  # type: ignore[no-untyped-def]
    """The version of a resource is a hash of them, on every replica."""
    assert build() == build()


def test_different_meaning_is_different_bytes() -> None:
    """Nothing that a client must know is lost on the way."""
    bodies = [
        endpoint.build(NAME, groups(endpoints))
        for endpoints in (
            [],
            [pod(1)],
            [pod(2)],
            [pod(1, "a")],
            [pod(1), pod(2)],
            [pod(1), pod(2, state=EndpointState.DRAINING)],
            [Endpoint("10.0.0.1", 1)],
        )
    ]
    assert all(first != other for first, other in itertools.combinations(bodies, 2))
