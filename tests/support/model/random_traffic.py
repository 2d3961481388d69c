"""Strategies for legal policies and routes, over the few names of `random_mesh`, so that they meet what is there."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from steerway.sources.objects.core import EndpointPort, Object, ServicePort
from steerway.sources.policy.gateway import GRPCRoute, HTTPRoute, ReferenceGrant
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.sources.policy.validation import validation_errors
from testbed.mesh import endpoint, endpoint_slice, service
from tests.support.model.random_mesh import NAMES, NAMESPACES, NUMBERS

_GATEWAY = "gateway.networking.k8s.io"
_namespaces = st.sampled_from(["shop", "shop", "shop", "svc"])
_durations = st.sampled_from(["10ms", "1s", "2s500ms", "1m"])
_percents = st.integers(0, 100)
_names = st.sampled_from(["x", "y", "z"])
_times = st.sampled_from(["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])
_regexes = st.sampled_from(["a|b", "v[0-9]+", ".*", "[^/]+"])


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def given(_optional: dict[str, st.SearchStrategy[Any]], **fields: st.SearchStrategy[Any]) -> Any:
    """A mapping with all of the fields, and some of the others."""
    return st.fixed_dictionaries(fields, optional=_optional)


_zones = given(
    {
        "overloadPercent": st.sampled_from([100, 120, 140, 1000]),
        "demand": st.lists(
            st.builds(
                lambda z, w: {"zone": z, "weight": w}, st.sampled_from(["z1", "z2", "z3"]), st.integers(0, 5)
            ),
            max_size=3,
        ),
        "favorWeight": st.sampled_from([1, 10, 1000]),
    },
    mode=st.sampled_from(["Spill", "Failover", "Strict", "Favor", "Disabled"]),
)
_hash_keys = st.lists(
    st.sampled_from(
        [
            {"header": "x-user"},
            {"header": "X-Shard"},
            {"channel": True},
            {"cookie": {"name": "c", "ttl": "1m"}},
        ]
    ),
    min_size=1,
    max_size=3,
)
_slow = {"slowStart": st.just({"window": "30s"})}
_balancing = st.one_of(
    given(
        _slow,
        policy=st.sampled_from(["RoundRobin", "LeastRequest", "PickFirst", "Random", "WeightedRoundRobin"]),
    ),
    given(
        {
            "ringHash": st.builds(
                lambda keys, sizes: {**keys, **sizes},
                optional(hashOn=_hash_keys),
                st.sampled_from([{}, {"minSize": 1, "maxSize": 64}, {"minSize": 64}]),
            )
        },
        policy=st.just("RingHash"),
    ),
    given(
        {"leastRequest": optional(choices=st.integers(2, 5))},
        policy=st.just("LeastRequest"),
    ),
    given(
        {"weightedRoundRobin": optional(outOfBand=st.booleans(), blackoutPeriod=_durations)},
        policy=st.just("WeightedRoundRobin"),
    ),
)
_outliers = optional(
    interval=st.sampled_from(["1s", "10s"]),
    maxEjectionPercent=_percents,
    successRate=optional(enforcingPercent=_percents, requestVolume=st.integers(0, 200)),
    failurePercentage=optional(threshold=_percents, minimumHosts=st.integers(0, 5)),
)
_retry = given(
    {
        "attempts": st.integers(1, 4),
        "backoff": st.sampled_from([{}, {"base": "1ms"}, {"base": "10ms", "max": "10ms"}]),
    },
    codes=st.lists(
        st.sampled_from(["Cancelled", "DeadlineExceeded", "Internal", "ResourceExhausted", "Unavailable"]),
        min_size=1,
        max_size=3,
        unique=True,
    ),
)
_fault = st.one_of(
    given(
        {}, abort=given({"percent": _percents}, code=st.sampled_from(["Unavailable", "Internal", "NotFound"]))
    ),
    given({}, delay=given({"percent": _percents}, duration=_durations)),
)
_about_calls = {
    "timeout": st.builds(lambda d: {"request": d}, st.just("0s") | _durations),
    "retry": _retry,
    "fault": _fault,
    "session": st.builds(lambda name: {"cookie": {"name": name}}, st.sampled_from(["s", "t"])),
}
_about_endpoints = {
    "zones": _zones,
    "subset": optional(min=st.integers(1, 4), percent=_percents),
    "balancing": _balancing,
    "outlierDetection": _outliers,
    "limits": st.builds(lambda n: {"maxRequests": n}, st.sampled_from([1, 100, 2**31 - 1])),
    "safety": optional(
        whenEmpty=st.sampled_from(["Fail", "UseUnready"]), panicPercent=st.sampled_from([0, 50, 100])
    ),
    "healthCheck": optional(service=st.sampled_from(["", "x"])),
}
"""`KeepLast` and `minHealthyPercent` are not among them: what is kept depends on what was."""


@st.composite
def traffic_policies(draw: st.DrawFn) -> TrafficPolicy:
    """A policy for a Service (or a port of it), or for a route (or a rule)."""
    service = {"group": "", "kind": "Service"}
    kind = draw(st.sampled_from(["Service", "Service", "GRPCRoute", "HTTPRoute"]))
    if kind == "Service":
        target = {**service, "name": draw(st.sampled_from(["a", "a", "svc"]))}
        section = draw(st.sampled_from([None, None, "grpc", "http"]))
        sections = {**_about_calls, **_about_endpoints}
    else:
        target = {"group": _GATEWAY, "kind": kind, "name": draw(_names)}
        section = draw(st.sampled_from([None, None, "first"]))
        sections = _about_calls
    if section:
        target["sectionName"] = section
    spec = {"targetRefs": [target], **draw(optional(**sections))}
    return _checked({"metadata": draw(_metadata()), "spec": spec}, TrafficPolicy)


def _metadata() -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda name, namespace, time: {"name": name, "namespace": namespace, "creationTimestamp": time},
        _names,
        _namespaces,
        _times,
    )


def _checked(value: dict[str, Any], kind: type[Any]) -> Any:
    checked = msgspec.convert(value, kind)
    assert list(validation_errors(checked)) == []
    return checked


_parents = st.lists(
    given(
        {"namespace": _namespaces, "port": st.sampled_from(NUMBERS)},
        group=st.just(""),
        kind=st.just("Service"),
        name=st.sampled_from(["a", "a", "svc"]),
    ),
    min_size=1,
    max_size=2,
)
_headers = st.lists(
    given(
        {}, name=st.sampled_from(["x-user", "X-User", "v"]), value=_regexes, type=st.just("RegularExpression")
    )
    | given({}, name=st.sampled_from(["x-user", "v"]), value=st.sampled_from(["1", "two"])),
    max_size=2,
)
_header_filter = st.sampled_from(
    [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "X-A", "value": "1"}]}},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["x-b"]}},
    ]
)
_backends = st.lists(
    given(
        {
            "namespace": _namespaces,
            "weight": st.sampled_from([0, 1, 30, 70]),
            "filters": st.lists(_header_filter, max_size=1),
        },
        name=st.sampled_from(["a", "svc", "svc", "absent"]),
        port=st.sampled_from([*NUMBERS, *NUMBERS, 1, None]),
    ),
    max_size=3,
)
_mirror = st.builds(
    lambda percent: {
        "type": "RequestMirror",
        "requestMirror": {"backendRef": {"name": "svc", "port": 80}, "percent": percent},
    },
    _percents,
)
_extension = st.just({"type": "ExtensionRef", "extensionRef": {"group": "x", "kind": "Y", "name": "z"}})
_redirect = st.just(
    {"type": "RequestRedirect", "requestRedirect": {"hostname": "example.org", "statusCode": 301}}
)
_rewrite = st.just(
    {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/b"}}}
)
_session = given({"sessionName": st.just("sticky")}, type=st.sampled_from(["Cookie", "Header"]))


@st.composite
def grpc_routes(draw: st.DrawFn) -> GRPCRoute:
    """Rules by method and headers."""
    method = given(
        {"service": st.sampled_from(["p.A", "p.B"]), "method": st.sampled_from(["M", "N"])},
        type=st.just("Exact"),
    ) | given({"service": _regexes, "method": _regexes}, type=st.just("RegularExpression"))
    rule = optional(
        name=st.sampled_from(["first", "second"]),
        matches=st.lists(optional(method=method, headers=_headers), max_size=2),
        filters=st.lists(_header_filter | _mirror | _extension, max_size=1),
        backendRefs=_backends,
        sessionPersistence=_session,
    )
    spec = {"parentRefs": draw(_parents), "rules": draw(st.lists(rule, max_size=3))}
    return _checked({"metadata": draw(_metadata()), "spec": spec}, GRPCRoute)


@st.composite
def http_routes(draw: st.DrawFn) -> HTTPRoute:
    """Rules by path, method, headers and query parameters, with all that a rule may have."""
    path = given(
        {},
        type=st.sampled_from(["Exact", "PathPrefix"]),
        value=st.sampled_from(["/", "/a", "/a/b", "/p.A/M"]),
    ) | given({}, type=st.just("RegularExpression"), value=st.sampled_from(["/a.*", "/[a-z]+/x"]))
    match = optional(
        path=path,
        headers=_headers,
        method=st.sampled_from(["GET", "POST"]),
        queryParams=st.just([{"name": "q", "value": "1"}]),
    )
    rule = optional(
        name=st.sampled_from(["first", "second"]),
        matches=st.lists(match, max_size=2),
        filters=st.lists(_header_filter | _mirror | _redirect | _rewrite, max_size=2),
        backendRefs=_backends,
        timeouts=optional(request=_durations | st.just("0s")),
        retry=optional(
            codes=st.lists(st.sampled_from([429, 500, 503, 504]), max_size=2), attempts=st.integers(0, 6)
        ),
        sessionPersistence=_session,
    )
    spec = {"parentRefs": draw(_parents), "rules": draw(st.lists(rule, max_size=3))}
    return _checked({"metadata": draw(_metadata()), "spec": spec}, HTTPRoute)


@st.composite
def reference_grants(draw: st.DrawFn) -> ReferenceGrant:
    """From routes of some namespace to Services of another."""
    to = draw(given({"name": st.sampled_from(NAMES)}, group=st.just(""), kind=st.just("Service")))
    origin = {"group": _GATEWAY, "kind": "GRPCRoute", "namespace": draw(st.sampled_from([*NAMESPACES, "x"]))}
    return _checked({"metadata": draw(_metadata()), "spec": {"from": [origin], "to": [to]}}, ReferenceGrant)


def attached() -> st.SearchStrategy[Object]:
    """Anything that is attached to something."""
    return traffic_policies() | traffic_policies() | grpc_routes() | http_routes() | reference_grants()


def routed_meshes() -> st.SearchStrategy[list[Object]]:
    """Two Services with pods in two zones, and a few things attached to them."""
    return st.builds(lambda result: [*SERVED, *result], st.lists(attached(), min_size=2, max_size=6))


_PODS = [endpoint(f"127.0.0.{number + 1}", f"z{number % 2 + 1}", ready=number < 9) for number in range(1, 10)]
_PORTS = {80: "http", 50051: "grpc"}
SERVED: list[Object] = [
    item
    for name in NAMES
    for item in (
        service(*(ServicePort(number, port) for number, port in _PORTS.items()), name=name),
        endpoint_slice(
            *_PODS,
            ports=[EndpointPort(port, number) for number, port in _PORTS.items()],
            name=f"{name}-s1",
            service=name,
        ),
    )
]
