"""How clients of a cluster choose an endpoint, and what calls are hashed by, in the form that each client reads."""

from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3 import (
    client_side_weighted_round_robin_pb2 as weighted_pb2,
)
from envoy.extensions.load_balancing_policies.least_request.v3 import least_request_pb2
from envoy.extensions.load_balancing_policies.wrr_locality.v3 import wrr_locality_pb2

from steerway.catalog.model.policy import (
    CHANNEL,
    NOTHING,
    Algorithm,
    Balancing,
    HashKey,
    HashSource,
    OrcaWeights,
    Policy,
)
from steerway.catalog.model.route import Match
from steerway.translate.destination import Destination, Share
from steerway.translate.grpc import cluster, route
from steerway.translate.xds import type_url
from tests.support.model import client_rules

NAME = "backend.shop.svc.cluster.local:50051"
ROUND_ROBIN, RING_HASH = cluster_pb2.Cluster.ROUND_ROBIN, cluster_pb2.Cluster.RING_HASH


def built(wanted: Balancing | None, level: str = "") -> cluster_pb2.Cluster:
    """A cluster that balances so, which every client accepts."""
    body = cluster.build(
        NAME, NOTHING if wanted is None else Policy.from_object("x", balancing=wanted), level=level
    )
    assert client_rules.refusals(type_url.CLUSTER, NAME, body) == []
    return cluster_pb2.Cluster.FromString(body)


def listed(policies: cluster_pb2.LoadBalancingPolicy) -> list[str]:
    """The last words of the types, in their order."""
    return [
        policy.typed_extension_config.typed_config.TypeName().rpartition(".")[2]
        for policy in policies.policies
    ]


def within(result: cluster_pb2.Cluster) -> cluster_pb2.LoadBalancingPolicy:
    """What the last policy, which is that of localities, has within each."""
    localities = wrr_locality_pb2.WrrLocality()
    assert result.load_balancing_policy.policies[-1].typed_extension_config.typed_config.Unpack(localities)
    return localities.endpoint_picking_policy


def first(policies: cluster_pb2.LoadBalancingPolicy, message: Any) -> Any:
    """What is wanted most."""
    assert policies.policies[0].typed_extension_config.typed_config.Unpack(message)
    return message


@pytest.mark.parametrize("wanted", [None, Balancing(Algorithm.ROUND_ROBIN), Balancing(Algorithm.RANDOM)])
@pytest.mark.parametrize("level", ["", "a42", "a27"])
def test_round_robin_needs_no_list(wanted: Balancing | None, level: str) -> None:
    """Every client has it, and weighs localities with it; Random is a policy of Envoy alone."""
    result = built(wanted, level)
    assert result.lb_policy == ROUND_ROBIN
    assert not result.HasField("load_balancing_policy")


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        (Algorithm.LEAST_REQUEST, "LeastRequest"),
        (Algorithm.WEIGHTED_ROUND_ROBIN, "ClientSideWeightedRoundRobin"),
    ],
)
def test_what_some_clients_have_stands_before_what_all_have(algorithm: Algorithm, name: str) -> None:
    """Within localities, which a bare policy would pass over; the enum, which Go validates too, is round robin."""
    result = built(Balancing(algorithm))
    assert result.lb_policy == ROUND_ROBIN
    assert listed(result.load_balancing_policy) == ["WrrLocality"]
    assert listed(within(result)) == [name, "RoundRobin"]


def test_pick_first_is_of_all_endpoints() -> None:
    """In an order of each client's own; clients without it balance over localities."""
    result = built(Balancing(Algorithm.PICK_FIRST))
    assert listed(result.load_balancing_policy) == ["PickFirst", "WrrLocality"]
    assert listed(within(result)) == ["RoundRobin"]


def test_least_request_has_its_choices() -> None:
    """Two unless it is set."""
    result = built(Balancing(Algorithm.LEAST_REQUEST, choices=5))
    assert first(within(result), least_request_pb2.LeastRequest()).choice_count.value == 5


