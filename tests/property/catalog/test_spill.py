"""Shares of any endpoints, factors and demands, against what the rules of spilling over promise."""

import math
import random
from collections.abc import Mapping

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from steerway.catalog.locality.spill import ELSEWHERE, shares, weights

CLOSE = 1e-9
ZONES = ["", "a", "b", "c", "d", "e"]
NAMED = ZONES[1:]

Rows = Mapping[str, Mapping[str, float]]
Demand = Mapping[str, float] | None

counts = st.dictionaries(st.sampled_from(ZONES), st.integers(0, 40)).filter(
    lambda result: any(result.values())
)
factors = st.one_of(st.just(1.0), st.floats(1, 3), st.floats(1, 1e300))
numbers = st.one_of(st.integers(0, 9).map(float), st.floats(0, 1), st.floats(0, 1.7e308))
demands = st.one_of(st.none(), st.dictionaries(st.sampled_from(ZONES), numbers))


def parts(endpoints: Mapping[str, int], demand: Demand) -> dict[str, float]:
    """The demand of each zone, as a part of 1."""
    results = {zone: weight for zone, weight in (demand or {}).items() if weight}
    result = results or {zone: 1.0 for zone, count in endpoints.items() if count}
    largest = max(result.values())
    whole = math.fsum(weight / largest for weight in result.values())
    return {zone: weight / largest / whole for zone, weight in result.items()}


def loads(rows: Rows, wanted: Mapping[str, float]) -> dict[str, float]:
    """What part of all requests each zone's endpoints get."""
    return {to: math.fsum(part * rows[zone].get(to, 0) for zone, part in wanted.items()) for to in ZONES}


@given(counts, factors, demands)
def test_every_row_is_whole_and_names_only_zones_with_endpoints(
    endpoints: dict[str, int], factor: float, demand: Demand
) -> None:
    """Each zone that is named has a row, and so have clients elsewhere."""
    rows = shares(endpoints, factor, demand)
    assert set(rows) == {ELSEWHERE, *endpoints, *(demand or {})}
    for row in rows.values():
        assert math.isclose(math.fsum(row.values()), 1, abs_tol=CLOSE)
        assert all(share > 0 and endpoints[zone] > 0 for zone, share in row.items())


@given(counts, factors, demands)
def test_no_endpoint_gets_more_than_the_factor_allows(
    endpoints: dict[str, int], factor: float, demand: Demand
) -> None:
    """There is capacity for all, so no zone has to carry more."""
    load = loads(shares(endpoints, factor, demand), parts(endpoints, demand))
    total = sum(endpoints.values())
    assert math.isclose(math.fsum(load.values()), 1, abs_tol=CLOSE)
    for zone, count in endpoints.items():
        assert load[zone] / max(count, 1) <= factor / total + CLOSE


@given(counts, factors, demands)
def test_a_zone_keeps_exactly_what_it_can_carry(
    endpoints: dict[str, int], factor: float, demand: Demand
) -> None:
    """All that fits its endpoints is at home; of the rest nothing is, and no other zone's requests come."""
    rows = shares(endpoints, factor, demand)
    wanted = parts(endpoints, demand)
    load = loads(rows, wanted)
    total = sum(endpoints.values())
    for zone in {zone for zone, count in endpoints.items() if count} - {ELSEWHERE}:
        capacity = factor * (endpoints[zone] / total)
        if wanted.get(zone, 0) <= capacity:
            assert rows[zone] == {zone: 1}
        elif wanted[zone] > capacity + CLOSE:
            assert math.isclose(rows[zone][zone] * wanted[zone], capacity, abs_tol=CLOSE)
            assert math.isclose(load[zone], capacity, abs_tol=CLOSE)


