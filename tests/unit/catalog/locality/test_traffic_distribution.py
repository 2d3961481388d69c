"""Which endpoints a client at some place gets, and which first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerway.catalog.locality.client_locality import locate
from steerway.catalog.locality.traffic_distribution import (
    UNKNOWN,
    ClientLocality,
    depends_on_locality,
    reachable,
)
from steerway.catalog.model.mesh import Endpoint, EndpointState, Locality, Port, Service, ServiceId

HERE = ClientLocality("a", "n1")
ZONE_A = ClientLocality("a")
NO_LOCALITY = ClientLocality()


def endpoint(
    number: int,
    node: str = "",
    zone: str = "",
    zones: tuple[str, ...] = (),
    nodes: tuple[str, ...] = (),
    priority: int = 0,
) -> Endpoint:
    return Endpoint(
        f"10.0.0.{number}",
        80,
        EndpointState.HEALTHY,
        Locality(zone=zone),
        priority=priority,
        node=node,
        for_zones=zones,
        for_nodes=nodes,
    )


def service(*endpoints: Endpoint, distribution: str = "", local_only: bool = False) -> Service:
    return Service(
        ServiceId("shop", "backend"),
        (Port(80, endpoints=endpoints),),
        distribution=distribution,
        local_only=local_only,
    )


def ranks(result: Service, locality: ClientLocality) -> dict[str, int]:
    """Address (its last number) to priority."""
    (port,) = result.ports
    return {e.address.rpartition(".")[2]: e.priority for e in reachable(result, port.endpoints, locality)}


NEAR = endpoint(1, "n1", "a")
SAME_ZONE = endpoint(2, "n2", "a")
FAR = endpoint(3, "n3", "b")
ALL = (NEAR, SAME_ZONE, FAR)


@pytest.mark.parametrize(
    ("distribution", "locality", "expected"),
    [
        ("PreferSameZone", HERE, [1, 1, 2]),
        ("PreferClose", ZONE_A, [1, 1, 2]),
        ("PreferSameZone", NO_LOCALITY, [2, 2, 2]),
        ("PreferSameNode", HERE, [0, 1, 2]),
        ("PreferSameNode", ZONE_A, [1, 1, 2]),
        ("PreferSameNode", NO_LOCALITY, [2, 2, 2]),
        ("", HERE, [0, 0, 0]),
        ("SomethingNew", HERE, [0, 0, 0]),
    ],
)
def test_a_distribution_puts_near_endpoints_first(
    distribution: str, locality: ClientLocality, expected: list[int]
) -> None:
    """The others stand behind them; an unknown locality prefers nothing."""
    assert list(ranks(service(*ALL, distribution=distribution), locality).values()) == expected


@pytest.mark.parametrize("distribution", ["PreferSameZone", "PreferSameNode"])
def test_two_unknown_localities_are_not_the_same(distribution: str) -> None:
    """An endpoint without a zone and a node is no nearer to a client without them."""
    result = service(endpoint(1), FAR, distribution=distribution)
    assert list(ranks(result, NO_LOCALITY).values()) == [2, 2]


def test_local_is_nothing_for_a_client_without_a_node() -> None:
    """Neither are endpoints without a node on its own."""
    assert ranks(service(endpoint(1), NEAR, local_only=True), NO_LOCALITY) == {}


def test_a_local_policy_leaves_the_endpoints_of_the_own_node() -> None:
    """None where the node has none, or it is unknown: traffic that must not leave the node does not."""
    result = service(*ALL, local_only=True, distribution="PreferSameZone")
    assert ranks(result, HERE) == {"1": 0}
    assert ranks(result, ClientLocality("a", "n9")) == {}
    assert ranks(result, ZONE_A) == {}


def test_hints_beat_the_zones_of_endpoints() -> None:
    """A controller that lends an endpoint to another zone knows why."""
    lent = (
        endpoint(1, zone="a", zones=("a",)),
        endpoint(2, zone="a", zones=("b",)),
        endpoint(3, zone="b", zones=("b",)),
    )
    result = service(*lent, distribution="PreferSameZone")
    assert ranks(result, ZONE_A) == {"1": 1, "2": 2, "3": 2}
    assert ranks(result, ClientLocality("b")) == {"1": 2, "2": 1, "3": 1}


@pytest.mark.parametrize(
    "endpoints",
    [(endpoint(1, zones=("a",)), endpoint(2)), (endpoint(1, zones=("b",)), endpoint(2, zones=("c",)))],
    ids=["one has none", "none is for here"],
)
def test_hints_that_are_not_whole_count_for_nothing(endpoints: tuple[Endpoint, ...]) -> None:
    """As kube-proxy has it: a controller is still at work, or left the zone out."""
    assert set(ranks(service(*endpoints), ZONE_A).values()) == {0}


def test_a_pod_that_terminates_takes_no_hints_away() -> None:
    """Controllers hint at ready endpoints alone; in each rollout there are others."""
    ready = (endpoint(1, zone="a", zones=("a",)), endpoint(2, zone="b", zones=("b",)))
    result = service(*ready, endpoint(3, zone="a")._replace(state=EndpointState.DRAINING))
    assert depends_on_locality(result)
    assert ranks(result, ZONE_A) == {"1": 1, "2": 2, "3": 2}


def test_hints_for_nodes_come_before_those_for_zones() -> None:
    """KEP-3015."""
    hinted = (endpoint(1, zones=("a",), nodes=("n1",)), endpoint(2, zones=("a",), nodes=("n2",)))
    remote = endpoint(3, zones=("b",), nodes=("n3",))
    assert ranks(service(*hinted, remote), HERE) == {"1": 0, "2": 1, "3": 2}
    assert ranks(service(*hinted, remote), ZONE_A) == {"1": 1, "2": 1, "3": 2}


def test_a_far_cluster_stays_behind() -> None:
    """Its nearest endpoints come after the farthest of a nearer cluster."""
    result = service(FAR, endpoint(4, zone="a", priority=1), distribution="PreferSameZone")
    assert ranks(result, ZONE_A)["3"] < ranks(result, ZONE_A)["4"]


def test_only_such_services_depend_on_the_locality() -> None:
    """The others are published once for all."""
    assert not depends_on_locality(service(*ALL))
    assert depends_on_locality(service(*ALL, local_only=True))
    assert depends_on_locality(service(*ALL, distribution="PreferClose"))
    assert depends_on_locality(service(endpoint(1, zones=("a",))))


@given(st.lists(st.sampled_from(ALL), unique=True), st.sampled_from(["", "PreferSameZone", "PreferSameNode"]))
def test_a_preference_never_loses_an_endpoint(endpoints: list[Endpoint], distribution: str) -> None:
    """Wherever the client is."""
    for locality in (HERE, ZONE_A, NO_LOCALITY, ClientLocality("z", "n9")):
        result = reachable(service(*endpoints, distribution=distribution), endpoints, locality)
        assert {e.address for e in result} == {e.address for e in endpoints}
        assert [e.priority for e in result] == sorted(e.priority for e in result)


def test_an_unknown_node_is_a_locality_of_its_own_where_nodes_count() -> None:
    """And no client is there: traffic that must not leave a node reaches no endpoint."""
    assert locate("node", None, "") == ClientLocality("", UNKNOWN)
    assert locate("node", None, "a") == ClientLocality("a", UNKNOWN)
    assert locate("off", None, "a") == ClientLocality()
