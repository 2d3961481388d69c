"""What one kind of client is told of a port's endpoints: zones, subsets, safety, clusters, one on top of the other."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from steerway.catalog.assignment import Group, Viewer, assign, depends_on
from steerway.catalog.model import Endpoint, EndpointState, Locality, Port, Service, ServiceId
from steerway.catalog.policy import NOTHING, Policy, Safety, Subset, WhenEmpty, ZoneMode, Zones
from steerway.catalog.reach import ClientPlace

HEALTHY, DRAINING, UNREADY = EndpointState.HEALTHY, EndpointState.DRAINING, EndpointState.UNREADY
BUCKETS = 16
HERE = Viewer(ClientPlace("eu-1a", "n1"))


def some(
    zone: str, count: int, state: EndpointState = HEALTHY, cluster: int = 0, region: str = ""
) -> list[Endpoint]:
    """Endpoints that are called after their zone, state and cluster."""
    network = f"10.{cluster}.{sum(zone.encode()) % 256}"
    first = {HEALTHY: 1, DRAINING: 101, UNREADY: 201}[state]
    return [
        Endpoint(f"{network}.{first + number}", 80, state, Locality(region, zone), priority=cluster)
        for number in range(count)
    ]


def told(
    endpoints: Sequence[Endpoint], policy: Policy = NOTHING, viewer: Viewer = HERE, **service: object
) -> list[Group]:
    port = Port(80, endpoints=tuple(endpoints), policy=policy)
    whole = replace(Service(ServiceId("shop", "backend"), (port,)), **service)
    return assign(whole, port, endpoints, viewer)


def shown(groups: Sequence[Group]) -> list[tuple[int, str, int, int]]:
    """(priority, zone, weight, number of endpoints) of each group."""
    return [(each.priority, each.locality.zone, each.weight, len(each.endpoints)) for each in groups]


def states(groups: Sequence[Group]) -> list[EndpointState]:
    return [endpoint.state for group in groups for endpoint in group.endpoints]


def bucket(number: int, zone: str = "eu-1a") -> Viewer:
    return Viewer(ClientPlace(zone), number, BUCKETS)


def zoned(mode: ZoneMode, **fields: object) -> Policy:
    return Policy(zones=replace(Zones(mode), **fields))


THREE_ZONES = [*some("eu-1a", 2), *some("eu-1b", 3), *some("us-1a", 4)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (NOTHING, [(0, "eu-1a", 2, 2), (0, "eu-1b", 3, 3), (0, "us-1a", 4, 4)]),
        (zoned(ZoneMode.DISABLED), [(0, "eu-1a", 2, 2), (0, "eu-1b", 3, 3), (0, "us-1a", 4, 4)]),
        (zoned(ZoneMode.FAILOVER), [(0, "eu-1a", 2, 2), (1, "eu-1b", 3, 3), (2, "us-1a", 4, 4)]),
        (zoned(ZoneMode.STRICT), [(0, "eu-1a", 2, 2)]),
        (zoned(ZoneMode.FAVOR), [(0, "eu-1a", 1000, 2), (0, "eu-1b", 1, 3), (0, "us-1a", 1, 4)]),
        # 2 of 9 endpoints carry 1.4 * 2/9 of the third that comes from here; the others have 1.4 * 3/9 - 1/3 and
        # 1.4 * 4/9 - 1/3 to spare.
        (zoned(ZoneMode.SPILL), [(0, "eu-1a", 9333, 2), (0, "eu-1b", 211, 3), (0, "us-1a", 456, 4)]),
        (zoned(ZoneMode.SPILL, overload_factor=2.0), [(0, "eu-1a", 10000, 2), (1, "eu-1b", 3, 3), (2, "us-1a", 4, 4)]),
    ],
)  # fmt: skip
def test_each_mode_of_zones(policy: Policy, expected: list[tuple[int, str, int, int]]) -> None:
    """Priorities, weights and numbers for a client in eu-1a."""
    assert shown(told(THREE_ZONES, policy)) == expected


def test_failover_from_an_empty_zone_starts_at_the_next_tier() -> None:
    """There is no gap in the priorities."""
    assert [each[:2] for each in shown(told(THREE_ZONES[2:], zoned(ZoneMode.FAILOVER)))] == [
        (0, "eu-1b"),
        (1, "us-1a"),
    ]


@pytest.mark.parametrize("mode", [mode for mode in ZoneMode if mode is not ZoneMode.SPILL])
def test_a_client_in_no_known_zone_gets_all_endpoints_in_one_tier(mode: ZoneMode) -> None:
    """Nothing is nearer than anything else, and a strict policy strands nobody."""
    found = told(THREE_ZONES, zoned(mode), Viewer())
    assert {group.priority for group in found} == {0}
    assert sum(len(group.endpoints) for group in found) == 9


def test_spill_sends_a_client_in_no_known_zone_where_there_is_room() -> None:
    """eu-1a has more than it can carry from its own clients; it stands behind."""
    assert [each[:2] for each in shown(told(THREE_ZONES, zoned(ZoneMode.SPILL), Viewer()))] == [
        (0, "eu-1b"),
        (0, "us-1a"),
        (1, "eu-1a"),
    ]


def test_strict_looks_at_its_own_zone_alone() -> None:
    """What drains there is used before nothing is, whatever is ready elsewhere; so is what its safety allows."""
    strict = Zones(ZoneMode.STRICT)
    draining = [*some("eu-1a", 2, DRAINING), *some("us-1a", 4)]
    assert states(told(draining, Policy(zones=strict))) == [HEALTHY] * 2
    unready = [*some("eu-1a", 2, UNREADY), *some("us-1a", 4)]
    assert told(unready, Policy(zones=strict)) == []
    desperate = Safety(WhenEmpty.USE_UNREADY)
    assert shown(told(unready, Policy(zones=strict, safety=desperate))) == [(0, "eu-1a", 2, 2)]
    far = [*some("us-1a", 4), *some("eu-1a", 1, cluster=1)]
    assert shown(told(far, Policy(zones=strict))) == [(0, "eu-1a", 1, 1)], "its own zone in another cluster"


def test_a_subset_takes_the_own_zone_first() -> None:
    """A third of all would be 3; of the own zone's 4 every bucket sees 3, and others of the own zone are not behind."""
    policy = Policy(subset=Subset(1, 1 / 3))
    found = told([*some("eu-1a", 4), *some("eu-1b", 3), *some("us-1a", 2)], policy, bucket(3))
    assert [(priority, zone, count) for priority, zone, _, count in shown(found)] == [
        (0, "eu-1a", 3),
        (1, "eu-1b", 3),
        (2, "us-1a", 2),
    ]