@given(counts, factors, demands)
def test_excess_and_clients_elsewhere_go_by_spare_capacity(
    endpoints: dict[str, int], factor: float, demand: Demand
) -> None:
    """All that leaves home is spread alike, and all of a zone without endpoints leaves it."""
    rows = shares(endpoints, factor, demand)
    wanted = parts(endpoints, demand)
    total = sum(endpoints.values())
    spare = {
        zone: max(0, factor * (count / total) - (wanted.get(zone, 0) if zone else 0))
        for zone, count in endpoints.items()
    }
    away = rows[ELSEWHERE]
    if max(spare.values()) > 1e-3:
        for zone, part in spare.items():
            assert math.isclose(
                away.get(zone, 0), part / max(spare.values()) * max(away.values()), abs_tol=1e-6
            )
    for zone in set(rows) - {ELSEWHERE}:
        at_home = rows[zone].get(zone, 0)
        if not endpoints.get(zone):
            assert rows[zone] == away
        elif away.get(zone, 0) == 0:
            for other in set(away) - {zone}:
                assert math.isclose(rows[zone].get(other, 0), (1 - at_home) * away[other], abs_tol=CLOSE)


@given(counts, factors, demands, st.randoms(use_true_random=False))
def test_the_order_of_zones_changes_nothing(
    endpoints: dict[str, int], factor: float, demand: Demand, order: random.Random
) -> None:
    """The same numbers give the same result to the last bit."""
    shuffled = sorted(endpoints.items(), key=lambda _: order.random())
    other = None if demand is None else dict(reversed(list(demand.items())))
    rows = shares(endpoints, factor, demand)
    assert shares(dict(shuffled), factor, other) == rows
    for row in rows.values():
        assert weights(dict(reversed(list(row.items())))) == weights(row)


@given(counts, factors, demands, st.sampled_from(ZONES))
@example({"a": 3, "b": 3}, 1.0, {"a": 1.0, "b": 1.0}, "a")
@example({"a": 5, "b": 1}, 1.2, {"b": 1.0, "c": 1.0}, "c")
def test_one_more_endpoint_changes_little(
    endpoints: dict[str, int], factor: float, demand: Demand, zone: str
) -> None:
    """No load changes by more than the capacity that the zone gains, and at most twice as many requests move."""
    count, total = endpoints.get(zone, 0), sum(endpoints.values())
    wanted = parts(endpoints, demand)
    before, after = (shares(n, factor, wanted) for n in (endpoints, {**endpoints, zone: count + 1}))
    bound = factor * ((total - count) / total / (total + 1))
    assert bound <= factor / (total + 1) * (1 + CLOSE)
    old, new = loads(before, wanted), loads(after, wanted)
    assert max(abs(new[zone] - old[zone]) for zone in ZONES) <= bound + CLOSE
    moved = math.fsum(
        part * abs(after[client].get(to, 0) - before[client].get(to, 0))
        for client, part in wanted.items()
        for to in ZONES
    )
    assert moved / 2 <= 2 * bound + CLOSE


@given(counts, factors)
def test_the_bound_is_reached(endpoints: dict[str, int], factor: float) -> None:
    """A new zone with all the demand gets all that its first endpoint may carry."""
    total = sum(endpoints.values())
    assume(factor <= total + 1)
    rows = shares({**endpoints, "new": 1}, factor, {"new": 1})
    assert math.isclose(rows["new"]["new"], factor / (total + 1), abs_tol=CLOSE)


@given(counts, factors, demands, st.sampled_from(NAMED), st.floats(0, 1))
def test_a_little_more_demand_changes_little(
    endpoints: dict[str, int], factor: float, demand: Demand, zone: str, moved: float
) -> None:
    """If a part of the demand moves to another zone, no load changes by more than that part."""
    wanted = parts(endpoints, demand)
    other = {key: part * (1 - moved) for key, part in wanted.items()}
    other[zone] = other.get(zone, 0) + moved
    assume(any(other.values()))
    other = parts(endpoints, other)
    old, new = (loads(shares(endpoints, factor, item), item) for item in (wanted, other))
    assert max(abs(new[zone] - old[zone]) for zone in ZONES) <= moved + CLOSE


@given(counts, demands)
def test_without_overload_each_endpoint_gets_the_fair_share(
    endpoints: dict[str, int], demand: Demand
) -> None:
    """A factor of 1 leaves no choice, whatever the demand is."""
    load = loads(shares(endpoints, 1, demand), parts(endpoints, demand))
    total = sum(endpoints.values())
    for zone, count in endpoints.items():
        assert math.isclose(load[zone], count / total, abs_tol=CLOSE)


