"""TrafficPolicies that must be validated alike by an API server with the CRD and by steerway's types and rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.manifest import Manifest

SERVICE = {"group": "", "kind": "Service", "name": "backend"}
ROUTE = {"group": "gateway.networking.k8s.io", "kind": "GRPCRoute", "name": "backend"}


def policy(
    spec: Mapping[str, Any], name: str = "example", namespace: str = "shop", kind: str = "TrafficPolicy"
) -> Manifest:
    """The whole manifest. Without `targetRefs` it is about a Service."""
    return {
        "apiVersion": "steerway.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"targetRefs": [SERVICE], **spec},
    }


@dataclass(frozen=True)
class Broken:
    """A spec that breaks one rule, at `path`, and its like that does not."""

    message: str
    bad: Mapping[str, Any]
    good: Mapping[str, Any]
    path: tuple[str | int, ...]


@dataclass(frozen=True)
class Mistyped:
    """A spec that its types alone refuse, at `path`; `reason` are steerway's words."""

    name: str
    spec: Mapping[str, Any]
    path: tuple[str | int, ...] = field(default=())
    reason: str = ""


def _ring(**fields: Any) -> dict[str, Any]:
    return {"balancing": {"policy": "RingHash", "ringHash": fields}}


def _retry(**backoff: Any) -> dict[str, Any]:
    return {"retry": {"codes": ["Unavailable"], "backoff": backoff}}


def _misplaced(section: str, policy: str) -> Broken:
    return Broken(
        f"{section} means something with policy {policy} only",
        {"balancing": {"policy": "Random", section: {}}},
        {"balancing": {"policy": policy, section: {}}},
        ("balancing",),
    )


BROKEN = (
    Broken(
        'group is "" for a Service and gateway.networking.k8s.io for a route',
        {"targetRefs": [SERVICE, {**ROUTE, "group": ""}]},
        {"targetRefs": [SERVICE, ROUTE]},
        ("targetRefs", 1),
    ),
    Broken(
        "zones, subset, balancing, outlierDetection, limits, safety, healthCheck are about endpoints: target a Service "
        "with them, not a route",
        {"targetRefs": [SERVICE, ROUTE], "healthCheck": {}},
        {"targetRefs": [SERVICE, ROUTE], "timeout": {"request": "1s"}},
        (),
    ),
    Broken(
        "give one of header, cookie and channel: true",
        _ring(hashOn=[{"channel": True}, {"header": "x-user", "channel": True}]),
        _ring(hashOn=[{"channel": True}, {"header": "x-user", "channel": False}]),
        ("balancing", "ringHash", "hashOn", 1),
    ),
    Broken(
        "minSize is greater than maxSize",
        _ring(minSize=4097),
        _ring(minSize=4097, maxSize=4097),
        ("balancing", "ringHash"),
    ),
    _misplaced("ringHash", "RingHash"),
    _misplaced("leastRequest", "LeastRequest"),
    _misplaced("weightedRoundRobin", "WeightedRoundRobin"),
    Broken("base must be longer than 0s", _retry(base="0h0ms"), _retry(base="0h1ms"), ("retry", "backoff")),
    Broken(
        "max is shorter than base",
        _retry(base="1s", max="999ms"),
        _retry(base="1s", max="1000ms"),
        ("retry", "backoff"),
    ),
    Broken("give delay or abort", {"fault": {}}, {"fault": {"abort": {"code": "Unavailable"}}}, ("fault",)),
    Broken(
        "interval and baseEjectionTime must be longer than 0s",
        {"outlierDetection": {"interval": "0s"}},
        {"outlierDetection": {"interval": "1ms"}},
        ("outlierDetection",),
    ),
    Broken(
        "maxEjectionTime is shorter than baseEjectionTime",
        {"outlierDetection": {"maxEjectionTime": "29s"}},
        {"outlierDetection": {"maxEjectionTime": "30s"}},
        ("outlierDetection",),
    ),
    Broken(
        "interval and timeout must be longer than 0s",
        {"healthCheck": {"timeout": "0s"}},
        {"healthCheck": {"timeout": "1ms"}},
        ("healthCheck",),
    ),
    Broken(
        "window must be longer than 0s",
        {"balancing": {"policy": "RoundRobin", "slowStart": {"window": "0s"}}},
        {"balancing": {"policy": "RoundRobin", "slowStart": {"window": "1m30s"}}},
        ("balancing", "slowStart"),
    ),
)
"""For each rule what breaks it, and nothing else, and what just does not."""