def test_weighted_round_robin_has_its_times() -> None:
    """gRFC A58: each of them is sent."""
    orca = OrcaWeights(True, 1.0, 2.0, 3.0, 4.0, 0.5)
    result = built(Balancing(Algorithm.WEIGHTED_ROUND_ROBIN, orca=orca))
    weighted = first(within(result), weighted_pb2.ClientSideWeightedRoundRobin())
    times = (
        weighted.oob_reporting_period,
        weighted.blackout_period,
        weighted.weight_expiration_period,
        weighted.weight_update_period,
    )
    assert [time.seconds for time in times] == [1, 2, 3, 4]
    assert (weighted.enable_oob_load_report.value, weighted.error_utilization_penalty.value) == (True, 0.5)


def test_a_zero_of_weighted_round_robin_is_sent_as_a_value_that_no_client_takes_for_the_default() -> None:
    """grpc-go 1.85 reads an explicit 0 as the default."""
    orca = OrcaWeights(False, 0.0, 0.0, 0.0, 0.0, 0.0)
    result = built(Balancing(Algorithm.WEIGHTED_ROUND_ROBIN, orca=orca))
    weighted = first(within(result), weighted_pb2.ClientSideWeightedRoundRobin())
    times = (
        weighted.oob_reporting_period,
        weighted.blackout_period,
        weighted.weight_expiration_period,
        weighted.weight_update_period,
    )
    assert [time.ToJsonString() for time in times] == ["0.001s"] * 4
    assert weighted.error_utilization_penalty.value == pytest.approx(0.001)


@pytest.mark.parametrize("level", ["", "a42"])
def test_a_ring_is_set_in_the_enum(level: str) -> None:
    """For clients that do not know the list, and for grpc-js-xds 1.14, which refuses the sizes of a ring there."""
    result = built(Balancing(Algorithm.RING_HASH, minimum_ring=7, maximum_ring=77), level)
    assert result.lb_policy == RING_HASH
    config = result.ring_hash_lb_config
    assert (config.minimum_ring_size.value, config.maximum_ring_size.value) == (7, 77)
    assert config.hash_function == cluster_pb2.Cluster.RingHashLbConfig.XX_HASH
    assert not result.HasField("load_balancing_policy")


def test_clients_from_before_rings_get_none() -> None:
    """They would refuse the cluster."""
    result = built(Balancing(Algorithm.RING_HASH), "a27")
    assert result.lb_policy == ROUND_ROBIN
    assert not result.HasField("load_balancing_policy")
    assert not result.HasField("ring_hash_lb_config")


HEADER = HashKey(HashSource.HEADER, "x-user")
COOKIE = HashKey(HashSource.COOKIE, "c")


def ring(*keys: HashKey) -> Policy:
    return Policy.from_object("x", balancing=Balancing(Algorithm.RING_HASH, hash_on=keys))


@pytest.mark.parametrize(
    ("policies", "wanted"),
    [
        ([NOTHING], []),
        ([Policy.from_object("x", balancing=Balancing(Algorithm.ROUND_ROBIN, hash_on=(HEADER,)))], []),
        ([ring(HEADER)], ["x-user"]),
        ([ring(HEADER, CHANNEL)], ["x-user", "io.grpc.channel_id"]),
        ([ring(COOKIE)], ["io.grpc.channel_id"]),
        ([ring(COOKIE, HEADER)], ["x-user"]),
        ([ring(HEADER), ring(CHANNEL, HEADER), NOTHING], ["x-user", "io.grpc.channel_id"]),
    ],
    ids=["nothing", "no ring", "header", "two keys", "cookie", "cookie and header", "two rings"],
)
def test_calls_are_hashed_by_what_the_rings_want(policies: list[Policy], wanted: list[str]) -> None:
    """gRFC A42: by headers or the channel. The first that a call has counts, so each ends the search."""
    shares = [Share(name, 1, sources) for name, sources in zip("abc", policies, strict=False)]
    body = route.build(NAME, [Destination(Match(), tuple(shares), NOTHING)])
    assert client_rules.refusals(type_url.ROUTE, NAME, body) == []
    (result,) = route_pb2.RouteConfiguration.FromString(body).virtual_hosts[0].routes
    keys: list[Any] = list(result.route.hash_policy)
    assert [key.header.header_name or key.filter_state.key for key in keys] == wanted
    assert all(key.terminal for key in keys)
