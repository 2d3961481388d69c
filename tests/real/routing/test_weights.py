"""Shares of the calls of a rule. A share is measured by a fixed number of calls; it may be off by five standard
deviations of the binomial distribution, which happens by chance in one of 1.7 million runs."""

import math
from collections import Counter

import grpc

from testbed.manifest import Files, backend_ref, grpc_route, method, rule, service
from tests.real.conftest import Connect, Serve, Steer

TARGET = "xds:///backend.shop"


def _assert_share(result: int, calls: int, share: float) -> None:
    allowed = 5 * math.sqrt(calls * share * (1 - share))
    assert abs(result - calls * share) <= allowed, (result, calls * share, allowed)


def test_backends_get_calls_by_their_weights(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """2,000 calls at 70 to 30 to 0: 1,400 ± 102, 600 ± 102, none."""
    a, b, _ = serve("a", "b", "c")
    weights = [backend_ref("a", 70), backend_ref("b", 30), backend_ref("c", 0)]
    files.write("parent.yaml", service("backend", {"": 50051}))
    files.write("route.yaml", grpc_route("weighted", "backend", rule(*weights)))
    channel = connect(steer()).dial(TARGET)
    answered = Counter(answer.backend for answer in channel.call(2000))
    assert set(answered) == {a, b}
    _assert_share(answered[a], 2000, 0.7)


def test_one_backend_may_stand_in_a_rule_twice(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """1,000 calls at 10 and 20 to 30: its weights are added, 500 ± 79."""
    a, b = serve("a", "b")
    files.write("parent.yaml", service("backend", {"": 50051}))
    weights = [backend_ref("a", 10), backend_ref("b", 30), backend_ref("a", 20)]
    files.write("route.yaml", grpc_route("weighted", "backend", rule(*weights)))
    channel = connect(steer()).dial(TARGET)
    answered = Counter(answer.backend for answer in channel.call(1000))
    assert set(answered) == {a, b}
    _assert_share(answered[a], 1000, 0.5)


def test_the_share_of_a_backend_that_does_not_exist_fails_and_holds_nothing_up(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """1,000 calls, 300 ± 72 of them without a backend: UNAVAILABLE within a deadline that is
    shorter than the 15 s for which a client waits for a resource that is not served; other rules are not touched."""
    (a,) = serve("a")
    files.write("parent.yaml", service("backend", {"": 50051}))
    weights = [backend_ref("a", 7), backend_ref("absent", 2), backend_ref("a", 1, port=1)]
    other = rule("a", matches=[method("pkg.Other")])
    files.write("route.yaml", grpc_route("weighted", "backend", rule(*weights), other))
    channel = connect(steer()).dial(TARGET)
    assert {item.backend for item in channel.call(50, method="/pkg.Other/Get", deadline_seconds=10)} == {a}
    answers = channel.call(1000, deadline_seconds=10)
    codes = Counter(answer.code for answer in answers)
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    _assert_share(codes[grpc.StatusCode.UNAVAILABLE], 1000, 0.3)


def test_a_backend_that_had_a_weight_of_0_gets_its_share_without_a_failed_call(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """Clients know it by then: grpc-go 1.85 loses calls when a route names a backend for the first time."""
    old, new = serve("old", "new")
    files.write("parent.yaml", service("backend", {"": 50051}))
    files.write(
        "route.yaml", grpc_route("canary", "backend", rule(backend_ref("old"), backend_ref("new", 0)))
    )
    channel = connect(steer()).dial(TARGET)
    channel.wait_for_answer()
    with channel.load(rate=400) as load:
        load.settle(old)
        for _ in range(10):
            for weights, backends in (((1, 1), (old, new)), ((0, 1), (new,)), ((1, 0), (old,))):
                refs = [backend_ref("old", weights[0]), backend_ref("new", weights[1])]
                files.write("route.yaml", grpc_route("canary", "backend", rule(*refs)))
                load.settle(*backends)
    assert load.failures == []