MISTYPED = (
    Mistyped("no target", {"targetRefs": []}, ("targetRefs",), "the list is empty"),
    Mistyped(
        "too many targets",
        {"targetRefs": [{**SERVICE, "name": f"s{number}"} for number in range(17)]},
        ("targetRefs",),
        "the list has more than 16 items",
    ),
    Mistyped(
        "unknown kind",
        {"targetRefs": [{**ROUTE, "kind": "Gateway"}]},
        ("targetRefs", 0, "kind"),
        "unknown value 'Gateway'",
    ),
    Mistyped(
        "unknown group",
        {"targetRefs": [{**ROUTE, "group": "example.org"}]},
        ("targetRefs", 0, "group"),
        "unknown value 'example.org'",
    ),
    Mistyped(
        "empty name",
        {"targetRefs": [{**SERVICE, "name": ""}]},
        ("targetRefs", 0, "name"),
        "the string is empty",
    ),
    Mistyped(
        "long name",
        {"targetRefs": [{**SERVICE, "name": "a" * 254}]},
        ("targetRefs", 0, "name"),
        "the string has more than 253 characters",
    ),
    Mistyped(
        "no kind",
        {"targetRefs": [{"group": "", "name": "a"}]},
        ("targetRefs", 0),
        "field kind is missing",
    ),
    Mistyped("unknown mode", {"zones": {"mode": "Near"}}, ("zones", "mode"), "unknown value 'Near'"),
    Mistyped(
        "number too small",
        {"zones": {"mode": "Spill", "overloadPercent": 99}},
        ("zones", "overloadPercent"),
        "the number is less than 100",
    ),
    Mistyped(
        "number too great",
        {"subset": {"percent": 101}},
        ("subset", "percent"),
        "the number is greater than 100",
    ),
    Mistyped(
        "number in quotes",
        {"limits": {"maxRequests": "7"}},
        ("limits", "maxRequests"),
        "expected a number, got a string",
    ),
    Mistyped("list for a mapping", {"subset": []}, ("subset",), "expected a mapping, got a list"),
    Mistyped("no duration", {"timeout": {"request": "1d"}}, ("timeout", "request"), "not a duration"),
    Mistyped("a line's end", {"timeout": {"request": "1s\n"}}, ("timeout", "request"), "not a duration"),
    Mistyped(
        "a duration of five parts",
        {"timeout": {"request": "1h1m1s1ms1ms"}},
        ("timeout", "request"),
        "not a duration",
    ),
    Mistyped(
        "no name of a header",
        _ring(hashOn=[{"header": "x user"}]),
        ("balancing", "ringHash", "hashOn", 0, "header"),
        "the string does not match ^",
    ),
    Mistyped(
        "a code that is not retried",
        {"retry": {"codes": ["Unknown"]}},
        ("retry", "codes", 0),
        "unknown value 'Unknown'",
    ),
    Mistyped("no policy", {"balancing": {}}, ("balancing",), "field policy is missing"),
    Mistyped(
        "unknown section",
        {"balacing": {"policy": "Random"}},
        ("balacing",),
        "unknown field 'balacing': did you mean balancing?",
    ),
    Mistyped(
        "unknown field in a list",
        _ring(hashOn=[{"headers": "x-user", "channel": True}]),
        ("balancing", "ringHash", "hashOn", 0, "headers"),
        "unknown field 'headers': did you mean header?",
    ),
)
"""What types refuse: every kind of constraint."""

FULL: Mapping[str, Any] = {
    "zones": {"mode": "Spill", "overloadPercent": 150, "demand": [{"zone": "a", "weight": 3}]},
    "subset": {"min": 3, "percent": 50},
    "balancing": {
        "policy": "RingHash",
        "ringHash": {
            "hashOn": [{"header": "x-user"}, {"cookie": {"name": "sid", "ttl": "1h30m", "path": "/"}}]
        },
    },
    "outlierDetection": {"successRate": {}, "failurePercentage": {"threshold": 50}},
    "limits": {"maxRequests": 100},
    "safety": {"whenEmpty": "KeepLast", "panicPercent": 50, "holdTime": "30s"},
    "healthCheck": {"service": "shop.Backend"},
    "timeout": {"request": "1s500ms"},
    "retry": {"codes": ["Unavailable", "Cancelled"], "attempts": 3, "backoff": {"base": "25ms", "max": "1s"}},
    "session": {"cookie": {"name": "sid"}},
    "fault": {"delay": {"duration": "10ms", "percent": 1}, "abort": {"code": "NotFound", "percent": 2}},
}
"""A spec with every section."""
