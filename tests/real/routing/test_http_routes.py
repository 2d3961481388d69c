"""HTTPRoutes, as far as they are about gRPC: clients of two libraries take from them what a gRPC call can match."""

from typing import Any

from grpc import StatusCode

from testbed.backend.backend import Backends
from testbed.manifest import Files, grpc_route, headers_of, http_route, path, rule, service
from tests.real.conftest import Connect, Serve, Steer

TARGET = "xds:///backend.shop"
PARENT = service("backend", {"grpc": 50051})
REDIRECT = {"type": "RequestRedirect", "requestRedirect": {"hostname": "elsewhere.example"}}


def test_paths_are_grpc_methods(serve: Serve, files: Files, steer: Steer, connect: Connect) -> None:
    """An exact path is one method, a prefix a whole service and no other whose name only begins like it."""
    exact, prefix, headed, rest = serve("exact", "prefix", "headed", "rest")
    rules = [
        rule("rest"),
        rule("prefix", matches=[path("/pkg.A", prefix=True)]),
        rule("exact", matches=[path("/pkg.A/Get")]),
        rule("headed", matches=[path("/pkg.A/Get", headers=headers_of(x_user="vip"))]),
    ]
    files.write("parent.yaml", PARENT)
    files.write("route.yaml", http_route("all", "backend", *rules))
    channel = connect(steer()).dial(TARGET)
    for backend, called in (
        (exact, "/pkg.A/Get"),
        (prefix, "/pkg.A/GetMore"),
        (rest, "/pkg.AA/Get"),
        (rest, "/pkg.B/Get"),
    ):
        assert channel.call(method=called)[0].backend == backend, called
    assert channel.call(method="/pkg.A/Get", metadata={"x-user": "vip"})[0].backend == headed


def test_what_no_grpc_call_is_takes_none(
    backends: Backends, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """More specific rules by a query parameter or the method GET; a gRPC call is a POST without parameters."""
    post, asked, got = serve("post", "asked", "got")
    query = [{"name": "q", "value": "1"}]
    rules = [
        rule("asked", matches=[path("/pkg.A/Get", queryParams=query)]),
        rule("got", matches=[path("/pkg.A/Get", method="GET")]),
        rule("post", matches=[path("/pkg.A", prefix=True, method="POST")]),
    ]
    files.write("parent.yaml", PARENT)
    files.write("route.yaml", http_route("all", "backend", *rules))
    channel = connect(steer()).dial(TARGET)
    assert {answer.backend for answer in channel.call(20, method="/pkg.A/Get")} == {post}
    assert backends.calls(asked) == backends.calls(got) == []


def test_a_redirect_fails_its_calls_and_no_others(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """No gRPC client can follow it, and none of its calls may end at another backend."""
    (a,) = serve("a")
    moved: dict[str, Any] = {"matches": [path("/pkg.Moved", prefix=True)], "filters": [REDIRECT]}
    files.write("parent.yaml", PARENT)
    files.write("route.yaml", http_route("all", "backend", moved, rule("a")))
    channel = connect(steer()).dial(TARGET)
    answers = channel.call(10, method="/pkg.Moved/Get", deadline_seconds=10)
    assert {answer.code for answer in answers} == {StatusCode.UNAVAILABLE}
    assert {answer.backend for answer in channel.call(10)} == {a}


def test_a_rules_own_retry_counts_for_grpc_calls(
    backends: Backends, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """GEP-1731: 503 is UNAVAILABLE; a status that has no code of gRPC means nothing to these clients."""
    (a,) = serve("a")
    rules = [
        rule("a", retry={"codes": [503], "attempts": 2, "backoff": "10ms"}),
        rule("a", matches=[path("/pkg.A", prefix=True)], retry={"codes": [404], "attempts": 2}),
    ]
    files.write("parent.yaml", PARENT)
    files.write("route.yaml", http_route("all", "backend", *rules))
    channel = connect(steer()).dial(TARGET)
    backends.fail(a, StatusCode.UNAVAILABLE, 2)
    assert channel.call()[0].backend == a
    assert [call.retries for call in backends.calls(a)] == [0, 1, 2]
    backends.fail(a, StatusCode.UNAVAILABLE, 1)
    assert channel.call(method="/pkg.A/Get")[0].code is StatusCode.UNAVAILABLE


def test_a_rules_own_timeout_ends_calls_that_take_too_long(
    backends: Backends, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """`timeouts.request`, and of C-core's 1 to 2 s less than that (grpc/grpc 34547); the backend holds the call."""
    (a,) = serve("a")
    files.write("parent.yaml", PARENT)
    files.write("route.yaml", http_route("all", "backend", rule("a", timeouts={"request": "2500ms"})))
    channel = connect(steer()).dial(TARGET)
    channel.wait_for_answer()
    backends.block(a)
    assert channel.call(deadline_seconds=600)[0].code is StatusCode.DEADLINE_EXCEEDED


def test_beside_a_grpcroute_an_httproute_is_not_used(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """However specific; without the GRPCRoute it is, and no call fails on the way there and back."""
    grpc_backend, http_backend = serve("g", "h")
    files.write("parent.yaml", PARENT)
    files.write("http.yaml", http_route("http", "backend", rule("h", matches=[path("/pkg.A/Get")])))
    plane = steer()
    channel = connect(plane).dial(TARGET)
    with channel.load(method="/pkg.A/Get") as load:
        load.settle(http_backend)
        files.write("grpc.yaml", grpc_route("grpc", "backend", rule("g")))
        load.settle(grpc_backend)
        files.remove("grpc.yaml")
        load.settle(http_backend)
    assert load.lost == []
