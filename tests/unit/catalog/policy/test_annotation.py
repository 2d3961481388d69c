"""Annotations of a Service as sections of a policy, and the problems of invalid ones."""

from collections.abc import Mapping

import pytest

from steerway.catalog.model.mesh import Problem
from steerway.catalog.model.policy import (
    CHANNEL,
    NOTHING,
    Algorithm,
    Balancing,
    HashKey,
    HashSource,
    Policy,
    Retry,
    Subset,
    ZoneMode,
    Zones,
)
from steerway.catalog.policy.annotation import is_annotation, of_annotations, of_namespace
from steerway.catalog.policy.wongnai import go_seconds
from steerway.sources.objects.core import Namespace, ObjectMeta, Service, ServiceMeta
from testbed import mesh


def annotated(annotations: Mapping[str, str]) -> tuple[Policy, list[Problem]]:
    """The sections of a Service with these annotations (`balancing` for `steerway.io/balancing`), and the problems."""
    named = {name if "/" in name else f"steerway.io/{name}": value for name, value in annotations.items()}
    fact = Service(ServiceMeta("backend", "shop", annotations=named), mesh.service(80).spec)
    problems: list[Problem] = []
    return of_annotations(fact, problems), problems


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
    ({"retry": "internal", "retry-attempts": "0"}, "retry", Retry((), 0)),
    (
        {
            "xds.lmwn.com/retry-status": "internal,",
            "xds.lmwn.com/retry-count": "0",
            "xds.lmwn.com/retry-backoff": "1s",
        },
        "retry",
        Retry((), 0),
    ),
    (
        {"xds.lmwn.com/retry-status": "internal", "xds.lmwn.com/retry-backoff": "1.5s,1m0.5s"},
        "retry",
        Retry(("internal",), 1, 1.5, 60.5),
    ),
    (
        {"xds.lmwn.com/retry-status": "internal", "xds.lmwn.com/retry-backoff": "100us,.5ms"},
        "retry",
        Retry(("internal",), 1, 0.001, 0.001),
    ),
    ({"timeout": "1m30s"}, "timeout_seconds", 90.0),
]


@pytest.mark.parametrize(("annotations", "section", "expected"), ANNOTATION_EXAMPLES)
def test_an_annotation_is_read(annotations: dict[str, str], section: str, expected: object) -> None:
    """In the manner of annotations: spaces and case do not matter."""
    result, problems = annotated(annotations)
    assert problems == []
    assert result == Policy.from_object("Service shop/backend annotations", **{section: expected})


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
    result, (problem,) = annotated({name: value})
    assert result is NOTHING
    assert problem.where == "Service shop/backend"
    assert problem.reason.startswith(f"annotation steerway.io/{name}: {value!r} is not {wanted}")
    assert problem.hint.startswith(f"write {wanted}")


def test_what_stands_beside_a_bad_annotation_counts() -> None:
    """One invalid word does not affect the others, and each is reported."""
    result, problems = annotated(
        {"subset-min": "3", "subset-percent": "x", "retry": "internal", "retry-attempts": "9", "zones": "?"}
    )
    assert (result.subset, result.retry, result.zones) == (Subset(3, 0.33), Retry(("internal",)), None)
    named = {problem.reason.split(":")[0].removeprefix("annotation steerway.io/") for problem in problems}
    assert named == {"subset-percent", "retry-attempts", "zones"}


@pytest.mark.parametrize(
    ("annotations", "expected", "reasons"),
    [
        (
            {"status": "unavailable", "count": "5"},
            Retry(("unavailable",), 4),
            ["annotation xds.lmwn.com/retry-count: '5' is more than clients do; 4 is used"],
        ),
        (
            {"status": "5xx, unavailable,unknown", "count": "007"},
            Retry(("unavailable",), 4),
            [
                "annotation xds.lmwn.com/retry-status: '5xx' is not one of cancelled, deadline-exceeded, internal,"
                " resource-exhausted, unavailable; it is ignored",
                "annotation xds.lmwn.com/retry-status: 'unknown' is not one of cancelled, deadline-exceeded, internal,"
                " resource-exhausted, unavailable; it is ignored",
                "annotation xds.lmwn.com/retry-count: '007' is more than clients do; 4 is used",
            ],
        ),
        (
            {"status": "unavailable", "count": "many"},
            Retry(("unavailable",)),
            ["annotation xds.lmwn.com/retry-count: 'many' is not a whole number from 0 to 4; it is ignored"],
        ),
        (
            {"status": "unavailable", "count": "-1"},
            Retry(("unavailable",)),
            ["annotation xds.lmwn.com/retry-count: '-1' is not a whole number from 0 to 4; it is ignored"],
        ),
    ],
)
def test_a_part_that_clients_of_wongnai_ignore_is_ignored_alone(
    annotations: dict[str, str], expected: Retry, reasons: list[str]
) -> None:
    """And reported, with what to write; the other parts count."""
    result, problems = annotated({f"xds.lmwn.com/retry-{name}": value for name, value in annotations.items()})
    assert result.retry == expected
    assert [problem.reason for problem in problems] == reasons
    assert all(problem.hint.startswith("write ") for problem in problems)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("25ms", 0.025),
        ("1.5s", 1.5),
        ("1.s", 1.0),
        (".5s", 0.5),
        ("+1h2m3s", 3723.0),
        ("250µs", 0.00025),
        ("3000000h", None),
        ("0", 0.0),
        ("", None),
        ("5", None),
        ("1 s", None),
        ("1d", None),
        ("-1s", None),
        (".s", None),
        ("1sx", None),
        ("1" * 400 + "ns", None),
    ],
)
def test_durations_are_read_as_go_reads_them(text: str, seconds: float | None) -> None:
    """Units from nanoseconds to hours, with fractions; a limit of 64 bits of nanoseconds."""
    result = go_seconds(text)
    assert result is None if seconds is None else result == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["0s", "1s,10ms", "soon", "1s,soon"])
