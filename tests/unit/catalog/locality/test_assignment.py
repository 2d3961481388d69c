"""The assignment of a port's endpoints for one kind of client: zones, safety, clusters, one on top of the other."""

from dataclasses import replace

import pytest

from steerway.catalog.locality.assignment import ClientView, assign, sensitivity_of
from steerway.catalog.locality.traffic_distribution import ClientLocality
from steerway.catalog.model.mesh import Endpoint, EndpointState, Port, Service, ServiceId
from steerway.catalog.model.policy import NOTHING, Policy, Safety, Subset, WhenEmpty, ZoneMode, Zones
from tests.support.model.client_view import (
    DRAINING,
    HEALTHY,
    HERE,
    THREE_ZONES,
    UNREADY,
    bucket,
    metadata,
    shown,
    some,
    states,
    zoned,
)


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
    assert shown(metadata(THREE_ZONES, policy)) == expected


def test_failover_from_an_empty_zone_starts_at_the_next_tier() -> None:
    """There is no gap in the priorities."""
    assert [item[:2] for item in shown(metadata(THREE_ZONES[2:], zoned(ZoneMode.FAILOVER)))] == [
        (0, "eu-1b"),
        (1, "us-1a"),
    ]


@pytest.mark.parametrize("mode", [mode for mode in ZoneMode if mode is not ZoneMode.SPILL])
def test_a_client_in_no_known_zone_gets_all_endpoints_in_one_tier(mode: ZoneMode) -> None:
    """No endpoint is nearer than another, and a strict policy leaves no client without endpoints."""
    result = metadata(THREE_ZONES, zoned(mode), ClientView())
    assert {group.priority for group in result} == {0}
    assert sum(len(group.endpoints) for group in result) == 9


def test_spill_sends_a_client_in_no_known_zone_where_there_is_room() -> None:
    """eu-1a has more than it can carry from its own clients; it stands behind."""
    assert [item[:2] for item in shown(metadata(THREE_ZONES, zoned(ZoneMode.SPILL), ClientView()))] == [
        (0, "eu-1b"),
        (0, "us-1a"),
        (1, "eu-1a"),
    ]


def test_strict_looks_at_its_own_zone_alone() -> None:
    """What drains there is used before nothing is, whatever is ready elsewhere; so is what its safety allows."""
    strict = Zones(ZoneMode.STRICT)
    draining = [*some("eu-1a", 2, DRAINING), *some("us-1a", 4)]
    assert states(metadata(draining, Policy(zones=strict))) == [HEALTHY] * 2
    unready = [*some("eu-1a", 2, UNREADY), *some("us-1a", 4)]
    assert metadata(unready, Policy(zones=strict)) == []
    desperate = Safety(WhenEmpty.USE_UNREADY)
    assert shown(metadata(unready, Policy(zones=strict, safety=desperate))) == [(0, "eu-1a", 2, 2)]
    remote = [*some("us-1a", 4), *some("eu-1a", 1, cluster=1)]
    assert shown(metadata(remote, Policy(zones=strict))) == [(0, "eu-1a", 1, 1)], (
        "its own zone in another cluster"
    )


def test_where_all_drain_all_are_used() -> None:
    """Serving ones are better than none (KEP-1669), for every client."""
    for client_view in (HERE, HERE._replace(draining=True)):
        assert states(metadata(some("eu-1a", 2, DRAINING), client_view=client_view)) == [HEALTHY] * 2


def test_a_zone_where_all_drain_is_no_tier_of_its_own() -> None:
    """Its endpoints stand in the last tier, behind those that are near, however near they are themselves."""
    endpoints = [*some("eu-1a", 2, DRAINING), *some("eu-1b", 3), *some("us-1a", 4)]
    result = metadata(endpoints, zoned(ZoneMode.FAILOVER), HERE._replace(draining=True))
    assert [(group.priority, group.locality.zone) for group in result] == [
        (0, "eu-1b"),
        (1, "eu-1a"),
        (1, "us-1a"),
    ]


def test_a_local_policy_uses_what_drains_on_the_node() -> None:
    """Healthy ones of other nodes do not help a client that must not leave its own."""
    (here,) = (item._replace(node="n1") for item in some("eu-1a", 1, DRAINING))
    (there,) = (item._replace(node="n2") for item in some("eu-1b", 1))
    result = metadata([here, there], local_only=True)
    assert [endpoint.address for group in result for endpoint in group.endpoints] == [here.address]
    assert states(result) == [HEALTHY]
    policy = Policy(zones=Zones(ZoneMode.FAILOVER), subset=Subset(1, 0))
    assert (
        metadata([here, there], policy, bucket(0)._replace(locality=HERE.locality), local_only=True) == result
    )


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
    result = metadata([*some("a", ready), *some("a", unready, UNREADY)], Policy(safety=safety))
    assert states(result) == [HEALTHY] * used


def test_a_panic_keeps_what_drains_as_it_is() -> None:
    """Endpoints that terminate get no new calls as long as any other can."""
    endpoints = [*some("a", 1), *some("a", 1, DRAINING), *some("a", 3, UNREADY)]
    result = metadata(endpoints, Policy(safety=Safety(panic_share=0.5)), HERE._replace(draining=True))
    assert sorted(state.value for state in states(result)) == ["draining", *["healthy"] * 4]


