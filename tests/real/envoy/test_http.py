"""A real Envoy and requests of HTTP/1.1: HTTPRoutes as a sidecar and as a gateway follow them."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import httpx
import pytest

from testbed.backend.http_backend import HttpBackend, http_backend
from testbed.envoy.envoy_mesh import EnvoyMesh, eventually
from testbed.envoy.envoy_mesh import mesh as mesh
from testbed.manifest import (
    Manifest,
    backend_ref,
    grpc_route,
    headers_of,
    http_route,
    path,
    rule,
    traffic_policy,
)
from testbed.process.deadline import until

pytestmark = pytest.mark.needs("envoy")

_HOST = "web.shop"


@pytest.fixture
def web(mesh: EnvoyMesh) -> Iterator[dict[str, HttpBackend]]:
    """The Services `web` and `other` with a backend each."""
    with ExitStack() as servers:
        results = {name: servers.enter_context(http_backend(name)) for name in ("web", "other")}
        for name, backend in results.items():
            mesh.publish_http(name, backend.address)
        yield results


def _to(name: str, **fields: Any) -> Manifest:
    return backend_ref(name, port=80, **fields)


def _modifier(kind: str, **fields: Any) -> Manifest:
    return {"type": f"{kind}HeaderModifier", f"{kind[0].lower()}{kind[1:]}HeaderModifier": fields}


def _rewrite(**fields: Any) -> Manifest:
    return {"type": "URLRewrite", "urlRewrite": fields}


def _redirect(**fields: Any) -> Manifest:
    return {"type": "RequestRedirect", "requestRedirect": fields}


def _prefix(value: str) -> Manifest:
    return {"type": "ReplacePrefixMatch", "replacePrefixMatch": value}


def _full(value: str) -> Manifest:
    return {"type": "ReplaceFullPath", "replaceFullPath": value}


def _backend(answer: httpx.Response) -> str:
    return answer.headers.get("x-backend", "")


def _ready(http: httpx.Client, path: str = "/", status: int = 200) -> None:
    eventually(lambda: http.get(path), lambda answer: answer.status_code == status, f"{status} at {path}")


@pytest.mark.usefixtures("web")
def test_requests_go_by_path_method_query_and_headers(mesh: EnvoyMesh) -> None:
    """A prefix is one of whole path elements; what matches nothing is 404."""
    query = [{"type": "Exact", "name": "v", "value": "2"}]
    mesh.write(
        http_route(
            "r",
            "web",
            rule(_to("other"), matches=[path("/exact"), path("/api", prefix=True)]),
            rule(_to("web"), matches=[path("/m", method="POST"), path("/q", queryParams=query)]),
            rule(_to("web"), matches=[path("/h", prefix=True, headers=headers_of(x_tier="gold"))]),
        )
    )
    mesh.start()
    http = mesh.http(_HOST)
    _ready(http, "/exact")
    for asked, expected in (
        ("/exact", "other"),
        ("/exact/", ""),
        ("/api", "other"),
        ("/api/a", "other"),
        ("/apis", ""),
        ("/m", ""),
        ("/q?v=2", "web"),
        ("/q?v=1", ""),
        ("/h/a", ""),
    ):
        answer = http.get(asked)
        assert (_backend(answer), answer.status_code) == (expected, 200 if expected else 404), asked
    assert _backend(http.post("/m")) == "web"
    assert _backend(http.get("/h/a", headers={"x-tier": "gold"})) == "web"
    # A host with a final dot, as absolute names have it, is the host without.
    for host in ("web.shop.", "web.shop.:80", "web.shop.svc.cluster.local.:80"):
        assert _backend(mesh.http(host).get("/exact")) == "other", host


@pytest.mark.usefixtures("web")
def test_headers_are_changed_for_a_rule_and_for_one_backend(mesh: EnvoyMesh) -> None:
    """Set replaces, add adds, remove removes; a percent sign is one."""
    named = [{"name": "x-set", "value": "50%"}]
    request = _modifier("Request", set=named, add=[{"name": "x-add", "value": "b"}], remove=["x-gone"])
    response = _modifier("Response", set=[{"name": "x-answer", "value": "1"}], remove=["x-backend"])
    own = _modifier("Request", set=[{"name": "x-own", "value": "other"}])
    mesh.write(
        http_route("r", "web", rule(_to("web"), _to("other", filters=[own]), filters=[request, response]))
    )
    mesh.start()
    http = mesh.http(_HOST)
    eventually(lambda: http.get("/"), lambda answer: "x-answer" in answer.headers, "the route")
    sent = {"x-set": "a", "x-add": "a", "x-gone": "a", "x-own": "client"}
    answers = [http.get("/", headers=sent) for _ in range(40)]
    own_values = set()
    for answer in answers:
        assert answer.headers["x-answer"] == "1"
        assert "x-backend" not in answer.headers
        body = answer.json()
        assert body["headers"]["x-set"] == "50%"
        assert body["headers"]["x-add"] == "a,b"
        assert "x-gone" not in body["headers"]
        own_values.add((body["backend"], body["headers"]["x-own"]))
    # 40 requests of which half go to one: all to the other once in 2 ** 39.
    assert own_values == {("web", "client"), ("other", "other")}


@pytest.mark.parametrize(
    ("match", "filter", "asked", "location", "status"),
    [
        (
            "/old",
            _redirect(hostname="new.example.org"),
            "/old/a?q=1",
            "http://new.example.org/old/a?q=1",
            302,
        ),
        ("/old", _redirect(scheme="https", statusCode=301), "/old", "https://web.shop/old", 301),
        ("/old", _redirect(scheme="https", port=8443), "/old", "https://web.shop:8443/old", 302),
        ("/old", _redirect(scheme="https", port=443), "/old", "https://web.shop/old", 302),
        ("/old", _redirect(path=_full("/new"), statusCode=307), "/old/a", "http://web.shop/new", 307),
        ("/old", _redirect(path=_prefix("/new"), statusCode=308), "/old/a", "http://web.shop/new/a", 308),
        ("/old", _redirect(path=_prefix("/"), statusCode=303), "/old/a", "http://web.shop/a", 303),
        ("/old", _redirect(path=_prefix("/")), "/old", "http://web.shop/", 302),
        ("/", _redirect(path=_prefix("/new")), "/a", "http://web.shop/new/a", 302),
    ],
)
def test_clients_are_sent_elsewhere(
    mesh: EnvoyMesh,
    web: dict[str, HttpBackend],
    match: str,
    filter: Manifest,
    asked: str,
    location: str,
    status: int,
) -> None:
    """With the parts of the address that the route sets, and the others as they were."""
    mesh.write(http_route("r", "web", rule(matches=[path(match, prefix=True)], filters=[filter])))
    mesh.start()
    http = mesh.http(_HOST)
    _ready(http, asked, status)
    assert http.get(asked).headers["location"] == location
    assert web["web"].seen == []


@pytest.mark.usefixtures("web")
def test_paths_and_hosts_are_rewritten(mesh: EnvoyMesh) -> None:
    """A query stays."""
    rules = {
        "/prefix": _rewrite(path=_prefix("/new")),
        "/root": _rewrite(path=_prefix("/")),
        "/full": _rewrite(path=_full("/a\\1b")),
        "/host": _rewrite(hostname="inside.example.org"),
    }
    mesh.write(
        http_route(
            "r",
            "web",
            *(
                rule(_to("web"), matches=[path(key, prefix=True)], filters=[filter])
                for key, filter in rules.items()
            ),
        )
    )
    mesh.start()
    http = mesh.http(_HOST)
    _ready(http, "/prefix")
    for asked, arrived in (
        ("/prefix/a?q=1", "/new/a?q=1"),
        ("/prefix", "/new"),
        ("/root/a", "/a"),
        ("/root", "/"),
        ("/full/a/b?q=1", "/a\\1b?q=1"),
        ("/host", "/host"),
    ):
        assert http.get(asked).json()["path"] == arrived, asked
    assert http.get("/host").json()["headers"]["host"] == "inside.example.org"


def test_a_mirror_and_what_cannot_be_reached(mesh: EnvoyMesh, web: dict[str, HttpBackend]) -> None:
    """A backend that does not exist is 500 for its share. Of 400 requests half: a deviation of 10, five are passed once
    in a million runs."""
    copies = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "other", "port": 80}}}
    mesh.write(
        http_route(
            "r",
            "web",
            rule(_to("web"), _to("missing"), matches=[path("/half")]),
            rule(_to("missing"), matches=[path("/none")]),
            rule(matches=[path("/absent")]),
            rule(_to("web"), matches=[path("/mirrored")], filters=[copies]),
        )
    )
    mesh.start()
    http = mesh.http(_HOST)
    _ready(http, "/mirrored")
    assert [http.get(item).status_code for item in ("/none", "/absent")] == [500, 500]
    counts = Counter(http.get("/half").status_code for _ in range(400))
    assert counts.keys() == {200, 500}
    assert abs(counts[500] - 200) < 50, counts
    until(lambda: web["other"].seen, "a copy")
    assert {seen.headers["host"] for seen in web["other"].seen} == {_HOST}


def test_time_limits_retries_and_faults_are_those_of_http(
    mesh: EnvoyMesh, web: dict[str, HttpBackend]
) -> None:
    """504 when time is up; a status that the route names is tried again; a fault is no success."""
    retry = {"codes": [503], "attempts": 2}
    mesh.write(
        http_route(
            "r",
            "web",
            rule(_to("web"), matches=[path("/slow")], timeouts={"request": "300ms"}),
            rule(_to("web"), matches=[path("/again")], retry=retry),
            rule(_to("web"), matches=[path("/fault")], name="fault"),
            rule(_to("web"), matches=[path("/")]),
        ),
        traffic_policy(
            "f",
            {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "r", "sectionName": "fault"},
            fault={"abort": {"code": "Unavailable"}},
        ),
    )
    mesh.start()
    http = mesh.http(_HOST)
    _ready(http)
    backend = web["web"]
    backend.statuses.extend([503, 503])
    assert http.get("/again").status_code == 200
    backend.statuses.extend([503, 503, 503])
    assert http.get("/again").status_code == 503
    backend.statuses.extend([502])
    assert http.get("/again").status_code == 502
    assert http.get("/fault").status_code == 503
    assert not [seen for seen in backend.seen if seen.path == "/fault"]
    backend.blocked = threading.Event()
    assert http.get("/slow").status_code == 504
    backend.blocked.set()


@pytest.mark.usefixtures("web")
def test_a_gateway_serves_what_a_route_exposes(mesh: EnvoyMesh) -> None:
    """By its hostnames, with any port, and by the Service's names; Services share a hostname; nothing else is there."""
    (backend,) = mesh.backends.open(1)
    mesh.files.publish([backend])
    mesh.files.publish([backend], "hidden")
    routes = [
        http_route("web", "web", rule(_to("web"), matches=[path("/", prefix=True)])),
        http_route("other", "other", rule(_to("other"), matches=[path("/other", prefix=True)])),
        http_route(
            "foreign", {"name": "hidden", "group": "", "namespace": "shop"}, rule("hidden"), namespace="pay"
        ),
        grpc_route("backend", "backend", rule("backend")),
    ]
    for route in routes[:2]:
        route["spec"]["hostnames"] = ["shop.example.org", "*.shop.example.org"]
    mesh.write(*routes)
    envoy = mesh.start("gateway", id="gateway-0")
    _ready(mesh.http("shop.example.org", "gateway"))
    for host in (
        "shop.example.org",
        "SHOP.example.org:8080",
        "a.shop.example.org",
        "b.a.shop.example.org:80",
        _HOST,
    ):
        http = mesh.http(host, "gateway")
        assert _backend(http.get("/")) == "web", host
        if host != _HOST:
            assert _backend(http.get("/other/a")) == "other", host
    for host in ("hidden.shop", "example.org", "web"):
        assert mesh.http(host, "gateway").get("/").status_code == 404, host
    eventually(mesh.grpc(role="gateway").call, lambda answer: answer.backend == backend, "gRPC")
    assert mesh.grpc("hidden.shop:50051", "gateway").call().code is grpc.StatusCode.UNIMPLEMENTED
    clusters = {name.split(".")[1] for name in envoy.stats(r"^cluster\..*\.membership_total$")}
    assert clusters == {"steerway", "web", "other", "backend"}
    forged = mesh.http("shop.example.org", "gateway").get("/", headers={"x-forwarded-for": "1.2.3.4"}).json()
    assert forged["headers"]["x-forwarded-for"].startswith("1.2.3.4,"), "the peer's address is added"
    mesh.write(*routes[1:])
    eventually(
        lambda: mesh.http("shop.example.org", "gateway").get("/").status_code,
        lambda status: status == 404,
        "the Service to be exposed no more",
    )


