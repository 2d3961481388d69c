"""The Gateway API's conformance tests for meshes, repeated for Envoy as a sidecar: see docs/conformance.md.

All of a test's routes are there at once, each with a Service of its own as parent, since to start an Envoy takes long.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import grpc
import httpx
import pytest

from testbed.backend.http_backend import http_backend
from testbed.envoy.envoy_mesh import EnvoyMesh, eventually
from testbed.envoy.envoy_mesh import mesh as mesh
from testbed.manifest import (
    PORT,
    Manifest,
    backend_ref,
    grpc_route,
    headers_of,
    http_route,
    method,
    path,
    rule,
    service,
    slices,
)
from tests.support.example.conformance import (
    INVALID,
    NO_BACKEND,
    NO_MATCH,
    ROUTED,
    V1,
    V2,
    V3,
    Case,
    Conformance,
)
from tests.support.example.conformance_http import (
    MATCHED,
    MODIFIED,
    REDIRECTED,
    REWRITTEN,
    Changed,
    changing,
    modifier,
)

pytestmark = pytest.mark.needs("envoy")

_STATUS = {NO_MATCH: "404", NO_BACKEND: "500"}


@pytest.fixture
def http(mesh: EnvoyMesh) -> Iterator[EnvoyMesh]:
    """A mesh with the Services of the suite, of HTTP/1.1, each with one backend of its name."""
    with ExitStack() as opened:
        for name in (V1, V2, V3):
            publish(mesh, name, opened.enter_context(http_backend(name)).address)
        yield mesh


def publish(mesh: EnvoyMesh, name: str, *addresses: str) -> None:
    """A Service of HTTP with the port number that rules name."""
    mesh.files.write(f"{name}.yaml", service(name, {"http": PORT}), *slices(name, addresses, "http"))


def parents(mesh: EnvoyMesh, routes: Mapping[str, list[Manifest]], port: int = PORT) -> None:
    """Services without endpoints, with routes of their own, and an Envoy that knows them."""
    for name, own in routes.items():
        mesh.files.write(f"{name}.yaml", service(name, {"http": port}), *own)
    mesh.files.write("last.yaml", service("last", {"http": PORT}), http_route("last", "last", rule(V1)))
    mesh.start()
    eventually(lambda: get(mesh, "last", "/").status_code, lambda status: status == 200, "the routes")


def get(mesh: EnvoyMesh, name: str, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """The answer to a GET for a Service."""
    return mesh.http(f"{name}.shop:{PORT}").get(path, headers=headers or {})


def answer(response: httpx.Response) -> str:
    """The backend that answered, or the status."""
    return response.headers.get("x-backend", str(response.status_code))


def _http_alone(conformance: Conformance) -> bool:
    return all(route["kind"] == "HTTPRoute" for route in conformance.routes)


def test_requests_go_where_the_conformance_tests_expect(http: EnvoyMesh) -> None:
    """Each test of HTTPRoutes that `conformance.py` and `conformance_http.py` name; 404 where no rule matches,
    500 where there is no backend."""
    tests = [item for item in (*ROUTED, *INVALID, *MATCHED) if _http_alone(item)]
    names = {f"parent-{number}": test for number, test in enumerate(tests)}
    parents(http, {name: value.at(name) for name, value in names.items()})
    result, wanted = {}, {}
    for name, entry in names.items():
        result[entry.name] = [
            (case, answer(get(http, name, case.path, case.headers))) for case in entry.cases
        ]
        wanted[entry.name] = [(case, _STATUS.get(case.answer, case.answer)) for case in entry.cases]
    assert result == wanted
    assert len(result) == len(tests) > len(MATCHED)


def test_methods_choose_backends(http: EnvoyMesh) -> None:
    """`HTTPRouteMethodMatching`: a method alone, and before headers where the paths are alike."""
    rules = [rule(V1, matches=[{"method": "POST"}]), rule(V2, matches=[{"method": "GET"}])]
    rules.append(rule(V3, matches=[{"headers": headers_of(version="one")}]))
    rules.append(rule(V3, matches=[path("/v3", prefix=True, method="GET")]))
    parents(http, {"parent": [http_route("methods", "parent", *rules)]})
    client = http.http(f"parent.shop:{PORT}")
    assert answer(client.post("/")) == V1
    assert answer(client.get("/", headers={"version": "one"})) == V2
    assert answer(client.get("/v3")) == V3
    assert client.head("/").status_code == 404


def test_redirects_name_the_location(http: EnvoyMesh) -> None:
    """`MeshHTTPRouteRedirectHostAndStatus`, `…Path`, `…Port`, `MeshHTTPRouteSchemeRedirect` and those by status."""
    names = {f"parent-{number}": item for number, item in enumerate(REDIRECTED)}
    routes = {
        name: [
            http_route(
                name,
                name,
                rule(
                    matches=[path(value.prefix, prefix=True)],
                    filters=[{"type": "RequestRedirect", "requestRedirect": dict(value.filter)}],
                ),
            )
        ]
        for name, value in names.items()
    }
    parents(http, routes, port=80)
    for name, entry in names.items():
        response = http.http(f"{name}.shop").get(entry.asked)
        location = response.headers.get("location")
        assert (response.status_code, location) == (
            entry.status,
            entry.location.format(host=f"{name}.shop"),
        ), entry


@pytest.mark.parametrize(
    ("cases", "of_backend"),
    [(MODIFIED, False), (MODIFIED, True), (REWRITTEN, False)],
    ids=[
        "MeshHTTPRouteRequestHeaderModifier",
        "MeshHTTPRouteBackendRequestHeaderModifier",
        "MeshHTTPRouteRewritePath",
    ],
)
def test_requests_arrive_changed(cases: tuple[Changed, ...], of_backend: bool, http: EnvoyMesh) -> None:
    """By the filters of a rule or of its backend."""
    names = {f"parent-{number}": case for number, case in enumerate(cases)}
    parents(http, {name: [changing(name, name, value, of_backend)] for name, value in names.items()})
    for name, item in names.items():
        seen = get(http, name, item.asked, item.sent).json()
        arrived = {header: seen["headers"].get(header) for header in item.arrives}
        assert (seen["backend"], seen["path"]) == (V1, item.path or item.asked), item
        assert arrived == item.arrives, item


def test_requests_are_shared_by_weight(http: EnvoyMesh) -> None:
    """`MeshHTTPRouteWeight`, and the half of an invalid backend: of 1,000 requests 700 ± 73, of 400 200 ± 50, which is
    five standard deviations."""
    weights = [backend_ref(V1, 70), backend_ref(V2, 30), backend_ref(V3, 0)]
    routes = {
        "weighted": [http_route("weighted", "weighted", rule(*weights))],
        "half": [http_route("half", "half", rule(V1, "nonexistent"))],
    }
    parents(http, routes)

    def counted(name: str, count: int) -> Counter[str]:
        client = http.http(f"{name}.shop:{PORT}")
        return Counter(answer(client.get("/")) for _ in range(count))

    weighted, half = counted("weighted", 1000), counted("half", 400)
    assert set(weighted) == {V1, V2}
    assert abs(weighted[V1] - 700) <= 5 * math.sqrt(1000 * 0.7 * 0.3), weighted
    assert set(half) == {V1, "500"}
    assert abs(half[V1] - 200) <= 50, half


def test_grpc_calls_go_where_the_conformance_tests_expect(mesh: EnvoyMesh) -> None:
    """Each test of GRPCRoutes, with a gRPC client without xDS: UNIMPLEMENTED where no rule matches."""
    echo = dict(zip(mesh.backends.open(3), (V1, V2, V3), strict=True))
    for address, name in echo.items():
        mesh.files.publish([address], name)
    tests = [item for item in (*ROUTED, *INVALID) if not _http_alone(item)]
    names = {f"parent-{number}": test for number, test in enumerate(tests)}
    for name, value in names.items():
        mesh.files.write(f"{name}.yaml", service(name, {"grpc": PORT}), *value.at(name))
    mesh.start()
    result, wanted = {}, {}
    for name, value in names.items():
        channel = mesh.grpc(f"{name}.shop:{PORT}")

        def asked(case: Case, channel: object = channel) -> str:
            got = channel.call(case.path, **case.headers)  # type: ignore[attr-defined]
            return echo[got.backend] if got.ok else got.code.name

        first = value.cases[0]
        eventually(lambda case=first: asked(case), lambda got, case=first: got == _code(case), value.name)
        result[value.name] = [(case, asked(case)) for case in value.cases]
        wanted[value.name] = [(case, _code(case)) for case in value.cases]
    assert result == wanted
    assert len(result) == len(tests) > 1


def _code(case: Case) -> str:
    codes = {NO_MATCH: grpc.StatusCode.UNIMPLEMENTED, NO_BACKEND: grpc.StatusCode.UNAVAILABLE}
    return codes[case.answer].name if case.answer in codes else case.answer


def test_mesh_grpc_route_request_header_modifier(mesh: EnvoyMesh) -> None:
    """`MeshGRPCRouteRequestHeaderModifier`: headers of calls are set, added and removed."""
    (backend,) = mesh.backends.open(1)
    mesh.files.publish([backend])
    change = modifier(set={"x-set": "new"}, add={"x-add": "new"}, remove=["x-remove"])
    mesh.write(
        grpc_route("headers", "backend", rule("backend", matches=[method(x_case="all")], filters=[change]))
    )
    mesh.start()
    channel = mesh.grpc()
    eventually(lambda: channel.call(x_case="all"), lambda got: got.ok, "an answer")
    mesh.backends.calls(backend)
    assert channel.call(x_case="all", x_set="old", x_add="old", x_remove="old").ok
    (call,) = mesh.backends.calls(backend)
    seen = {name: call.metadata.get(name) for name in ("x-case", "x-set", "x-remove")}
    assert seen == {"x-case": "all", "x-set": "new", "x-remove": None}
    assert "new" in call.metadata["x-add"]