@given(counts, demands)
def test_a_large_factor_keeps_everything_at_home(endpoints: dict[str, int], demand: Demand) -> None:
    """One endpoint that may carry all is enough for its zone."""
    rows = shares(endpoints, sum(endpoints.values()), demand)
    for zone in {zone for zone, count in endpoints.items() if count} - {ELSEWHERE}:
        assert rows[zone] == {zone: 1}


@given(counts)
def test_without_weights_zones_with_endpoints_are_equal(endpoints: dict[str, int]) -> None:
    """Weights of 0 count as none at all, and so do equal ones."""
    zones = [zone for zone, count in endpoints.items() if count]
    rows = shares(endpoints, 1.2)
    assert shares(endpoints, 1.2, {}) == rows
    assert shares(endpoints, 1.2, dict.fromkeys(endpoints, 0)) == rows
    assert shares(endpoints, 1.2, dict.fromkeys(zones, 7)) == rows


@given(counts, factors, demands)
def test_weights_are_the_shares_to_the_rounding(
    endpoints: dict[str, int], factor: float, demand: Demand
) -> None:
    """Each one is half a step off at most, and so is the share that a client makes of it, times its zones."""
    for row in shares(endpoints, factor, demand).values():
        result = weights(row)
        whole = sum(result.values())
        assert all(weight >= 1 for weight in result.values())
        for zone, share in row.items():
            assert abs(result.get(zone, 0) - share * 10_000) <= 0.5 + CLOSE * 10_000
            assert abs(result.get(zone, 0) / whole - share) <= (1 + len(row) * share) / 2 / whole + CLOSE


def test_spare_capacity_of_no_more_than_rounding_is_none() -> None:
    """Shares of 0.1, 0.2 and 0.7 do not sum to 1 exactly, and yet everything fits and no zone is preferred."""
    rows = shares({"a": 1, "b": 2, "c": 7}, 1, {"a": 0.1, "b": 0.2, "c": 0.7})
    assert rows == {"": {"a": 0.1, "b": 0.2, "c": 0.7}, "a": {"a": 1}, "b": {"b": 1}, "c": {"c": 1}}


def test_an_example_by_hand() -> None:
    """One of four endpoints may carry 30 % of all at 1.2, so a zone with half of the demand keeps 60 % of it."""
    rows = shares({"a": 1, "b": 3}, 1.2, {"a": 1, "b": 1})
    assert rows["a"] == pytest.approx({"a": 0.6, "b": 0.4})
    assert rows["b"] == {"b": 1}
    assert rows[ELSEWHERE] == {"b": 1}
    assert weights(rows["a"]) == {"a": 6000, "b": 4000}


def test_more_zones_than_steps_are_equal() -> None:
    """If every weight rounds to 0 there still have to be some; a single zone has all."""
    assert set(weights({str(zone): 1 / 30_000 for zone in range(30_000)}).values()) == {1}
    assert weights({"a": 1e-9}) == {"a": 10_000}
    assert weights({"a": 1, "b": 1e-9}) == {"a": 10_000}
    assert weights({}) == {}


def test_no_endpoints_give_no_rows() -> None:
    """There is nowhere to send a request to."""
    assert shares({}, 1.2) == {}
    assert shares({"a": 0}, 1.2, {"a": 1, "b": 2}) == {}


@pytest.mark.parametrize("number", [-1, math.nan, math.inf, -math.inf])
def test_numbers_that_make_no_sense_are_refused(number: float) -> None:
    """Also where there are no endpoints, and the message names the error."""
    with pytest.raises(ValueError, match="demand of zone 'b'"):
        shares({"a": 1}, 1.2, {"b": number})
    with pytest.raises(ValueError, match="demand of zone 'b'"):
        shares({}, 1.2, {"b": number})
    with pytest.raises(ValueError, match="overload factor"):
        shares({"a": 1}, number)
    with pytest.raises(ValueError, match="share of zone 'a'"):
        weights({"a": number})
    with pytest.raises(ValueError, match="number of endpoints of zone 'a'"):
        shares({"a": -1}, 1.2)
    with pytest.raises(ValueError, match="overload factor"):
        shares({"a": 1}, 0.999)
