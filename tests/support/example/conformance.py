"""What the conformance suite of the Gateway API asks of routes, repeated: routes of a Service `echo`, requests, and
the backend of each. `GRPCRouteRule.backendRefs` follows the reference; the suite has no test of it.

The Services `echo-v1`, `echo-v2` and `echo-v3` have one backend each. A path is the method of a gRPC call as well, so
that those of rules have two elements, whatever the suite's have: C-core passes over rules with more.

Source: kubernetes-sigs/gateway-api 4564255 (after v1.6.1), `conformance/tests`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from testbed.manifest import Manifest, backend_ref, grpc_route, headers_of, http_route, method, path, rule

V1, V2, V3 = "echo-v1", "echo-v2", "echo-v3"
NO_MATCH = "no rule"
"""HTTP status 404, or UNIMPLEMENTED of a proxy; UNAVAILABLE of a gRPC client that knows the rules itself."""
NO_BACKEND = "no backend"
"""HTTP status 500; UNAVAILABLE."""


class Case(NamedTuple):
    """A request, by its path or method and its headers, and the backend that has to answer."""

    path: str
    answer: str
    headers: Mapping[str, str] = {}


@dataclass(frozen=True)
class Conformance:
    """A conformance test by its name."""

    name: str
    routes: Sequence[Manifest]
    cases: Sequence[Case]

    def at(self, service: str) -> list[Manifest]:
        """The routes with another Service as parent, and other names."""
        return [_moved(route, service) for route in self.routes]


def _moved(route: Manifest, service: str) -> Manifest:
    spec = route["spec"]
    (ref,) = spec["parentRefs"]
    metadata = {**route["metadata"], "name": f"{service}-{route['metadata']['name']}"}
    return {**route, "metadata": metadata, "spec": {**spec, "parentRefs": [{**ref, "name": service}]}}


_ECHO = "gateway.echo.Echo"
_HEADERS = (
    Case(f"/{_ECHO}/Echo", V1, {"version": "one"}),
    Case(f"/{_ECHO}/Echo", V2, {"version": "two"}),
    Case(f"/{_ECHO}/Echo", V1, {"version": "two", "color": "orange"}),
    Case(f"/{_ECHO}/Echo", V2, {"version": "two", "color": "blue"}),
    Case(f"/{_ECHO}/Echo", NO_MATCH, {"color": "orange"}),
    Case(f"/{_ECHO}/Echo", NO_MATCH, {"some-other-header": "one"}),
    Case(f"/{_ECHO}/Echo", V1, {"color": "blue"}),
    Case(f"/{_ECHO}/Echo", V1, {"color": "green"}),
    Case(f"/{_ECHO}/Echo", V2, {"color": "red"}),
    Case(f"/{_ECHO}/Echo", V2, {"color": "yellow"}),
    Case(f"/{_ECHO}/Echo", NO_MATCH, {"color": "purple"}),
)
_HEADER_RULES = (
    rule(V1, matches=[{"headers": headers_of(version="one")}]),
    rule(V2, matches=[{"headers": headers_of(version="two")}]),
    rule(V1, matches=[{"headers": headers_of(version="two", color="orange")}]),
    rule(V1, matches=[{"headers": headers_of(color=color)} for color in ("blue", "green")]),
    rule(V2, matches=[{"headers": headers_of(color=color)} for color in ("red", "yellow")]),
)
_SPLIT = (
    rule(V1, matches=[path("/", prefix=True), {"headers": headers_of(version="one")}]),
    rule(V2, matches=[path("/v2", prefix=True), {"headers": headers_of(version="two")}]),
)
_SPLIT_CASES = (
    Case("/example/a", V1),
    Case("/example/a", V1, {"version": "one"}),
    Case("/example/a", V2, {"version": "two"}),
    Case("/v2/example", V2),
    Case("/v2/", V2),
    Case("/v2example/a", V1),
    Case("/foo/v2/example", V1),
)

ROUTED = (
    Conformance(
        "MeshTrafficSplit",
        [
            http_route(
                "split", "echo", *(rule(f"echo-{v}", matches=[path(f"/echo/{v}")]) for v in ("v1", "v2"))
            )
        ],
        [Case("/echo/v1", V1), Case("/echo/v2", V2)],
    ),
    Conformance(
        "MeshHTTPRouteSimpleSameNamespace", [http_route("simple", "echo", rule(V1))], [Case("/a/b", V1)]
    ),
    Conformance("MeshHTTPRouteMatching", [http_route("matching", "echo", *_SPLIT)], _SPLIT_CASES),
    Conformance(
        "HTTPRouteMatchingAcrossRoutes",
        [http_route(f"part{number}", "echo", item) for number, item in enumerate(_SPLIT, 1)],
        _SPLIT_CASES,
    ),
    Conformance(
        "MeshHTTPRouteNamedRule",
        [
            http_route(
                "named",
                "echo",
                rule(V1, name="named-rule", matches=[path("/named", prefix=True)]),
                rule(V2, matches=[path("/unnamed", prefix=True)]),
            )
        ],
        [Case("/named/a", V1), Case("/unnamed/a", V2)],
    ),
    Conformance(
        "GRPCExactMethodMatching",
        [
            grpc_route(
                "exact",
                "echo",
                rule(V1, matches=[method(_ECHO, "Echo")]),
                rule(V2, matches=[method(_ECHO, "EchoTwo")]),
            )
        ],
        [
            Case(f"/{_ECHO}/Echo", V1),
            Case(f"/{_ECHO}/EchoTwo", V2),
            Case(f"/{_ECHO}/EchoThree", NO_MATCH),
        ],
    ),
    Conformance(
        "GRPCRouteNamedRule",
        [
            grpc_route(
                "named",
                "echo",
                rule(V1, name="named-rule", matches=[method(_ECHO, "Echo")]),
                rule(V2, matches=[method(_ECHO, "EchoTwo")]),
            )
        ],
        [Case(f"/{_ECHO}/Echo", V1), Case(f"/{_ECHO}/EchoTwo", V2)],
    ),
    Conformance("GRPCRouteHeaderMatching", [grpc_route("headers", "echo", *_HEADER_RULES)], _HEADERS),
    Conformance("HTTPRouteHeaderMatching", [http_route("headers", "echo", *_HEADER_RULES)], _HEADERS),
    Conformance(
        "HTTPRouteExactPathMatching",
        [
            http_route(
                "exact",
                "echo",
                rule(V1, matches=[path("/echo/one")]),
                rule(V2, matches=[path("/echo/two")]),
            )
        ],
        [
            Case("/echo/one", V1),
            Case("/echo/two", V2),
            *(Case(f"/echo/{end}", NO_MATCH) for end in ("", "one/example", "two/", "Two")),
        ],
    ),
    Conformance(
        "HTTPRoutePathMatchOrder",
        [
            http_route(
                "order",
                "echo",
                rule(V3, matches=[path("/", prefix=True)]),
                rule(V1, matches=[path("/match/", prefix=True)]),
                rule(V3, matches=[path("/match.longer", prefix=True)]),
                rule(V2, matches=[path("/match/exact")]),
                rule(V1, matches=[path("/match.longer/exact")]),
            )
        ],
        [
            Case("/match/exact", V2),
            Case("/match/any", V1),
            Case("/match.longer/exact", V1),
            Case("/match.longer/any", V3),
            Case("/any/match", V3),
            Case("/matched/any", V3),
        ],
    ),
)
"""What gRPC clients and Envoys have to do alike."""

_ELSEWHERE = [backend_ref(V1, kind="NonExistent", group="unknownkind.example.com")]
INVALID = (
    Conformance(
        "HTTPRouteInvalidBackendRefUnknownKind",
        [http_route("kind", "echo", rule(*_ELSEWHERE))],
        [Case("/v2/a", NO_BACKEND)],
    ),
    Conformance(
        "HTTPRouteInvalidNonExistentBackendRef",
        [http_route("missing", "echo", rule("nonexistent"))],
        [Case("/a/b", NO_BACKEND)],
    ),
    Conformance(
        "HTTPRouteNoBackendRefs",
        [
            http_route(
                "omitted",
                "echo",
                {"matches": [path("/a/omitted")]},
                rule(matches=[path("/a/empty")]),
                rule(V1),
            )
        ],
        [Case("/a/omitted", NO_BACKEND), Case("/a/empty", NO_BACKEND), Case("/a/forward", V1)],
    ),
    Conformance(
        "GRPCRouteRule.backendRefs",
        [
            grpc_route(
                "broken",
                "echo",
                rule(*_ELSEWHERE, matches=[method("a.Kind")]),
                rule("nonexistent", matches=[method("a.Missing")]),
                rule(matches=[method("a.None")]),
                rule(V1),
            )
        ],
        [
            *(Case(f"/a.{name}/A", NO_BACKEND) for name in ("Kind", "Missing", "None")),
            Case("/a.Other/A", V1),
        ],
    ),
)
"""References that lead nowhere."""
