"""Timeouts of calls (gRFC A31), from policies and annotations.

A backend blocks calls until their clients end them, so that no test depends on how long anything takes.
"""

from grpc import StatusCode

from testbed.backend.backend import Backends
from testbed.manifest import Files, grpc_route, method, rule, target, traffic_policy
from testbed.process.deadline import PATIENCE_SECONDS
from tests.real.conftest import Connect, Serve, Steer

TARGET = "xds:///backend.shop"
TIMEOUT = "300ms"
"""Less than the 1 to 2 s that C-core takes off a timeout that it did not get from its caller (grpc/grpc 34547): it
must not end every call."""
LONG_SECONDS = PATIENCE_SECONDS * 10
"""A client's own deadline that no test waits for."""


def test_a_policy_ends_calls_that_take_too_long(
    backends: Backends, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """The backend gets the shorter deadline, and blocks the call for longer than that."""
    (address,) = serve("backend")
    files.write("policy.yaml", traffic_policy("p", "backend", timeout={"request": TIMEOUT}))
    channel = connect(steer()).dial(TARGET)
    channel.wait_for_answer()
    backends.block(address)
    (answer,) = channel.call(deadline_seconds=LONG_SECONDS)
    assert answer.code is StatusCode.DEADLINE_EXCEEDED
    backends.release(address)
    assert channel.call()[0].backend == address


def test_an_annotation_of_the_service_ends_calls_that_take_too_long(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """`steerway.io/timeout`."""
    (address,) = backends.open(1)
    files.publish([address], annotations={"steerway.io/timeout": TIMEOUT})
    channel = connect(steer()).dial(TARGET)
    channel.wait_for_answer()
    backends.block(address)
    assert channel.call(deadline_seconds=LONG_SECONDS)[0].code is StatusCode.DEADLINE_EXCEEDED


def test_a_policy_never_gives_a_call_more_time_than_its_client_does(
    backends: Backends, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """An hour by the policy, a third of a second by the client; nor does no limit at all (0)."""
    (address,) = serve("backend")
    rules = [rule("backend", name="hour", matches=[method("pkg.Hour")]), rule("backend", name="none")]
    files.write("route.yaml", grpc_route("some", "backend", *rules))
    hour, none = target("some", "GRPCRoute", "hour"), target("some", "GRPCRoute", "none")
    files.write("policy.yaml", traffic_policy("hour", hour, timeout={"request": "1h"}))
    files.write("more.yaml", traffic_policy("none", none, timeout={"request": "0s"}))
    channel = connect(steer()).dial(TARGET)
    channel.wait_for_answer()
    backends.block(address)
    for called in ("/pkg.Hour/Get", "/pkg.None/Get"):
        (answer,) = channel.call(method=called, deadline_seconds=0.3)
        assert answer.code is StatusCode.DEADLINE_EXCEEDED, called


def test_a_timeout_of_zero_is_no_limit(
    backends: Backends, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """It lifts the Service's own limit for a route: its call outlives one that was begun later and has that limit."""
    (address,) = serve("backend")
    rules = [rule("backend", name="free", matches=[method("pkg.Free")]), rule("backend")]
    files.write("route.yaml", grpc_route("some", "backend", *rules))
    free = target("some", "GRPCRoute", "free")
    files.write("policy.yaml", traffic_policy("free", free, timeout={"request": "0s"}))
    files.write("more.yaml", traffic_policy("p", "backend", timeout={"request": TIMEOUT}))
    channel = connect(steer()).dial(TARGET)
    channel.wait_for_answer()
    backends.block(address)
    done = len(channel.answers)
    channel.begin(method="/pkg.Free/Get", deadline_seconds=LONG_SECONDS)
    channel.begin(method="/pkg.Bound/Get", deadline_seconds=LONG_SECONDS)
    first = channel.wait_for_answers(done + 1)[done]
    assert first.code is StatusCode.DEADLINE_EXCEEDED
    backends.release(address)
    second = channel.wait_for_answers(done + 2)[done + 1]
    assert second.backend == address