def test_a_sidecar_and_a_gateway_do_not_see_each_others_resources(
    mesh: EnvoyMesh, web: dict[str, HttpBackend]
) -> None:
    """Of one steerway at the same time."""
    sidecar, gateway = mesh.start(), mesh.start("gateway", id="gateway-0")
    _ready(mesh.http(_HOST))
    assert mesh.http(_HOST, "gateway").get("/").status_code == 404
    total = "cluster_manager.active_clusters"
    until(
        lambda: (sidecar.stats(total), gateway.stats(total)) == ({total: 3}, {total: 1}), "their own clusters"
    )
    assert len(web["web"].seen) == 1


_LARGE = {
    "/v4/advisory/[0-9a-z-]{36}/clone": ("/v4/advisory/" + "a" * 36 + "/clone", "/v4/advisory/a"),
    r"/api/v1/object/[\w]{32}/action": ("/api/v1/object/" + "a" * 32 + "/action", "/api/v1/object/a"),
    "/orgs/[^/]+/projects/[^/]+/agents/[^/]+/model-configs/[^/]+/environments/[^/]+/api-keys/[^/]+": (
        "/orgs/a/projects/b/agents/c/model-configs/d/environments/e/api-keys/f",
        "/org",
    ),
    "/users/[a-zA-Z0-9_-]{1,64}/orders": ("/users/a/orders", "/users/a/b"),
}
"""Expressions of more than 100 instructions of RE2, each with a path that it matches and one that is for the next
rule."""


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize("large", [True, False], ids=["guide", "default"])
def test_a_regular_expression_is_used_or_fails_and_is_never_passed_over(mesh: EnvoyMesh, large: bool) -> None:
    """With the bootstrap of the guide it is used; an Envoy that takes 100 instructions answers 500 in its place. It has
    refused nothing; the list of streams has its limitations."""
    matches = [{"path": {"type": "RegularExpression", "value": item}} for item in _LARGE]
    mesh.write(http_route("r", "web", rule(_to("other"), matches=matches), rule(_to("web"))))
    mesh.start(large_expressions=large)
    http = mesh.http(_HOST)
    inside, _ = next(iter(_LARGE.values()))
    _ready(http, inside, 200 if large else 500)
    for inside, outside in _LARGE.values():
        answer = http.get(inside)
        assert (answer.status_code, _backend(answer)) == ((200, "other") if large else (500, "")), inside
        assert _backend(http.get(outside)) == "web", outside
    (stream,) = mesh.plane.streams()
    limitations = [
        limitation for limitation in stream["limitations"] if "regular expression is too large" in limitation
    ]
    assert bool(limitations) is not large


