"""Invalid routes and policies: they are named, the last good version stays, no other service is affected."""

from collections.abc import Callable
from typing import Any

import pytest
from grpc import StatusCode

from testbed.backend.backend import Backends
from testbed.manifest import Files, Manifest, grpc_route, headers_of, method, rule, traffic_policy
from testbed.process.deadline import until
from tests.real.conftest import Connect, Serve, Steer

pytestmark = pytest.mark.parametrize("connect", ["grpcio"], indirect=True)
TARGET = "xds:///backend.shop"


def _route(to: str, **match: Any) -> Manifest:
    return grpc_route("some", "backend", rule(to, matches=[match or method("pkg.A")]))


def _with_a_word_for_a_number(to: str) -> Manifest:
    route = _route(to)
    route["spec"]["rules"][0]["backendRefs"][0]["weight"] = "much"
    return route


@pytest.mark.parametrize(
    ("break_", "line", "reason"),
    [
        pytest.param(lambda to: _route(to, **method("pkg.(A", regex=True)), 14, "pkg.(A", id="method"),
        pytest.param(lambda to: _route(to, headers=headers_of(regex=True, x="(")), 16, "(", id="header"),
        pytest.param(_with_a_word_for_a_number, 18, "expected a number", id="type"),
    ],
)
def test_a_route_that_breaks_keeps_its_last_good_version(
    break_: Callable[[str], Manifest],
    line: int,
    reason: str,
    serve: Serve,
    files: Files,
    steer: Steer,
    connect: Connect,
) -> None:
    """A regular expression that is none, or a value of the wrong type; another Service's calls go on all the time."""
    _, before, after, other = serve("backend", "before", "after", "other")
    files.write("route.yaml", _route("before"))
    plane = steer()
    client = connect(plane)
    channel = client.dial(TARGET)
    with client.dial("xds:///other.shop").load(rate=50) as load:
        load.settle(other)
        channel.wait_for_backend(before, method="/pkg.A/Get")
        files.write("route.yaml", break_("after"))
        plane.wait_for_problem(f"/route.yaml:{line}", reason)
        assert {answer.backend for answer in channel.call(10, method="/pkg.A/Get")} == {before}
        files.write("route.yaml", _route("after"))
        channel.wait_for_backend(after, method="/pkg.A/Get")
        plane.wait_for_no_problem()
        load.settle(other)
    assert load.failures == []


@pytest.mark.parametrize(
    ("sections", "line", "reason"),
    [
        pytest.param({"retri": {"codes": ["Unavailable"]}}, 11, "unknown field 'retri'", id="section"),
        pytest.param(
            {"retry": {"codes": ["Unavailable"], "tries": 2}}, 14, "unknown field 'tries'", id="field"
        ),
        pytest.param({"retry": {"codes": ["Unknown"]}}, 13, "unknown value 'Unknown'", id="value"),
        pytest.param({"fault": {}}, 11, "give delay or abort", id="rule"),
    ],
)
def test_a_policy_that_breaks_keeps_its_last_good_version(
    sections: dict[str, Any],
    line: int,
    reason: str,
    backends: Backends,
    serve: Serve,
    files: Files,
    steer: Steer,
    connect: Connect,
) -> None:
    """Its retries go on; when it is fixed the new version counts."""
    (address,) = serve("backend")
    good = {"retry": {"codes": ["Unavailable"], "attempts": 2}}
    files.write("policy.yaml", traffic_policy("p", "backend", **good))
    plane = steer()
    channel = connect(plane).dial(TARGET)

    def attempts() -> int:
        backends.calls(address)
        backends.fail(address, StatusCode.UNAVAILABLE, 9)
        assert channel.call()[0].code is StatusCode.UNAVAILABLE
        return len(backends.calls(address))

    assert attempts() == 3
    files.write("policy.yaml", traffic_policy("p", "backend", **sections))
    plane.wait_for_problem(f"/policy.yaml:{line}", reason)
    assert attempts() == 3
    files.write("policy.yaml", traffic_policy("p", "backend", retry={"codes": ["Unavailable"]}))
    until(lambda: attempts() == 2, "the fixed policy")
    plane.wait_for_no_problem()


def test_an_annotation_that_means_nothing_is_named_and_the_others_count(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """As if it were not there."""
    (address,) = backends.open(1)
    files.publish([address], annotations={"steerway.io/timeout": "soon", "steerway.io/retry": "unavailable"})
    plane = steer()
    channel = connect(plane).dial(TARGET)
    backends.fail(address, StatusCode.UNAVAILABLE, 1)
    assert channel.call()[0].backend == address
    plane.wait_for_problem("Service shop/backend", "steerway.io/timeout: 'soon'")