def test_a_subset_is_filled_up_from_the_next_tiers() -> None:
    """Exactly `minimum` in the first priority; what is left of each tier stands behind, no more than the size of it."""
    policy = Policy(subset=Subset(4, 0))
    endpoints = [*some("eu-1a", 2), *some("eu-1b", 1), *some("us-1a", 9)]
    for number in range(BUCKETS):
        found = told(endpoints, policy, bucket(number))
        assert [(priority, zone, count) for priority, zone, _, count in shown(found)] == [
            (0, "eu-1a", 2),
            (0, "eu-1b", 1),
            (0, "us-1a", 1),
            (1, "us-1a", 4),
        ]


def test_a_subset_of_spilling_zones_has_seats_by_their_weights() -> None:
    """The own zone has the most, every zone that gets requests has one, and the weights are those of the policy."""
    policy = Policy(zones=Zones(ZoneMode.SPILL), subset=Subset(6, 0))
    found = told([*some("eu-1a", 9), *some("eu-1b", 30), *some("us-1a", 30)], policy, bucket(0))
    assert shown(found) == [(0, "eu-1a", 5478, 3), (0, "eu-1b", 2261, 2), (0, "us-1a", 2261, 1)]


def test_a_subset_without_buckets_is_not_followed() -> None:
    """Clients that are not divided see everything, in the manner of a service without a policy."""
    assert shown(told(THREE_ZONES, Policy(subset=Subset(1, 0)))) == shown(told(THREE_ZONES))


