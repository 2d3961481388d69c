"""The Gateway API's conformance tests for meshes, repeated for gRPC clients: see docs/conformance.md.

Each test names those that it stands for. Where the suite sees by a header of the answer that a route counts, which a
proxyless client cannot add, the route sends calls elsewhere here.
"""

import math
from collections import Counter

import grpc
import pytest

from testbed.backend.backend import Backends
from testbed.manifest import (
    PORT,
    Files,
    Manifest,
    backend_ref,
    grpc_route,
    headers_of,
    http_route,
    parent,
    path,
    rule,
    service,
)
from testbed.process.deadline import until
from tests.real.conftest import Connect, Steer
from tests.support.example.conformance import INVALID, NO_BACKEND, NO_MATCH, ROUTED, V1, V2, V3, Case
from tests.support.example.echo import Echo, asked, targets
from tests.support.example.echo import echo as echo

_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
_FAILS = _UNAVAILABLE.name


def test_mesh_basic(echo: Echo, steer: Steer, connect: Connect) -> None:
    """`MeshBasic`: without any route a Service is reached, at the endpoints that it has."""
    channel = connect(steer()).dial("xds:///echo")
    until(lambda: targets(channel, echo) == {V1, V2}, "answers of both")  # one may be connected earlier


def test_calls_go_where_the_conformance_tests_expect(
    echo: Echo, files: Files, steer: Steer, connect: Connect
) -> None:
    """All that `conformance.py` names, each with a Service of its own as parent. For a gRPC client what
    matches no rule, or has no backend, fails at once."""
    asked_of = {f"parent-{number}": item for number, item in enumerate((*ROUTED, *INVALID))}
    for name, value in asked_of.items():
        files.write(f"{name}.yaml", service(name, {"grpc": PORT}), *value.at(name))
    client = connect(steer())
    result, wanted = {}, {}
    for name, value in asked_of.items():
        channel = client.dial(f"xds:///{name}")
        result[value.name] = [(case, asked(channel, case, echo)) for case in value.cases]
        wanted[value.name] = [(case, _answer(case)) for case in value.cases]
    assert result == wanted
    assert len(result) == len(ROUTED) + len(INVALID)


def _answer(case: Case) -> str:
    return _FAILS if case.answer in (NO_MATCH, NO_BACKEND) else case.answer


def _weighted(*backends: Manifest) -> list[Manifest]:
    """The same weights by a route of each kind."""
    return [
        grpc_route("weighted", parent("echo", port=PORT), rule(*backends)),
        http_route("weighted", parent("echo", port=PORT), rule(*backends)),
    ]


_WEIGHTS = _weighted(backend_ref(V1, 70), backend_ref(V2, 30), backend_ref(V3, 0))


@pytest.mark.parametrize(
    "route", _WEIGHTS, ids=["MeshGRPCRouteWeight GRPCRouteWeight", "MeshHTTPRouteWeight"]
)
def test_calls_are_shared_by_weight(
    route: Manifest, echo: Echo, files: Files, steer: Steer, connect: Connect
) -> None:
    """1,000 calls at 70 to 30 to 0: 700 ± 73, which is five standard deviations, one run in 1.7 million."""
    files.write("route.yaml", route)
    channel = connect(steer()).dial("xds:///echo")
    counts = Counter(echo[answer.backend] for answer in channel.call(1000))
    assert set(counts) == {V1, V2}
    assert abs(counts[V1] - 700) <= 5 * math.sqrt(1000 * 0.7 * 0.3), counts


BROKEN = {
    "backend-not-found": backend_ref("nonexistent"),
    "invalid-kind": backend_ref(V2, kind="NonExistent", group="example.com"),
    "port-not-found": backend_ref(V2, port=1),
}


def test_the_share_of_an_invalid_backend_fails(
    echo: Echo, files: Files, steer: Steer, connect: Connect
) -> None:
    """GRPCRouteRule.backendRefs: with two of equal weight "50 percent of traffic MUST receive an `UNAVAILABLE` status".
    Of 400 calls 200 ± 50, five standard deviations."""
    for name, broken in BROKEN.items():
        route = grpc_route(name, parent(name, port=PORT), rule(V1, broken))
        files.write(f"{name}.yaml", service(name, {"grpc": PORT}), route)
    client = connect(steer())
    for name in BROKEN:
        answers = client.dial(f"xds:///{name}").call(400, deadline_seconds=10)
        assert {answer.code for answer in answers} == {grpc.StatusCode.OK, _UNAVAILABLE}, name
        assert {echo[answer.backend] for answer in answers if answer.ok} == {V1}, name
        assert abs(sum(answer.ok for answer in answers) - 200) <= 50, name


