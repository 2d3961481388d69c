"""Retries of calls (gRFC A44), from policies and annotations.

A backend counts attempts: each carries the number before it (`grpc-previous-rpc-attempts`, gRFC A6).
"""

from typing import Any

import grpc
import pytest
from grpc import StatusCode

from testbed.backend.backend import Backends
from testbed.manifest import Files, grpc_route, method, rule, target, traffic_policy
from testbed.process.deadline import until
from tests.real.conftest import Connect, Serve, Steer

TARGET = "xds:///backend.shop"
QUICK = {"base": "1ms", "max": "5ms"}
"""The shortest that can be wished for."""


def retry(attempts: int, *codes: str) -> dict[str, Any]:
    return {"codes": list(codes or ("Unavailable",)), "attempts": attempts, "backoff": QUICK}


@pytest.mark.parametrize(
    ("code", "failures", "attempts", "result"),
    [
        pytest.param(StatusCode.UNAVAILABLE, 2, 3, StatusCode.OK, id="it works at last"),
        pytest.param(StatusCode.CANCELLED, 1, 2, StatusCode.OK, id="another listed code"),
        pytest.param(StatusCode.UNAVAILABLE, 9, 4, StatusCode.UNAVAILABLE, id="no attempt is left"),
        pytest.param(StatusCode.INTERNAL, 1, 1, StatusCode.INTERNAL, id="a code that is not listed"),
        pytest.param(StatusCode.NOT_FOUND, 1, 1, StatusCode.NOT_FOUND, id="a code that is not retried"),
    ],
)
def test_a_call_is_tried_again_after_the_codes_that_are_listed(
    code: grpc.StatusCode,
    failures: int,
    attempts: int,
    result: grpc.StatusCode,
    backends: Backends,
    serve: Serve,
    files: Files,
    steer: Steer,
    connect: Connect,
) -> None:
    """As often as the policy allows, and no longer than needed."""
    (address,) = serve("backend")
    files.write("policy.yaml", traffic_policy("p", "backend", retry=retry(3, "Unavailable", "Cancelled")))
    channel = connect(steer()).dial(TARGET)
    backends.fail(address, code, failures)
    (answer,) = channel.call()
    assert answer.code is result
    assert [call.retries for call in backends.calls(address)] == list(range(attempts))


def test_without_a_policy_nothing_is_tried_again(
    backends: Backends, serve: Serve, steer: Steer, connect: Connect
) -> None:
    """A retry is something that an owner wants, since not every call may be made twice."""
    (address,) = serve("backend")
    channel = connect(steer()).dial(TARGET)
    backends.fail(address, StatusCode.UNAVAILABLE, 1)
    assert channel.call()[0].code is StatusCode.UNAVAILABLE
    assert len(backends.calls(address)) == 1


@pytest.mark.parametrize(
    ("annotations", "attempts"),
    [
        ({"steerway.io/retry": "unavailable, internal", "steerway.io/retry-attempts": "3"}, 4),
        ({"steerway.io/retry": "unavailable"}, 2),
        ({"xds.lmwn.com/retry-status": "unavailable", "xds.lmwn.com/retry-count": "2"}, 3),
        ({"xds.lmwn.com/retry-status": "5xx,unavailable", "xds.lmwn.com/retry-count": "5"}, 5),
        ({"xds.lmwn.com/retry-status": "unavailable", "xds.lmwn.com/retry-count": "0"}, 1),
    ],
)
def test_annotations_of_the_service_ask_for_retries(
    annotations: dict[str, str],
    attempts: int,
    backends: Backends,
    files: Files,
    steer: Steer,
    connect: Connect,
) -> None:
    """Where no CRD may be installed; those of wongnai/xds mean the same."""
    (address,) = backends.open(1)
    files.publish([address], annotations=annotations)
    channel = connect(steer()).dial(TARGET)
    backends.fail(address, StatusCode.UNAVAILABLE, 9)
    assert channel.call()[0].code is StatusCode.UNAVAILABLE
    assert len(backends.calls(address)) == attempts


def test_the_policy_of_a_rule_counts_before_that_of_its_route_and_that_of_the_service(
    backends: Backends, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """One more retry each shows which one counts; of two on one target the older one is used, in files by its name."""
    (address,) = serve("backend")
    rules = [
        rule("backend", name="named", matches=[method("pkg.Named")]),
        rule("backend", matches=[method("pkg.Routed")]),
    ]
    files.write("route.yaml", grpc_route("some", "backend", *rules))
    files.write("service.yaml", traffic_policy("on-service", "backend", retry=retry(1)))
    channel = connect(steer()).dial(TARGET)

    def attempts(called: str) -> int:
        backends.calls(address)
        backends.fail(address, StatusCode.UNAVAILABLE, 9)
        (answer,) = channel.call(method=called)
        backends.fail(address, StatusCode.UNAVAILABLE, 0)
        assert answer.code is StatusCode.UNAVAILABLE
        return len(backends.calls(address))

    assert [attempts("/pkg.Named/Get"), attempts("/pkg.Routed/Get")] == [2, 2]
    on_route, on_rule = target("some", "GRPCRoute"), target("some", "GRPCRoute", "named")
    files.write(
        "more.yaml",
        traffic_policy("b-on-route", on_route, retry=retry(2)),
        traffic_policy("c-on-route-too", on_route, retry=retry(4)),
        traffic_policy("d-on-rule", on_rule, retry=retry(3)),
        traffic_policy("e-on-rule-too", on_rule, retry=retry(4)),
    )
    until(lambda: attempts("/pkg.Routed/Get") == 3, "the route's own policy")
    assert attempts("/pkg.Named/Get") == 4