def test_a_subset_by_share_is_rounded_up_and_not_by_floating_point() -> None:
    """7 % of 100 are 7; of 101 they are 8."""
    policy = Policy(zones=Zones(ZoneMode.DISABLED), subset=Subset(1, 7 / 100))
    assert [len(states(told(some("a", count), policy, bucket(0)))) for count in (100, 101)] == [7, 8]


def test_buckets_use_all_endpoints_of_a_zone_evenly() -> None:
    """Each of 8 is seen by half of the 16 buckets when each sees 4."""
    uses: dict[str, int] = {}
    for number in range(BUCKETS):
        for group in told(some("eu-1a", 8), Policy(subset=Subset(4, 0)), bucket(number)):
            for endpoint in group.endpoints:
                uses[endpoint.address] = uses.get(endpoint.address, 0) + 1
    assert list(uses.values()) == [8] * 8


def test_what_drains_is_kept_for_sessions() -> None:
    """All of it, beside the few that a bucket sees, and in no priority of its own; others are not told of it."""
    endpoints = [*some("eu-1a", 6), *some("eu-1a", 2, DRAINING), *some("us-1a", 1, DRAINING)]
    policy = Policy(subset=Subset(2, 0))
    found = told(endpoints, policy, bucket(1)._replace(draining=True))
    assert shown(found) == [(0, "eu-1a", 2, 4), (0, "us-1a", 1, 1)]
    assert states(found).count(DRAINING) == 3
    assert shown(told(endpoints, policy, bucket(1))) == [(0, "eu-1a", 2, 2)]


def test_where_all_drain_all_are_used() -> None:
    """Serving ones are better than none (KEP-1669), for every client."""
    for viewer in (HERE, HERE._replace(draining=True)):
        assert states(told(some("eu-1a", 2, DRAINING), viewer=viewer)) == [HEALTHY] * 2


def test_a_local_policy_uses_what_drains_on_the_node() -> None:
    """Healthy ones of other nodes do not help a client that must not leave its own."""
    (here,) = (each._replace(node="n1") for each in some("eu-1a", 1, DRAINING))
    (there,) = (each._replace(node="n2") for each in some("eu-1b", 1))
    found = told([here, there], local_only=True)
    assert [endpoint.address for group in found for endpoint in group.endpoints] == [here.address]
    assert states(found) == [HEALTHY]
    policy = Policy(zones=Zones(ZoneMode.FAILOVER), subset=Subset(1, 0))
    assert told([here, there], policy, bucket(0)._replace(place=HERE.place), local_only=True) == found


@pytest.mark.parametrize(
    ("safety", "ready", "unready", "used"),
    [
        (None, 0, 3, 0),
        (Safety(), 0, 3, 0),
        (Safety(WhenEmpty.USE_UNREADY), 0, 3, 3),
        (Safety(WhenEmpty.USE_UNREADY), 1, 3, 1),
        (Safety(panic_share=0.5), 0, 3, 3),
        (Safety(panic_share=0.5), 1, 2, 3),
        (Safety(panic_share=0.5), 2, 2, 2),
        (Safety(panic_share=0.07), 7, 93, 7),
        (Safety(panic_share=0.07), 6, 94, 100),
        (Safety(panic_share=1.0), 3, 0, 3),
    ],
)
def test_endpoints_that_are_not_ready(safety: Safety | None, ready: int, unready: int, used: int) -> None:
    """Used when there is no other, or when the share of others is less than that of a panic, and then like others."""
    found = told([*some("a", ready), *some("a", unready, UNREADY)], Policy(safety=safety))
    assert states(found) == [HEALTHY] * used


def test_a_panic_keeps_what_drains_as_it_is() -> None:
    """Endpoints that terminate get no new calls as long as any other can."""
    endpoints = [*some("a", 1), *some("a", 1, DRAINING), *some("a", 3, UNREADY)]
    found = told(endpoints, Policy(safety=Safety(panic_share=0.5)), HERE._replace(draining=True))
    assert sorted(state.value for state in states(found)) == ["draining", *["healthy"] * 4]