def test_http_route_timeout_request(
    backends: Backends, echo: Echo, files: Files, steer: Steer, connect: Connect
) -> None:
    """`HTTPRouteTimeoutRequest`: a blocked call ends with the route's time; one of 0 leaves the client's own.

    C-core begins to count one to two seconds before the call (`InitTime` of its time.cc), so that a limit of less than
    a second would fail every call.
    """
    files.write(
        "route.yaml",
        http_route(
            "timeout",
            "echo",
            rule(V1, matches=[path("/limited", prefix=True)], timeouts={"request": "3s"}),
            rule(V1, matches=[path("/unlimited", prefix=True)], timeouts={"request": "0s"}),
        ),
    )
    channel = connect(steer()).dial("xds:///echo")
    blocked = next(address for address, name in echo.items() if name == V1)
    for called in ("/unlimited/a", "/limited/a"):
        channel.wait_for_backend(blocked, method=called)
    backends.block(blocked)
    before = len(channel.answers)
    channel.begin(method="/unlimited/a")
    assert asked(channel, Case("/limited/a", ""), echo) == grpc.StatusCode.DEADLINE_EXCEEDED.name
    assert len(channel.answers) == before + 1
    backends.release(blocked)
    assert channel.wait_for_answers(before + 2)[-1].ok


_SET = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-set", "value": "1"}]}}


def test_mesh_grpc_route_request_header_modifier(
    backends: Backends, echo: Echo, files: Files, steer: Steer, connect: Connect
) -> None:
    """`MeshGRPCRouteRequestHeaderModifier` cannot be passed: rules choose the backend, and headers stay as they are."""
    matches = [[{"headers": headers_of(x_test_case=case)}] for case in ("set", "multi")]
    rules = [rule(name, matches=match, filters=[_SET]) for name, match in zip((V1, V2), matches, strict=True)]
    files.write("route.yaml", grpc_route("headers", "echo", *rules))
    channel = connect(steer()).dial("xds:///echo")
    for case, name in (("set", V1), ("multi", V2)):
        assert asked(channel, Case("/a.B/C", name, {"x-test-case": case}), echo) == name
    for address in echo:
        assert all("x-set" not in call.metadata for call in backends.calls(address))


_REDIRECTS = {
    "MeshHTTPRouteRedirectHostAndStatus": {"hostname": "example.org", "statusCode": 301},
    "MeshHTTPRouteRedirectPath": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/a/b"}},
    "MeshHTTPRouteRedirectPort": {"port": 8083},
    "MeshHTTPRouteSchemeRedirect": {"scheme": "https"},
    "MeshHTTPRoute303Redirect": {"statusCode": 303},
    "MeshHTTPRoute307Redirect": {"statusCode": 307},
    "MeshHTTPRoute308Redirect": {"statusCode": 308},
}


def test_redirects_fail_and_query_parameters_never_match(
    echo: Echo, files: Files, steer: Steer, connect: Connect
) -> None:
    """`MeshHTTPRouteRedirect…`, `MeshHTTPRoute303Redirect` and so on, `MeshHTTPRouteQueryParamMatching` and
    `HTTPRouteMethodMatching`: what a call cannot do takes nothing from other rules."""
    redirects = [
        rule(
            matches=[path(f"/{name}", prefix=True)],
            filters=[{"type": "RequestRedirect", "requestRedirect": redirect}],
        )
        for name, redirect in _REDIRECTS.items()
    ]
    query = rule(V2, matches=[path("/", prefix=True, queryParams=[{"name": "animal", "value": "whale"}])])
    verbs = [rule(V3, matches=[path("/", prefix=True, method="GET")])]
    verbs += [rule(V1, matches=[path("/", prefix=True, method="POST")])]
    files.write("route.yaml", http_route("http", "echo", *redirects[:5], query, *verbs))
    files.write("more.yaml", http_route("more", "echo", *redirects[5:]))
    channel = connect(steer()).dial("xds:///echo")
    assert {asked(channel, Case(f"/{name}/a", ""), echo) for name in _REDIRECTS} == {_FAILS}
    assert asked(channel, Case("/animal/whale", ""), echo) == V1
