"""What TrafficPolicies, annotations and Kubernetes' own fields say, in the mesh's words."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from tests.support import mesh
from tests.support.policy_example import FULL
from tests.support.policy_example import policy as manifest

from steerway.catalog.model import Problem
from steerway.catalog.policy import (
    CHANNEL,
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
from steerway.catalog.traffic import is_annotation, of_annotations, of_kubernetes, of_object
from steerway.sources.objects import ObjectMeta, Service
from steerway.sources.traffic_policy import TrafficPolicy


def said(spec: Mapping[str, Any]) -> Policy:
    return of_object(msgspec.convert(manifest(spec), TrafficPolicy))


def annotated(annotations: Mapping[str, str]) -> tuple[Policy, list[Problem]]:
    """What a Service with these annotations says (`balancing` for `steerway.io/balancing`), and the problems."""
    named = {name if "/" in name else f"steerway.io/{name}": value for name, value in annotations.items()}
    fact = Service(ObjectMeta("backend", "shop", annotations=named), mesh.service(80).spec)
    problems: list[Problem] = []
    return of_annotations(fact, problems), problems


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
    """This section is said and no other, by this object."""
    found = said(spec)
    assert getattr(found, section) == expected
    assert found.said == ((section, "TrafficPolicy shop/example"),)
    assert found == Policy.by("TrafficPolicy shop/example", **{section: expected})


def test_every_section_has_an_example_and_is_read() -> None:
    """By the manifest with all of them, and by the table above."""
    assert [name for name, _ in said(FULL).said] == sorted(SECTIONS)
    assert {section for _, section, _ in SECTION_EXAMPLES} == set(SECTIONS)
    assert said({}) is NOTHING


ANNOTATION_EXAMPLES: list[tuple[dict[str, str], str, object]] = [
    ({"zones": "spill"}, "zones", Zones(ZoneMode.SPILL)),
    ({"zones": " Failover "}, "zones", Zones(ZoneMode.FAILOVER)),
    ({"subset-min": "3"}, "subset", Subset(3, 0.33)),
    ({"subset-percent": "50"}, "subset", Subset(5, 0.5)),
    ({"subset-min": "3", "subset-percent": "0"}, "subset", Subset(3, 0.0)),
    ({"balancing": "LeastRequest"}, "balancing", Balancing(Algorithm.LEAST_REQUEST)),
    ({"balancing": "least_request"}, "balancing", Balancing(Algorithm.LEAST_REQUEST)),
    ({"balancing": "ring-hash"}, "balancing", Balancing(Algorithm.RING_HASH, hash_on=(CHANNEL,))),
    (
        {"hash-header": "X-User"},
        "balancing",
        Balancing(Algorithm.RING_HASH, hash_on=(HashKey(HashSource.HEADER, "x-user"),)),
    ),
    ({"max-requests": "2147483647"}, "maximum_requests", 2**31 - 1),
    ({"retry": "unavailable"}, "retry", Retry(("unavailable",))),
    (
        {"retry": "Unavailable, cancelled", "retry-attempts": "4", "retry-backoff": "10ms, 1s"},
        "retry",
        Retry(("cancelled", "unavailable"), 4, 0.01, 1.0),
    ),
    (
        {
            "xds.lmwn.com/retry-status": "internal",
            "xds.lmwn.com/retry-count": "2",
            "xds.lmwn.com/retry-backoff": "25ms",
        },
        "retry",
        Retry(("internal",), 2, 0.025),
    ),
    (
        {"retry": "internal", "xds.lmwn.com/retry-status": "unavailable"},
        "retry",
        Retry(("internal",)),
    ),
    ({"timeout": "1m30s"}, "timeout_seconds", 90.0),
]


@pytest.mark.parametrize(("annotations", "section", "expected"), ANNOTATION_EXAMPLES)
def test_an_annotation_is_read(annotations: dict[str, str], section: str, expected: object) -> None:
    """In the manner of annotations: spaces and case do not matter."""
    found, problems = annotated(annotations)
    assert problems == []
    assert found == Policy.by("Service shop/backend annotations", **{section: expected})


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("zones", "near", "one of spill, failover"),
        ("subset-min", "0", "a whole number from 1 to 100000"),
        ("subset-min", "-1", "a whole number"),
        ("subset-percent", "101", "a whole number from 0 to 100"),
        ("subset-percent", "33%", "a whole number"),
        ("balancing", "fastest", "one of RoundRobin"),
        ("hash-header", "x user", "the name of a header"),
        ("max-requests", "0", "a whole number"),
        ("max-requests", "2147483648", "a whole number from 1 to 2147483647"),
        ("max-requests", "٣", "a whole number"),
        ("retry", "not-found", "a list of cancelled"),
        ("retry", "", "a list of"),
        ("timeout", "1", "a duration"),
        ("timeout", "1d", "a duration"),
    ],
)
def test_an_annotation_that_means_nothing_is_a_problem(name: str, value: str, wanted: str) -> None:
    """And as if it were not there."""
    found, (problem,) = annotated({name: value})
    assert found is NOTHING
    assert problem.where == "Service shop/backend"
    assert problem.reason.startswith(f"annotation steerway.io/{name}: {value!r} is not {wanted}")
    assert problem.cure.startswith(f"write {wanted}")


def test_what_stands_beside_a_bad_annotation_counts() -> None:
    """One bad word is not the end of the others, and each bad one is told."""
    found, problems = annotated(
        {"subset-min": "3", "subset-percent": "x", "retry": "internal", "retry-attempts": "9", "zones": "?"}
    )
    assert (found.subset, found.retry, found.zones) == (Subset(3, 0.33), Retry(("internal",)), None)
    named = {problem.reason.split(":")[0].removeprefix("annotation steerway.io/") for problem in problems}
    assert named == {"subset-percent", "retry-attempts", "zones"}


@pytest.mark.parametrize("value", ["0s", "1s,10ms", "soon", "1s,soon"])
def test_a_backoff_must_have_its_shorter_part_first(value: str) -> None:
    """Otherwise the retries have the usual one."""
    found, problems = annotated({"retry": "internal", "retry-backoff": value})
    assert found.retry == Retry(("internal",), base_seconds=0.025)
    assert len(problems) == 1


def test_a_problem_names_the_annotation_as_it_is_written() -> None:
    """Also one of wongnai/xds, which stands for another name."""
    _, (problem,) = annotated({"xds.lmwn.com/retry-status": "unknown"})
    assert problem.reason.startswith("annotation xds.lmwn.com/retry-status: 'unknown' is not")


def test_other_annotations_are_left_alone() -> None:
    """Those of others, and those of ours that are read elsewhere."""
    found, problems = annotated({"example.org/balancing": "Random", "private": "true"})
    assert (found, problems) == (NOTHING, [])
    assert is_annotation("steerway.io/zones")
    assert is_annotation("xds.lmwn.com/retry-count")
    assert not is_annotation("example.org/balancing")


def test_session_affinity_is_ring_hash_by_the_channel() -> None:
    """The one field of a Service that is a matter of policy."""
    found = of_kubernetes(mesh.service(80, session_affinity="ClientIP"))
    assert found.balancing == Balancing(Algorithm.RING_HASH, hash_on=(CHANNEL,))
    assert found.said == (("balancing", "Service shop/backend sessionAffinity"),)
    assert of_kubernetes(mesh.service(80, session_affinity="None")) is NOTHING