def test_all_of_a_nearer_cluster_comes_first() -> None:
    """Its farthest zone is before the own zone of a farther cluster; each cluster has its own tiers."""
    endpoints = [*some("us-1a", 1), *some("eu-1a", 1, cluster=1), *some("eu-1b", 1, cluster=1)]
    assert [each[:2] for each in shown(told(endpoints, zoned(ZoneMode.FAILOVER)))] == [
        (0, "us-1a"),
        (1, "eu-1a"),
        (2, "eu-1b"),
    ]
    assert [each[:2] for each in shown(told(endpoints, zoned(ZoneMode.DISABLED)))] == [
        (0, "us-1a"),
        (1, "eu-1a"),
        (1, "eu-1b"),
    ]


def test_a_subset_is_not_filled_up_from_another_cluster() -> None:
    """Its size, too, is a share of the nearest cluster's endpoints alone; the others stand behind."""
    endpoints = [*some("eu-1a", 3), *some("us-1a", 3), *some("eu-1a", 40, cluster=1)]
    found = told(endpoints, Policy(subset=Subset(1, 2 / 3)), bucket(0))
    assert [(priority, zone, count) for priority, zone, _, count in shown(found)] == [
        (0, "eu-1a", 3),
        (0, "us-1a", 1),
        (1, "us-1a", 2),
        (2, "eu-1a", 4),
    ]
    few = told(endpoints, Policy(subset=Subset(9, 0)), bucket(0))
    assert [(priority, count) for priority, _, _, count in shown(few)] == [(0, 3), (0, 3), (1, 9)]


def test_a_cluster_where_all_drain_does_not_plan_for_the_next() -> None:
    """What is healthy farther away keeps its order of zones, and its weights."""
    endpoints = [*some("eu-1a", 1, DRAINING), *some("eu-1b", 1, cluster=1), *some("eu-1a", 1, cluster=1)]
    viewer = HERE._replace(draining=True)
    assert [each[:2] for each in shown(told(endpoints, zoned(ZoneMode.FAILOVER), viewer))] == [
        (0, "eu-1a"),
        (1, "eu-1a"),
        (2, "eu-1b"),
    ]
    assert shown(told(endpoints, zoned(ZoneMode.FAVOR), viewer))[1:] == [
        (1, "eu-1a", 1000, 1),
        (1, "eu-1b", 1, 1),
    ]


def test_localities_of_one_zone_share_its_weight() -> None:
    """Clusters that say their region and those that do not may have endpoints in the same zones."""
    endpoints = [*some("eu-1a", 9), *some("eu-1a", 1, cluster=1, region="east"), *some("eu-1b", 2)]
    level = [endpoint._replace(priority=0) for endpoint in endpoints]
    found = told(level, zoned(ZoneMode.FAVOR))
    assert [(group.locality.region, group.locality.zone, group.weight) for group in found] == [
        ("", "eu-1a", 900),
        ("", "eu-1b", 1),
        ("east", "eu-1a", 100),
    ]


@pytest.mark.parametrize(
    ("policy", "service", "buckets", "expected"),
    [
        (NOTHING, {}, 16, (False, False)),
        (NOTHING, {"distribution": "PreferSameZone"}, 16, (True, False)),
        (zoned(ZoneMode.DISABLED), {"distribution": "PreferSameZone"}, 16, (False, False)),
        (zoned(ZoneMode.SPILL), {}, 16, (True, False)),
        (Policy(subset=Subset()), {}, 16, (True, True)),
        (Policy(subset=Subset()), {}, 0, (False, False)),
        (Policy(subset=Subset(), zones=Zones(ZoneMode.DISABLED)), {}, 16, (False, True)),
        (Policy(subset=Subset()), {"local_only": True}, 16, (True, False)),
    ],
)
def test_viewers_are_told_apart_only_where_it_matters(
    policy: Policy, service: dict[str, object], buckets: int, expected: tuple[bool, bool]
) -> None:
    """By place and by bucket; by what they know of draining when some drain and others do not."""
    port = Port(80, endpoints=tuple(some("a", 1)), policy=policy)
    whole = replace(Service(ServiceId("shop", "backend"), (port,)), **service)
    assert depends_on(whole, port, port.endpoints, buckets) == (*expected, False)
    mixed = [*some("a", 1), *some("a", 1, DRAINING)]
    assert depends_on(whole, port, mixed, buckets).draining
    assert not depends_on(whole, port, mixed[1:], buckets).draining
