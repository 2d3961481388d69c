"""The subset of endpoints for one kind of client: near ones first, exactly as many, evenly over all clients."""

from steerway.catalog.model.policy import Policy, Subset, ZoneMode, Zones
from tests.support.model.client_view import (
    BUCKETS,
    DRAINING,
    THREE_ZONES,
    bucket,
    metadata,
    shown,
    some,
    states,
)


def test_a_subset_takes_the_own_zone_first() -> None:
    """A third of all would be 3; of the own zone's 4 every bucket sees 3, and others of the own zone are not behind."""
    policy = Policy(subset=Subset(1, 1 / 3))
    result = metadata([*some("eu-1a", 4), *some("eu-1b", 3), *some("us-1a", 2)], policy, bucket(3))
    assert [(priority, zone, count) for priority, zone, _, count in shown(result)] == [
        (0, "eu-1a", 3),
        (1, "eu-1b", 3),
        (2, "us-1a", 2),
    ]


def test_a_subset_is_filled_up_from_the_next_tiers() -> None:
    """Exactly `minimum` in the first priority; what is left of each tier stands behind, no more than the size of it."""
    policy = Policy(subset=Subset(4, 0))
    endpoints = [*some("eu-1a", 2), *some("eu-1b", 1), *some("us-1a", 9)]
    for number in range(BUCKETS):
        result = metadata(endpoints, policy, bucket(number))
        assert [(priority, zone, count) for priority, zone, _, count in shown(result)] == [
            (0, "eu-1a", 2),
            (0, "eu-1b", 1),
            (0, "us-1a", 1),
            (1, "us-1a", 4),
        ]


def test_a_subset_of_spilling_zones_has_seats_by_their_weights() -> None:
    """The own zone has the most, every zone that gets requests has one, and the weights are those of the policy."""
    policy = Policy(zones=Zones(ZoneMode.SPILL), subset=Subset(6, 0))
    result = metadata([*some("eu-1a", 9), *some("eu-1b", 30), *some("us-1a", 30)], policy, bucket(0))
    assert shown(result) == [(0, "eu-1a", 5478, 3), (0, "eu-1b", 2261, 2), (0, "us-1a", 2261, 1)]


def test_the_own_zone_has_the_first_seat_whatever_its_name_and_weight() -> None:
    """Fewer seats than zones, equal weights: the client stays in its own zone."""
    policy = Policy(zones=Zones(ZoneMode.FAVOR, favor_weight=1), subset=Subset(1, 0))
    for zone in ("eu-1a", "eu-1b", "us-1a"):
        assert shown(metadata(THREE_ZONES, policy, bucket(0, zone))) == [(0, zone, 1, 1)]


def test_seats_after_the_own_zone_go_by_weight() -> None:
    """eu-1b precedes us-1a by name, but us-1a has twice its weight; see the same zones in test_assignment.py."""
    policy = Policy(zones=Zones(ZoneMode.SPILL), subset=Subset(2, 0))
    assert shown(metadata(THREE_ZONES, policy, bucket(0))) == [(0, "eu-1a", 9333, 1), (0, "us-1a", 456, 1)]


def test_a_subset_without_buckets_is_not_followed() -> None:
    """Clients that are not divided see everything, in the manner of a service without a policy."""
    assert shown(metadata(THREE_ZONES, Policy(subset=Subset(1, 0)))) == shown(metadata(THREE_ZONES))


def test_a_subset_by_share_is_rounded_up_and_not_by_floating_point() -> None:
    """7 % of 100 are 7; of 101 they are 8."""
    policy = Policy(zones=Zones(ZoneMode.DISABLED), subset=Subset(1, 7 / 100))
    assert [len(states(metadata(some("a", count), policy, bucket(0)))) for count in (100, 101)] == [7, 8]


def test_buckets_use_all_endpoints_of_a_zone_evenly() -> None:
    """Each of 8 is seen by half of the 16 buckets when each sees 4."""
    uses: dict[str, int] = {}
    for number in range(BUCKETS):
        for group in metadata(some("eu-1a", 8), Policy(subset=Subset(4, 0)), bucket(number)):
            for endpoint in group.endpoints:
                uses[endpoint.address] = uses.get(endpoint.address, 0) + 1
    assert list(uses.values()) == [8] * 8


def test_what_drains_is_kept_for_sessions() -> None:
    """All of it, beside the few that a bucket sees, and in no priority of its own; others do not get it."""
    endpoints = [*some("eu-1a", 6), *some("eu-1a", 2, DRAINING), *some("us-1a", 1, DRAINING)]
    policy = Policy(subset=Subset(2, 0))
    result = metadata(endpoints, policy, bucket(1)._replace(draining=True))
    assert shown(result) == [(0, "eu-1a", 2, 4), (0, "us-1a", 1, 1)]
    assert states(result).count(DRAINING) == 3
    assert shown(metadata(endpoints, policy, bucket(1))) == [(0, "eu-1a", 2, 2)]


def test_a_subset_is_not_filled_up_from_another_cluster() -> None:
    """Its size, too, is a share of the nearest cluster's endpoints alone; the others stand behind."""
    endpoints = [*some("eu-1a", 3), *some("us-1a", 3), *some("eu-1a", 40, cluster=1)]
    result = metadata(endpoints, Policy(subset=Subset(1, 2 / 3)), bucket(0))
    assert [(priority, zone, count) for priority, zone, _, count in shown(result)] == [
        (0, "eu-1a", 3),
        (0, "us-1a", 1),
        (1, "us-1a", 2),
        (2, "eu-1a", 4),
    ]
    few = metadata(endpoints, Policy(subset=Subset(9, 0)), bucket(0))
    assert [(priority, count) for priority, _, _, count in shown(few)] == [(0, 3), (0, 3), (1, 9)]