def test_all_of_a_nearer_cluster_comes_first() -> None:
    """Its farthest zone is before the own zone of a farther cluster; each cluster has its own tiers."""
    endpoints = [*some("us-1a", 1), *some("eu-1a", 1, cluster=1), *some("eu-1b", 1, cluster=1)]
    assert [item[:2] for item in shown(metadata(endpoints, zoned(ZoneMode.FAILOVER)))] == [
        (0, "us-1a"),
        (1, "eu-1a"),
        (2, "eu-1b"),
    ]
    assert [item[:2] for item in shown(metadata(endpoints, zoned(ZoneMode.DISABLED)))] == [
        (0, "us-1a"),
        (1, "eu-1a"),
        (1, "eu-1b"),
    ]


def test_a_cluster_where_all_drain_does_not_plan_for_the_next() -> None:
    """What is healthy farther away keeps its order of zones, and its weights."""
    endpoints = [*some("eu-1a", 1, DRAINING), *some("eu-1b", 1, cluster=1), *some("eu-1a", 1, cluster=1)]
    client_view = HERE._replace(draining=True)
    assert [item[:2] for item in shown(metadata(endpoints, zoned(ZoneMode.FAILOVER), client_view))] == [
        (0, "eu-1a"),
        (1, "eu-1a"),
        (2, "eu-1b"),
    ]
    assert shown(metadata(endpoints, zoned(ZoneMode.FAVOR), client_view))[1:] == [
        (1, "eu-1a", 1000, 1),
        (1, "eu-1b", 1, 1),
    ]


def test_localities_of_one_zone_share_its_weight() -> None:
    """Clusters with and without a stated region may have endpoints in the same zones."""
    endpoints = [*some("eu-1a", 9), *some("eu-1a", 1, cluster=1, region="east"), *some("eu-1b", 2)]
    level = [endpoint._replace(priority=0) for endpoint in endpoints]
    result = metadata(level, zoned(ZoneMode.FAVOR))
    assert [(group.locality.region, group.locality.zone, group.weight) for group in result] == [
        ("", "eu-1a", 900),
        ("", "eu-1b", 1),
        ("east", "eu-1a", 100),
    ]


def test_a_locality_with_a_small_share_keeps_a_weight_of_one() -> None:
    """A third of the zone's weight of 1 rounds to 0, and a locality of weight 0 is dropped by every client."""
    endpoints = [
        *some("eu-1a", 1),
        *(item for region in ("a", "b", "c") for item in some("eu-1b", 1, region=region)),
    ]
    distinct = [endpoint._replace(address=f"10.9.9.{number}") for number, endpoint in enumerate(endpoints)]
    result = metadata(distinct, zoned(ZoneMode.FAVOR))
    assert [(group.locality.region, group.weight) for group in result] == [
        ("", 1000),
        ("a", 1),
        ("b", 1),
        ("c", 1),
    ]


def test_a_locality_where_all_endpoints_drain_keeps_a_weight_of_one() -> None:
    """It is in no plan and has no healthy endpoint; with weight 0 its sessions would end."""
    endpoints = [*some("eu-1a", 2), *some("eu-1b", 1, DRAINING)]
    result = metadata(endpoints, zoned(ZoneMode.FAVOR), HERE._replace(draining=True))
    assert shown(result) == [(0, "eu-1a", 1000, 2), (0, "eu-1b", 1, 1)]


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
def test_views_are_distinguished_only_where_it_matters(
    policy: Policy, service: dict[str, object], buckets: int, expected: tuple[bool, bool]
) -> None:
    """By place and by bucket; by what they know of draining when some drain and others do not."""
    port = Port(80, endpoints=tuple(some("a", 1)), policy=policy)
    whole = replace(Service(ServiceId("shop", "backend"), (port,)), **service)
    assert sensitivity_of(whole, port, port.endpoints, buckets) == (*expected, False)
    mixed = [*some("a", 1), *some("a", 1, DRAINING)]
    assert sensitivity_of(whole, port, mixed, buckets).draining
    assert not sensitivity_of(whole, port, mixed[1:], buckets).draining


@pytest.mark.parametrize(
    ("states", "safety", "hinted", "nearest"),
    [
        ("DDU", Safety(WhenEmpty.USE_UNREADY), DRAINING, ["10.0.0.0"]),
        ("DDU", Safety(panic_share=0.5), DRAINING, ["10.0.0.0"]),
        ("HHUUU", Safety(panic_share=0.5), HEALTHY, None),
        ("HHUUU", Safety(panic_share=0.2), HEALTHY, ["10.0.0.0"]),
        ("UU", Safety(WhenEmpty.USE_UNREADY), UNREADY, ["10.0.0.0"]),
    ],
)
def test_hints_count_for_the_endpoints_in_use(
    states: str, safety: Safety, hinted: EndpointState, nearest: list[str] | None
) -> None:
    """With a policy of safety these are not those that are ready; None: hints are not whole, and all are alike. What
    is published for one place is what is assigned there."""
    kinds = {"H": HEALTHY, "D": DRAINING, "U": UNREADY}
    endpoints = [
        Endpoint(f"10.0.0.{number}", 80, kinds[state], for_zones=("a", "b")[number % 2 : number % 2 + 1])
        for number, state in enumerate(states)
    ]
    results = [
        endpoint if endpoint.state is hinted else endpoint._replace(for_zones=()) for endpoint in endpoints
    ]
    port = Port(80, endpoints=tuple(results), policy=Policy(safety=safety))
    whole = Service(ServiceId("shop", "backend"), (port,))
    assert sensitivity_of(whole, port, results, 0).locality is (nearest is not None)
    groups = assign(whole, port, results, ClientView(ClientLocality("a")))
    first = [endpoint.address for group in groups if group.priority == 0 for endpoint in group.endpoints]
    assert first == (nearest or [endpoint.address for endpoint in results])
