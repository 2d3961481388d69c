"""Which region a zone is in, and the priorities of zones in each mode of a policy."""

import pytest

from steerway.catalog.locality.zone import Plan, plan, region_of
from steerway.catalog.model.mesh import Endpoint, Locality
from steerway.catalog.model.policy import ZoneMode, Zones


def endpoints(**count: int) -> list[Endpoint]:
    """So many endpoints in each zone; `_` in a zone's name stands for `-`."""
    return [
        Endpoint(f"10.{block}.0.{number}", 80, locality=Locality(zone=zone.replace("_", "-")))
        for block, (zone, many) in enumerate(count.items())
        for number in range(many)
    ]


TRAFFIC_DISTRIBUTIONS = endpoints(eu_1a=2, eu_1b=2, us_1a=2)


@pytest.mark.parametrize(
    ("zone", "region"),
    [
        ("us-east-1a", "us-east-1"),
        ("us-gov-west-1c", "us-gov-west-1"),
        ("cn-north-4a", "cn-north-4"),
        ("europe-west1-b", "europe-west1"),
        ("us-central1-ai1a", "us-central1"),
        ("westeurope-2", "westeurope"),
        ("us-south-1", "us-south"),
        ("cn-hangzhou-b", "cn-hangzhou"),
        ("PHX-AD-1", "PHX-AD"),
        ("fra1a", "fra1"),
        ("zone-a", "zone"),
        ("us-west-2-lax-1a", "us-west-2-lax-1"),
        ("nyc1", ""),
        ("a", ""),
        ("1", ""),
        ("a-", ""),
        ("-a", ""),
        ("eu-1a\n", ""),
        ("", ""),
    ],
)
def test_the_name_of_a_zone_contains_its_region(zone: str, region: str) -> None:
    """AWS, GCP, Azure and others; a local zone, which is far from its region, is a region of its own."""
    assert region_of(Locality(zone=zone)) == region


def test_the_region_of_an_endpoint_has_precedence() -> None:
    """A remote cluster's region is set by the operator."""
    assert region_of(Locality("east", "eu-1a")) == "east"


@pytest.mark.parametrize("mode", [ZoneMode.DISABLED, ZoneMode.FAILOVER, ZoneMode.STRICT, ZoneMode.FAVOR])
def test_for_a_client_in_no_known_zone_nothing_is_nearer(mode: ZoneMode) -> None:
    """All zones are used alike, also by a mode that would keep clients in their own."""
    assert plan(Zones(mode), TRAFFIC_DISTRIBUTIONS, "") == Plan({"eu-1a": 0, "eu-1b": 0, "us-1a": 0}, {})


def test_failover_goes_to_the_region_and_then_to_the_rest() -> None:
    """By regions in names, or of endpoints."""
    assert plan(Zones(ZoneMode.FAILOVER), TRAFFIC_DISTRIBUTIONS, "eu-1a").tiers == {
        "eu-1a": 0,
        "eu-1b": 1,
        "us-1a": 2,
    }
    assert plan(Zones(ZoneMode.FAILOVER), endpoints(a=1, b=1), "a").tiers == {"a": 0, "b": 2}
    sources = [Endpoint(f"10.0.0.{zone}", 80, locality=Locality("r", zone)) for zone in "12"]
    assert plan(Zones(ZoneMode.FAILOVER), sources, "1") == Plan({"1": 0, "2": 1}, {})


def test_failover_from_a_zone_without_endpoints_knows_its_region() -> None:
    """The own zone is in no locality; its name still has the region."""
    assert plan(Zones(ZoneMode.FAILOVER), TRAFFIC_DISTRIBUTIONS, "eu-1c").tiers == {
        "eu-1a": 1,
        "eu-1b": 1,
        "us-1a": 2,
    }


def test_strict_has_the_own_zone_or_nothing() -> None:
    """Other zones are not even behind it."""
    assert plan(Zones(ZoneMode.STRICT), TRAFFIC_DISTRIBUTIONS, "eu-1b") == Plan({"eu-1b": 0}, {})
    assert plan(Zones(ZoneMode.STRICT), TRAFFIC_DISTRIBUTIONS, "eu-1c") == Plan({}, {})


def test_favor_weighs_the_own_zone_and_uses_all() -> None:
    """Where there is nothing to favour, zones count by their endpoints instead of all the same."""
    zones = Zones(ZoneMode.FAVOR, favor_weight=50)
    assert plan(zones, TRAFFIC_DISTRIBUTIONS, "eu-1a") == Plan(
        {"eu-1a": 0, "eu-1b": 0, "us-1a": 0}, {"eu-1a": 50, "eu-1b": 1, "us-1a": 1}
    )
    assert plan(zones, TRAFFIC_DISTRIBUTIONS, "eu-1c") == Plan({"eu-1a": 0, "eu-1b": 0, "us-1a": 0}, {})


def test_spill_stays_at_home_as_long_as_it_can() -> None:
    """Two of six endpoints may carry 1.4 times their third; the other zones stand behind, the region first."""
    assert plan(Zones(ZoneMode.SPILL), TRAFFIC_DISTRIBUTIONS, "eu-1a") == Plan(
        {"eu-1a": 0, "eu-1b": 1, "us-1a": 2}, {"eu-1a": 10_000}
    )


def test_spill_sends_away_what_is_too_much() -> None:
    """One of four endpoints has half of the demand and may carry 0.35 of it: 30 % of its requests go."""
    result = plan(Zones(ZoneMode.SPILL), endpoints(a=1, b=3), "a")
    assert result == Plan({"a": 0, "b": 0}, {"a": 7000, "b": 3000})
    assert plan(Zones(ZoneMode.SPILL), endpoints(a=1, b=3), "b").weights == {"b": 10_000}


def test_spill_follows_the_demand() -> None:
    """With all the demand in one zone, it keeps just what it can carry; a zone without demand has capacity only."""
    zones = Zones(ZoneMode.SPILL, overload_factor=1.0, demand=(("a", 1.0),))
    assert plan(zones, endpoints(a=1, b=3), "a").weights == {"a": 2500, "b": 7500}


@pytest.mark.parametrize("own", ["", "z"])
def test_spill_for_a_client_elsewhere_goes_by_spare_capacity(own: str) -> None:
    """Clients in no zone with endpoints, or in an unknown one; all zones with spare capacity are first."""
    result = plan(Zones(ZoneMode.SPILL), endpoints(a=2, b=2), own)
    assert result == Plan({"a": 0, "b": 0}, {"a": 5000, "b": 5000})


@pytest.mark.parametrize("mode", list(ZoneMode))
def test_without_endpoints_there_is_nothing_to_plan(mode: ZoneMode) -> None:
    """Every mode has to do with an empty service."""
    assert plan(Zones(mode), [], "a") == Plan({}, {})


def test_the_order_of_localities_does_not_matter() -> None:
    """Clusters may name one zone differently: the one with a region has precedence."""
    endpoint = Endpoint("10.0.0.1", 80, locality=Locality("", "x"))
    other = Endpoint("10.0.0.2", 80, locality=Locality("eu-1", "x"))
    for both in ([endpoint, other], [other, endpoint]):
        assert plan(Zones(ZoneMode.FAILOVER), both, "eu-1a").tiers == {"x": 1}
