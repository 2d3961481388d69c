"""Assignments of any endpoints to any client under any policy: valid, exact, even, and the same in any order."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from steerway.catalog.locality import traffic_distribution
from steerway.catalog.locality.assignment import ClientView, Group, assign, sensitivity_of
from steerway.catalog.locality.traffic_distribution import ClientLocality
from steerway.catalog.model.mesh import Endpoint, EndpointState, Locality, Port, Service, ServiceId
from steerway.catalog.model.policy import NOTHING, Policy, Safety, Subset, WhenEmpty, ZoneMode, Zones
from steerway.catalog.service.endpoints import ordered

HEALTHY, DRAINING, UNREADY = EndpointState.HEALTHY, EndpointState.DRAINING, EndpointState.UNREADY
BUCKETS = 8
ZONES = ("", "eu-1a", "eu-1b", "us-1a")

LOCALITIES = st.builds(Locality, st.sampled_from(["", "", "east"]), st.sampled_from(ZONES))


def endpoints(*states: EndpointState, clusters: int = 2, most: int = 24) -> st.SearchStrategy[list[Endpoint]]:
    made = st.builds(
        Endpoint,
        st.integers(1, 250).map(lambda number: f"10.0.0.{number}"),
        st.sampled_from([80, 81]),
        st.sampled_from(states),
        LOCALITIES,
        priority=st.integers(0, clusters - 1),
        node=st.sampled_from(["n1", "n2"]),
    )
    return st.lists(made, max_size=most, unique_by=lambda item: item[:2])


ZONE_POLICIES = st.builds(
    Zones,
    st.sampled_from(ZoneMode),
    st.sampled_from([1.0, 1.4, 3.0]),
    st.sampled_from([(), (("eu-1a", 1.0),), (("eu-1a", 2.0), ("eu-1b", 1.0), ("zz", 4.0))]),
    st.sampled_from([1, 1000]),
)
SUBSETS = st.builds(Subset, st.integers(1, 6), st.sampled_from([0.0, 1 / 3, 0.5, 1.0]))
POLICIES = st.builds(
    Policy,
    zones=st.none() | ZONE_POLICIES,
    subset=st.none() | SUBSETS,
    safety=st.none()
    | st.builds(Safety, st.sampled_from(WhenEmpty), st.sampled_from([0.0, 0.5, 1.0]), st.just(0.5)),
)
CLIENT_LOCALITIES = st.builds(
    ClientLocality, st.sampled_from([*ZONES, "eu-1c"]), st.sampled_from(["", "n1", "n9"])
)
VIEWERS = st.builds(
    ClientView, CLIENT_LOCALITIES, st.integers(0, BUCKETS - 1), st.sampled_from([0, BUCKETS]), st.booleans()
)
SERVICES = st.builds(
    Service,
    st.just(ServiceId("shop", "backend")),
    local_only=st.sampled_from([False, False, True]),
    distribution=st.sampled_from(["", "PreferSameZone", "PreferSameNode"]),
)


def assigned(
    results: Sequence[Endpoint], policy: Policy, client_view: ClientView, service: Service
) -> list[Group]:
    return assign(service, Port(80, policy=policy), results, client_view)


def first(groups: Sequence[Group]) -> list[Endpoint]:
    """The healthy endpoints of the first priority."""
    return [e for group in groups if group.priority == 0 for e in group.endpoints if e.state is HEALTHY]


@given(endpoints(HEALTHY, DRAINING, UNREADY), POLICIES, VIEWERS, SERVICES, st.randoms(use_true_random=False))
def test_an_assignment_is_valid_and_does_not_depend_on_the_order(
    all_endpoints: list[Endpoint],
    policy: Policy,
    client_view: ClientView,
    service: Service,
    order: random.Random,
) -> None:
    """No address twice, none that is unknown, localities once in a priority, priorities without a gap, weights."""
    groups = assigned(all_endpoints, policy, client_view, service)
    addresses = [endpoint[:2] for group in groups for endpoint in group.endpoints]
    assert len(addresses) == len(set(addresses))
    assert set(addresses) <= {endpoint[:2] for endpoint in all_endpoints}
    priorities = [group.priority for group in groups]
    assert priorities == sorted(priorities)
    assert set(priorities) == set(range(len(set(priorities))))
    assert len({(group.priority, group.locality) for group in groups}) == len(groups)
    assert all(group.weight >= 1 and group.endpoints for group in groups)
    shown = {endpoint.state for group in groups for endpoint in group.endpoints}
    assert shown <= ({HEALTHY, DRAINING} if client_view.draining else {HEALTHY})
    assert DRAINING not in shown or HEALTHY in shown
    order.shuffle(all_endpoints)
    assert assigned(all_endpoints, policy, client_view, service) == groups


def row(*states: EndpointState) -> list[Endpoint]:
    """Endpoints in these states, in two zones by turns."""
    return [
        Endpoint(f"10.0.0.{number}", 80, state, Locality("", ("eu-1a", "eu-1b")[number % 2]))
        for number, state in enumerate(states)
    ]


IN_A = ClientView(ClientLocality("eu-1a"))
PLAIN = Service(ServiceId("shop", "backend"))
USE_UNREADY = Policy(safety=Safety(WhenEmpty.USE_UNREADY))
PANIC = Policy(safety=Safety(panic_share=0.5))


# Hints count for the endpoints in use: those that drain while none is ready, and not those that are not ready beside
# them; with too few ready ones both.
@example(row(DRAINING, DRAINING, UNREADY), USE_UNREADY, IN_A, PLAIN, {DRAINING})
@example(row(DRAINING, DRAINING, UNREADY), PANIC, IN_A, PLAIN, {DRAINING})
@example(row(HEALTHY, HEALTHY, UNREADY, UNREADY, UNREADY), PANIC, IN_A, PLAIN, {HEALTHY})
@example(row(UNREADY, UNREADY), USE_UNREADY, IN_A, PLAIN, {UNREADY})
@given(
    endpoints(HEALTHY, DRAINING, UNREADY),
    st.none() | POLICIES,
    VIEWERS,
    SERVICES,
    st.sets(st.sampled_from(EndpointState)),
)
def test_what_makes_no_difference_makes_none(
    all_endpoints: list[Endpoint],
    policy: Policy | None,
    client_view: ClientView,
    service: Service,
    hinted: set[EndpointState],
) -> None:
    """A client view without the fields that make no difference gets the same; endpoints in some states have hints."""
    policy = policy or NOTHING
    results = [
        e._replace(for_zones=(e.locality.zone or "eu-1a",)) if e.state in hinted else e for e in all_endpoints
    ]
    port = Port(80, endpoints=tuple(results), policy=policy)
    whole = Service(service.id, (port,), local_only=service.local_only, distribution=service.distribution)
    depends = sensitivity_of(whole, port, results, client_view.buckets)
    alike = ClientView(
        client_view.locality if depends.locality else ClientLocality(),
        client_view.bucket if depends.bucket else 0,
        client_view.buckets if depends.bucket else 0,
        client_view.draining and depends.draining,
    )
    assert assigned(results, policy, alike, whole) == assigned(results, policy, client_view, whole)


@given(endpoints(HEALTHY, DRAINING), st.none() | ZONE_POLICIES, SUBSETS, CLIENT_LOCALITIES)
def test_a_subset_is_exact_and_all_buckets_use_the_endpoints_of_a_zone_evenly(
    all_endpoints: list[Endpoint], zones: Zones | None, wanted: Subset, locality: ClientLocality
) -> None:
    """Of the nearest cluster with a healthy endpoint; under a strict policy of the own zone."""
    policy = Policy(zones=zones, subset=wanted)
    strict = zones is not None and zones.mode is ZoneMode.STRICT and locality.zone
    within = [e for e in all_endpoints if not strict or e.locality.zone == locality.zone]
    usable = [e for e in within if e.state is HEALTHY] or within
    local = [e for e in usable if e.priority == min(endpoint.priority for endpoint in usable)]
    size = min(len(local), max(wanted.minimum, math.ceil(wanted.share * len(local) - 1e-9)))
    uses: defaultdict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    for bucket in range(BUCKETS):
        seen = first(
            assigned(
                all_endpoints,
                policy,
                ClientView(locality, bucket, BUCKETS),
                Service(ServiceId("shop", "backend")),
            )
        )
        assert len(seen) == size
        for endpoint in seen:
            uses[endpoint.locality.zone][endpoint.address, endpoint.port] += 1
    for zone, counts in uses.items():
        item = [counts[e.address, e.port] for e in local if e.locality.zone == zone]
        assert max(item) - min(item) <= 1


@given(endpoints(HEALTHY, DRAINING), SUBSETS, CLIENT_LOCALITIES, st.integers(0, BUCKETS - 1))
def test_the_own_zone_comes_first_in_a_subset(
    all_endpoints: list[Endpoint], wanted: Subset, locality: ClientLocality, bucket: int
) -> None:
    """As long as the first priority has room for it, another zone has no seat."""
    service = Service(ServiceId("shop", "backend"))
    seen = first(
        assigned(all_endpoints, Policy(subset=wanted), ClientView(locality, bucket, BUCKETS), service)
    )
    usable = [e for e in all_endpoints if e.state is HEALTHY] or all_endpoints
    local = [e for e in usable if e.priority == min(endpoint.priority for endpoint in usable)]
    own = [e for e in local if locality.zone and e.locality.zone == locality.zone]
    assert sum(e.locality.zone == locality.zone for e in seen if locality.zone) == min(len(own), len(seen))


@given(endpoints(HEALTHY, DRAINING, UNREADY), VIEWERS, SERVICES)
def test_without_a_policy_the_fields_of_the_service_count(
    all_endpoints: list[Endpoint], client_view: ClientView, service: Service
) -> None:
    """`reach.reachable` of those that are used, in groups by priority and locality, weighted by their number."""
    groups = assigned(all_endpoints, NOTHING, client_view, service)
    within = [
        e for e in all_endpoints if not service.local_only or (e.node and e.node == client_view.locality.node)
    ]
    healthy = [e for e in within if e.state is HEALTHY]
    draining = [e for e in within if e.state is DRAINING]
    used = [*healthy, *(draining if client_view.draining else ())] if healthy else draining
    if not healthy:
        used = [e._replace(state=HEALTHY) for e in used]
    expected = ordered(traffic_distribution.reachable(service, used, client_view.locality))
    assert [endpoint for group in groups for endpoint in group.endpoints] == list(expected)
    for group in groups:
        count = sum(endpoint.state is HEALTHY for endpoint in group.endpoints)
        assert group.weight == (count or len(group.endpoints))