def test_a_backoff_must_have_its_shorter_part_first(value: str) -> None:
    """Otherwise the retries have the usual one."""
    result, problems = annotated({"retry": "internal", "retry-backoff": value})
    assert result.retry == Retry(("internal",), base_seconds=0.025)
    assert len(problems) == 1


def test_a_problem_names_the_annotation_as_it_is_written() -> None:
    """Also one of wongnai/xds, which stands for another name."""
    _, (problem,) = annotated({"xds.lmwn.com/retry-status": "unknown"})
    assert problem.reason.startswith("annotation xds.lmwn.com/retry-status: 'unknown' is not")


def test_a_virtual_api_gateway_of_wongnai_is_reported_with_the_route_to_write() -> None:
    """Not as an error: the Service itself is served. One annotation without the other means nothing there either."""
    gateway = {"xds.lmwn.com/api-gateway": "gw1, gw2"}
    result, (problem,) = annotated({**gateway, "xds.lmwn.com/grpc-service": "shop.Cart,shop.Order"})
    assert (result, problem.partial) == (NOTHING, True)
    assert problem.reason == (
        "annotation xds.lmwn.com/api-gateway: gw1, gw2: a virtual API gateway is not supported"
    )
    assert problem.hint == (
        "write a Service gw1 without selector, and a GRPCRoute with it as parent whose rules match method.service"
        " shop.Cart or shop.Order and have this Service as backend; then remove the annotation"
    )
    for alone in (
        gateway,
        {"xds.lmwn.com/grpc-service": "shop.Cart"},
        {**gateway, "xds.lmwn.com/grpc-service": ""},
    ):
        assert annotated(alone) == (NOTHING, [])


def test_other_annotations_are_left_alone() -> None:
    """Those of others, and those of ours that are read elsewhere."""
    result, problems = annotated({"example.org/balancing": "Random", "private": "true"})
    assert (result, problems) == (NOTHING, [])
    assert is_annotation("steerway.io/zones")
    assert is_annotation("xds.lmwn.com/retry-count")
    assert not is_annotation("example.org/balancing")


def test_a_misspelt_annotation_is_reported_with_a_similar_one() -> None:
    """Else a policy that has no effect looks like one."""
    problems: list[Problem] = []
    metadata = ServiceMeta("backend", "shop", annotations={"steerway.io/retries": "internal"})
    sources = of_annotations(Service(metadata), problems)
    (problem,) = problems
    assert sources == NOTHING
    assert "steerway.io/retries is none that steerway knows" in problem.reason
    assert "retry" in problem.reason
    assert "steerway.io/retry-attempts" in problem.hint


def test_what_is_wrong_with_a_namespace_is_reported_on_the_namespace() -> None:
    """All of it, once, however many Services it has; what those inherit is as if it were not there."""
    annotations = {
        "steerway.io/enbled": "false",
        "steerway.io/zones": "spill",
        "steerway.io/export-to": "pay, Pay!",
        "steerway.io/private": "true",
        "example.org/x": "y",
    }
    namespace = Namespace(ObjectMeta("shop", annotations=annotations))
    reasons = [problem.reason for problem in of_namespace(namespace)]
    assert reasons == [
        "steerway.io/export-to names 'Pay!', which no namespace is called",
        "annotation steerway.io/enbled is none that steerway knows, and is ignored: did you mean enabled?",
        "annotation steerway.io/zones is read on Services only, and is ignored",
    ]
    result = mesh.Mesh(namespace, mesh.service(80), mesh.service(80, name="other"))
    assert [(problem.where, problem.reason) for problem in result.catalog.problems()] == [
        ("Namespace shop", reason) for reason in reasons
    ]
    assert all(problem.about == namespace.key and problem.hint for problem in result.catalog.problems())
    assert [item.exported_to for item in result.catalog] == [frozenset({"pay"})] * 2
    result.update(Namespace(ObjectMeta("shop")))
    assert result.catalog.problems() == []


def test_a_service_that_cannot_be_served_has_all_its_problems() -> None:
    """Also those of its annotations."""
    metadata = ServiceMeta(
        "backend", "shop", annotations={"steerway.io/zones": "near", "steerway.io/tmeout": "1s"}
    )
    problems = mesh.Mesh(Service(metadata)).catalog.problems()
    assert [problem.where for problem in problems] == ["Service shop/backend"] * 3
    assert {problem.reason.partition(" is ")[0] for problem in problems} >= {
        "annotation steerway.io/zones: 'near'",
        "annotation steerway.io/tmeout",
    }
