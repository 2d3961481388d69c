"""Zones of clients: those that facts name always count, invented ones share a bounded table."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerway.catalog.locality.client_locality import ClientLocalities, PodLocality
from steerway.catalog.locality.client_zone import (
    MAX_CLAIMED,
    MAX_CLAIMED_BY_NETWORK,
    ClaimedZones,
    KnownZones,
)
from steerway.catalog.locality.traffic_distribution import ClientLocality
from steerway.sources.objects.core import (
    Endpoint,
    EndpointHints,
    EndpointSlice,
    Hint,
    Node,
    NodeMeta,
    NodeStatus,
    Object,
    ObjectKey,
    ObjectMeta,
    Topology,
)
from steerway.sources.objects.slim import AttachedMeta
from steerway.sources.policy.traffic_policy import TrafficPolicy, TrafficPolicySpec, ZoneDemand, ZonesSection


def node(name: str, zone: str) -> Node:
    return Node(NodeMeta(name, Topology(zone)), NodeStatus())


def slice_of(name: str, *endpoints: Endpoint) -> EndpointSlice:
    return EndpointSlice(ObjectMeta(name, "shop"), "IPv4", list(endpoints))


def endpoint(zone: str | None, *hints: str) -> Endpoint:
    return Endpoint(["10.0.0.1"], zone=zone, hints=EndpointHints([Hint(hint) for hint in hints]))


class World:
    """Facts of one cluster, and claims of clients."""

    def __init__(self, max_former: int = 1024) -> None:
        self.objects: dict[ObjectKey, Object] = {}
        self.known = KnownZones(max_former)
        self.claimed = ClaimedZones(self.known)
        self.localities = ClientLocalities("zone", address_first=False, claimed=self.claimed)

    def put(self, *objects: Object, cluster: str = "") -> None:
        self.objects.update((new.key, new) for new in objects)
        self.known.update(cluster, self.objects.get, [new.key for new in objects])

    def delete(self, *objects: Object, cluster: str = "") -> None:
        for gone in objects:
            self.objects.pop(gone.key, None)
        self.known.update(cluster, self.objects.get, [gone.key for gone in objects])

    def zone(self, claim: str, stream: int = 0, network: str = "10.9.9.9") -> str:
        return self.localities.resolve(None, claim, stream, network).zone


POLICY = TrafficPolicy(
    AttachedMeta("p", "shop"),
    TrafficPolicySpec(target_refs=[], zones=ZonesSection(mode="Spill", demand=[ZoneDemand("office", 1)])),
)


@pytest.mark.parametrize(
    "fact", [node("n", "z"), slice_of("s", endpoint("z")), slice_of("s", endpoint(None, "y", "z"))]
)
def test_a_zone_that_an_object_names_is_not_counted(fact: Object) -> None:
    world = World()
    assert "z" not in world.known
    world.put(fact)
    assert world.zone("z") == "z"
    assert len(world.claimed) == 0


def test_a_zone_that_a_policy_names_is_known() -> None:
    world = World()
    world.put(POLICY)
    assert "office" in world.known


def test_a_zone_is_known_as_long_as_one_cluster_names_it_and_after_that() -> None:
    """A Service may have no endpoints for a moment. Only facts displace former zones."""
    world = World(max_former=2)
    endpoint_slice = slice_of("s", endpoint("z"))
    world.put(endpoint_slice)
    world.put(endpoint_slice, cluster="far")
    world.delete(endpoint_slice)
    world.delete(endpoint_slice, cluster="far")
    assert "z" in world.known
    for name in ("a", "b"):
        world.put(slice_of(name, endpoint(name)))
        world.delete(slice_of(name))
    assert "z" not in world.known
    assert "a" in world.known


def test_invented_zones_are_limited_by_network_and_in_all() -> None:
    """A network that invents zones uses its own share; others go on."""
    world = World()
    streams = iter(range(1, 10**6))
    for number in range(MAX_CLAIMED_BY_NETWORK):
        assert world.zone(f"z{number}", next(streams), "10.0.0.1") == f"z{number}"
    assert world.zone("more", next(streams), "10.0.0.1") == ""
    assert world.zone("z1", next(streams), "10.0.0.1") == "z1"
    assert world.zone("more", next(streams), "10.0.0.2") == "more"
    for number in range(2 * MAX_CLAIMED):
        world.zone(f"y{number}", next(streams), f"10.1.0.{number}")
    assert len(world.claimed) == MAX_CLAIMED


def test_an_unused_zone_is_replaced_by_another() -> None:
    """The one that was left first before the others; a zone with a stream stays."""
    world = World()
    for number in range(MAX_CLAIMED):
        world.zone(f"z{number}", number + 1, f"10.0.0.{number}")
    assert world.zone("late", 1000) == ""
    world.localities.release(8)
    world.localities.release(6)
    world.localities.release(6)
    assert world.zone("late", 1001) == "late"
    assert world.zone("z0", 1002) == "z0", "in use"
    assert world.zone("later", 1003) == "later"
    assert [world.zone(zone, 1004) for zone in ("z7", "z5")] == ["", ""], "both places are taken"


def test_a_claim_that_is_not_admitted_leaves_the_zone_of_the_address() -> None:
    """The zone of the address is a fact, also when the client claims another one."""
    world = World()
    for number in range(MAX_CLAIMED_BY_NETWORK):
        world.zone(f"z{number}", number, "10.0.0.1")
    here = PodLocality(node="n", zone="eu-1a")
    assert world.localities.resolve(here, "invented", 99, "10.0.0.1") == ClientLocality("eu-1a")
    assert world.localities.resolve(here, "", 99, "10.0.0.1") == ClientLocality("eu-1a")


def zone_of(fact: Object) -> str:
    """The zone of a Node, or of the first endpoint."""
    if isinstance(fact, Node):
        return fact.metadata.labels.zone
    assert isinstance(fact, EndpointSlice)
    assert fact.endpoints is not None
    return fact.endpoints[0].zone or ""


FACTS = st.one_of(
    st.builds(lambda name, zone: node(name, zone), st.sampled_from("ab"), st.sampled_from(("z1", "z2"))),
    st.builds(
        lambda name, zone: slice_of(name, endpoint(zone)),
        st.sampled_from("cd"),
        st.sampled_from(("z2", "z3")),
    ),
)
ZONES = st.sampled_from(("z1", "z2", "z3", *(f"invented-{number}" for number in range(400))))
CLAIMS = st.tuples(
    st.just("claim"),
    st.integers(1, 500),
    st.builds("10.0.0.{}".format, st.integers(0, 40)),
    ZONES,
)
STEPS = st.lists(
    st.one_of(
        CLAIMS,
        st.tuples(st.just("end"), st.integers(1, 500)),
        st.tuples(st.just("put"), FACTS),
        st.tuples(st.just("delete"), FACTS),
    ),
    max_size=60,
)


@given(STEPS, st.integers(0, 300))
def test_no_sequence_of_claims_changes_what_a_client_of_a_known_zone_gets(
    steps: list[Any], prefilled: int
) -> None:
    """Facts come and go meanwhile; the table is bounded, and a zone in it stays."""
    world = World()
    in_use: dict[int, str] = {}
    for number in range(prefilled):
        world.zone(f"fill-{number}", 10_000 + number, f"10.1.{number % 256}.1")
    for step in steps:
        match step:
            case ("claim", stream, network, zone) if stream not in in_use:
                known = zone in world.known
                admitted = world.zone(zone, stream, network)
                assert admitted in ((zone,) if known else (zone, ""))
                in_use[stream] = admitted
            case ("end", stream):
                world.localities.release(stream)
                in_use.pop(stream, None)
            case ("put", fact):
                world.put(fact)
            case ("delete", fact):
                world.delete(fact)
        for named in map(zone_of, world.objects.values()):
            assert world.zone(named, 10**6, "10.0.0.1") == named
        assert len(world.claimed) <= MAX_CLAIMED
    for stream, zone in in_use.items():
        if zone:
            assert world.zone(zone, 10**6 + stream, "10.200.0.1") == zone