def test_a_session_by_header_stays_with_its_endpoint(mesh: EnvoyMesh, web: dict[str, HttpBackend]) -> None:
    """The answer has the header; a request that sends it back goes to the same endpoint, others go round."""
    addresses = {name: backend.address for name, backend in web.items()}
    mesh.publish_http("both", *addresses.values())
    session = {"sessionName": "x-cart", "type": "Header"}
    mesh.write(http_route("r", "both", rule(_to("both"), sessionPersistence=session)))
    mesh.start()
    http = mesh.http("both.shop")
    eventually(lambda: http.get("/"), lambda answer: "x-cart" in answer.headers, "the header")
    carts = {_backend(answer): answer.headers["x-cart"] for answer in (http.get("/") for _ in range(20))}
    assert set(carts) == set(addresses)
    for name, cart in carts.items():
        assert {_backend(http.get("/", headers={"x-cart": cart})) for _ in range(10)} == {name}


def test_an_attempt_that_takes_too_long_is_ended_and_tried_again(
    mesh: EnvoyMesh, web: dict[str, HttpBackend]
) -> None:
    """As often as the rule allows, also more than four times; without retries its end is that of the request."""
    mesh.write(
        http_route(
            "r",
            "web",
            rule(
                _to("web"),
                matches=[path("/again")],
                timeouts={"request": "10s", "backendRequest": "100ms"},
                retry={"codes": [503], "attempts": 5},
            ),
            rule(_to("web"), matches=[path("/once")], timeouts={"backendRequest": "100ms"}),
            rule(_to("web")),
        )
    )
    mesh.start()
    http = mesh.http(_HOST)
    backend = web["web"]
    eventually(lambda: http.get("/"), lambda answer: answer.status_code == 200, "the route")
    backend.blocked = threading.Event()
    eventually(lambda: http.get("/once").status_code, lambda status: status == 504, "the end of the attempt")
    backend.seen.clear()
    assert http.get("/again").status_code == 504
    until(lambda: len(backend.seen) == 6, lambda: f"six attempts, not {len(backend.seen)}")
    assert http.get("/once").status_code == 504
    until(lambda: len(backend.seen) == 7, lambda: f"one attempt, not {len(backend.seen) - 6}")
    backend.blocked.set()
