"""TrafficPolicies and Kubernetes' own fields as sections of a policy."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from steerway.catalog.model.policy import (
    CHANNEL,
    MOST_RETRIES,
    NOTHING,
    SECTIONS,
    Algorithm,
    Balancing,
    Ejection,
    Fault,
    HashKey,
    HashSource,
    HealthCheck,
    OrcaWeights,
    OutlierDetection,
    Policy,
    Retry,
    Safety,
    Session,
    SlowStart,
    Subset,
    WhenEmpty,
    ZoneMode,
    Zones,
)
from steerway.catalog.policy.traffic import of_kubernetes, of_object
from steerway.sources.policy.traffic_policy import TrafficPolicy
from testbed import mesh
from tests.support.example.policy_example import FULL
from tests.support.example.policy_example import policy as manifest


def sources(spec: Mapping[str, Any]) -> Policy:
    return of_object(msgspec.convert(manifest(spec), TrafficPolicy))


def balancing(algorithm: str, **fields: object) -> dict[str, Any]:
    return {"balancing": {"policy": algorithm, **fields}}


SECTION_EXAMPLES: list[tuple[dict[str, Any], str, object]] = [
    ({"zones": {"mode": "Failover"}}, "zones", Zones(ZoneMode.FAILOVER)),
    (
        {"zones": {"mode": "Spill", "overloadPercent": 150, "demand": [{"zone": "b", "weight": 3}]}},
        "zones",
        Zones(ZoneMode.SPILL, 1.5, (("b", 3.0),)),
    ),
    (
        {"zones": {"mode": "Favor", "favorWeight": 7}},
        "zones",
        Zones(ZoneMode.FAVOR, favor_weight=7),
    ),
    ({"subset": {}}, "subset", Subset(5, 0.33)),
    ({"subset": {"min": 2, "percent": 0}}, "subset", Subset(2, 0.0)),
    (balancing("RoundRobin"), "balancing", Balancing(Algorithm.ROUND_ROBIN)),
    (
        balancing("LeastRequest", leastRequest={"choices": 4}, slowStart={"window": "1m"}),
        "balancing",
        Balancing(Algorithm.LEAST_REQUEST, choices=4, slow_start=SlowStart(60.0, 0.1)),
    ),
    (balancing("RingHash"), "balancing", Balancing(Algorithm.RING_HASH, hash_on=(CHANNEL,))),
    (
        balancing(
            "RingHash",
            ringHash={
                "hashOn": [
                    {"header": "X-User"},
                    {"cookie": {"name": "sid", "path": "/", "ttl": "1h"}},
                    {"channel": True},
                ],
                "minSize": 8,
                "maxSize": 16,
            },
        ),
        "balancing",
        Balancing(
            Algorithm.RING_HASH,
            hash_on=(
                HashKey(HashSource.HEADER, "x-user"),
                HashKey(HashSource.COOKIE, "sid", "/", 3600.0),
                CHANNEL,
            ),
            minimum_ring=8,
            maximum_ring=16,
        ),
    ),
    (
        balancing(
            "WeightedRoundRobin",
            weightedRoundRobin={"outOfBand": True, "blackoutPeriod": "0s", "errorPenaltyPercent": 250},
        ),
        "balancing",
        Balancing(
            Algorithm.WEIGHTED_ROUND_ROBIN,
            orca=OrcaWeights(out_of_band=True, blackout_seconds=0.0, error_penalty=2.5),
        ),
    ),
    (
        {"outlierDetection": {}},
        "outlier_detection",
        OutlierDetection(success_rate=Ejection(1.9, 1.0, 5, 100)),
    ),
    (
        {"outlierDetection": {"interval": "1s", "failurePercentage": {"threshold": 50, "minimumHosts": 2}}},
        "outlier_detection",
        OutlierDetection(interval_seconds=1.0, failure_percentage=Ejection(0.5, 1.0, 2, 50)),
    ),
    ({"limits": {"maxRequests": 9}}, "maximum_requests", 9),
    (
        {"safety": {"whenEmpty": "KeepLast", "panicPercent": 30, "minHealthyPercent": 20, "holdTime": "1h"}},
        "safety",
        Safety(WhenEmpty.KEEP_LAST, 0.3, 0.2, 3600.0),
    ),
    ({"safety": {}}, "safety", Safety()),
    ({"healthCheck": {"service": "a.B"}}, "health_check", HealthCheck("a.B")),
    ({"timeout": {"request": "1s500ms"}}, "timeout_seconds", 1.5),
    ({"timeout": {"request": "0s"}}, "timeout_seconds", 0.0),
    (
        {"retry": {"codes": ["Unavailable", "DeadlineExceeded", "Unavailable"], "backoff": {"max": "1s"}}},
        "retry",
        Retry(("deadline-exceeded", "unavailable"), 1, 0.025, 1.0),
    ),
    ({"session": {"cookie": {"name": "sid", "ttl": "10s"}}}, "session", Session("sid", "", 10.0)),
    (
        {"fault": {"delay": {"duration": "10ms", "percent": 5}, "abort": {"code": "NotFound"}}},
        "fault",
        Fault(0.01, 0.05, 5, 1.0),
    ),
]


@pytest.mark.parametrize(("spec", "section", "expected"), SECTION_EXAMPLES)
def test_a_section_of_a_traffic_policy(spec: dict[str, Any], section: str, expected: object) -> None:
    """This section is set and no other, by this object."""
    result = sources(spec)
    assert getattr(result, section) == expected
    assert result.sources == ((section, "TrafficPolicy shop/example"),)
    assert result == Policy.from_object("TrafficPolicy shop/example", **{section: expected})


def test_every_section_has_an_example_and_is_read() -> None:
    """By the manifest with all of them, and by the table above."""
    assert [name for name, _ in sources(FULL).sources] == sorted(SECTIONS)
    assert {section for _, section, _ in SECTION_EXAMPLES} == set(SECTIONS)
    assert sources({}) is NOTHING


def test_session_affinity_is_ring_hash_by_the_channel() -> None:
    """The one field of a Service that is a matter of policy."""
    kubernetes = of_kubernetes(mesh.service(80, session_affinity="ClientIP"))
    assert kubernetes.balancing == Balancing(Algorithm.RING_HASH, hash_on=(CHANNEL,))
    assert kubernetes.sources == (("balancing", "Service shop/backend sessionAffinity"),)
    assert of_kubernetes(mesh.service(80, session_affinity="None")) is NOTHING


def test_a_policy_has_no_more_retries_than_clients_make() -> None:
    """The bound of the schema is that of the model."""
    retry = {"codes": ["Unavailable"], "attempts": MOST_RETRIES}
    assert sources({"retry": retry}).retry == Retry(("unavailable",), MOST_RETRIES)
    with pytest.raises(msgspec.ValidationError):
        sources({"retry": retry | {"attempts": MOST_RETRIES + 1}})
