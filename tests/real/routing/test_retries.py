"""Retries of calls (gRFC A44), from policies and annotations.

A backend counts attempts: each carries the number before it (`grpc-previous-rpc-attempts`, gRFC A6).
"""

from typing import Any

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


CODES = {
    "second-retry": (StatusCode.UNAVAILABLE, 2, 3, StatusCode.OK),
    "another-listed-code": (StatusCode.CANCELLED, 1, 2, StatusCode.OK),
    "no-attempt-left": (StatusCode.UNAVAILABLE, 9, 4, StatusCode.UNAVAILABLE),
    "unlisted-code": (StatusCode.INTERNAL, 1, 1, StatusCode.INTERNAL),
    "unlisted-application-code": (StatusCode.NOT_FOUND, 1, 1, StatusCode.NOT_FOUND),
}
"""By Service: the status of so many calls, the attempts that the backend receives, and the status for the client."""


def test_a_call_is_tried_again_after_the_codes_that_are_listed(
    backends: Backends, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """As often as the policy allows, and no longer than needed."""
    addresses = dict(zip(CODES, serve(*CODES), strict=True))
    files.write("policy.yaml", traffic_policy("p", *CODES, retry=retry(3, "Unavailable", "Cancelled")))
    client = connect(steer())
    results = {}
    for name, (code, failures, _, _) in CODES.items():
        channel = client.dial(f"xds:///{name}.shop")
        backends.fail(addresses[name], code, failures)
        (answer,) = channel.call()
        results[name] = answer.code, [call.retries for call in backends.calls(addresses[name])]
    assert results == {name: (code, list(range(count))) for name, (_, _, count, code) in CODES.items()}


def test_without_a_policy_nothing_is_tried_again(
    backends: Backends, serve: Serve, steer: Steer, connect: Connect
) -> None:
    """A retry is something that an owner wants, since not every call may be made twice."""
    (address,) = serve("backend")
    channel = connect(steer()).dial(TARGET)
    backends.fail(address, StatusCode.UNAVAILABLE, 1)
    assert channel.call()[0].code is StatusCode.UNAVAILABLE
    assert len(backends.calls(address)) == 1


ANNOTATIONS = {
    "several-codes": ({"steerway.io/retry": "unavailable, internal", "steerway.io/retry-attempts": "3"}, 4),
    "default-attempts": ({"steerway.io/retry": "unavailable"}, 2),
    "wongnai": ({"xds.lmwn.com/retry-status": "unavailable", "xds.lmwn.com/retry-count": "2"}, 3),
    "wongnai-at-most-4": (
        {"xds.lmwn.com/retry-status": "5xx,unavailable", "xds.lmwn.com/retry-count": "5"},
        5,
    ),
    "wongnai-none": ({"xds.lmwn.com/retry-status": "unavailable", "xds.lmwn.com/retry-count": "0"}, 1),
}
"""By Service: its annotations, and the attempts that its backend receives."""


def test_annotations_of_the_service_ask_for_retries(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Where no CRD may be installed; those of wongnai/xds mean the same."""
    addresses = dict(zip(ANNOTATIONS, backends.open(len(ANNOTATIONS)), strict=True))
    for name, (annotations, _) in ANNOTATIONS.items():
        files.publish([addresses[name]], name, annotations=annotations)
    client = connect(steer())
    results = {}
    for name, address in addresses.items():
        channel = client.dial(f"xds:///{name}.shop")
        backends.fail(address, StatusCode.UNAVAILABLE, 9)
        results[name] = channel.call()[0].code, len(backends.calls(address))
    assert results == {
        name: (StatusCode.UNAVAILABLE, attempts) for name, (_, attempts) in ANNOTATIONS.items()
    }


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
