"""Faults that are put into calls on purpose (gRFC A33): a status for some, a delay for others."""

import math
from collections import Counter
from typing import Any

import pytest
from grpc import StatusCode

from testbed.backend.backend import Backends
from testbed.manifest import Files, Manifest, grpc_route, method, rule, service, target, traffic_policy
from tests.real.conftest import Connect, Serve, Steer

TARGET = "xds:///backend.shop"
NEVER: dict[str, Any] = {"abort": {"code": "ResourceExhausted"}}


def test_half_of_the_calls_end_with_the_status_that_is_wanted(
    backends: Backends, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """500 of 1,000 calls, and at most 79 (five standard deviations) more or less; the others reach the backend."""
    (address,) = serve("backend")
    fault = {"abort": {"code": "PermissionDenied", "percent": 50}}
    files.write("policy.yaml", traffic_policy("p", "backend", fault=fault))
    channel = connect(steer()).dial(TARGET)
    codes = Counter(answer.code for answer in channel.call(1000))
    assert set(codes) == {StatusCode.OK, StatusCode.PERMISSION_DENIED}
    assert abs(codes[StatusCode.PERMISSION_DENIED] - 500) <= 5 * math.sqrt(1000 * 0.25), codes
    assert len(backends.calls(address)) == codes[StatusCode.OK]


def test_a_delay_uses_up_the_time_of_a_call(
    backends: Backends, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """No call whose deadline is shorter reaches the backend; without the policy they do again."""
    (address,) = serve("backend")
    files.write("policy.yaml", traffic_policy("p", "backend", fault={"delay": {"duration": "1h"}}))
    channel = connect(steer()).dial(TARGET)
    answers = channel.call(3, deadline_seconds=0.3)
    assert [answer.code for answer in answers] == [StatusCode.DEADLINE_EXCEEDED] * 3
    assert backends.calls(address) == []
    files.remove("policy.yaml")
    channel.wait_for_backend(address, deadline_seconds=2)


ON_RULE = traffic_policy("p", target("some", "GRPCRoute", "faulty"), fault=NEVER)
ON_BACKEND = traffic_policy("p", "faulty", fault=NEVER)


@pytest.mark.parametrize("policy", [ON_RULE, ON_BACKEND], ids=["on a rule", "on a backend"])
def test_a_fault_touches_only_calls_of_its_target(
    policy: Manifest, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """A rule of a route, or a Service that is a backend of one: all its calls, and no others."""
    well, _ = serve("well", "faulty")
    files.write("parent.yaml", service("backend", {"grpc": 50051}))
    rules = [rule("faulty", name="faulty", matches=[method("pkg.Faulty")]), rule("well")]
    files.write("route.yaml", grpc_route("some", "backend", *rules))
    files.write("policy.yaml", policy)
    channel = connect(steer()).dial(TARGET)
    assert {answer.backend for answer in channel.call(20)} == {well}
    answers = channel.call(20, method="/pkg.Faulty/Get")
    assert {answer.code for answer in answers} == {StatusCode.RESOURCE_EXHAUSTED}


def test_a_fault_comes_and_goes_while_calls_are_under_way(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """Its filter is new to the client's listener; no call fails but with the fault's own status."""
    (address,) = serve("backend")
    channel = connect(steer()).dial(TARGET)
    with channel.load() as load:
        load.settle(address)
        files.write("policy.yaml", traffic_policy("p", "backend", fault=NEVER))
        load.wait(
            lambda answers: [a.code for a in answers[-10:]] == [StatusCode.RESOURCE_EXHAUSTED] * 10, "faults"
        )
        files.remove("policy.yaml")
        load.settle(address)
    assert {answer.code for answer in load.failures} == {StatusCode.RESOURCE_EXHAUSTED}
