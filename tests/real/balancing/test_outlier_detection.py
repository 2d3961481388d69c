"""Outlier detection of a TrafficPolicy (gRFC A50): clients of two libraries leave out one that fails its calls."""

from typing import Any

import grpc
import pytest

from testbed.backend.backend import Backends
from testbed.manifest import Files, traffic_policy
from tests.real.conftest import Connect, Steer

TARGET = "xds:///backend.shop:50051"
FOR_EVER = 1_000_000
QUICK = {"interval": "500ms", "baseEjectionTime": "3s", "maxEjectionTime": "3s", "maxEjectionPercent": 50}


@pytest.mark.parametrize(
    "algorithm",
    [
        {"failurePercentage": {"threshold": 50, "minimumHosts": 3, "requestVolume": 5}},
        {"successRate": {"stdevFactorPercent": 100, "minimumHosts": 3, "requestVolume": 5}},
    ],
    ids=["failure percentage", "success rate"],
)
def test_a_backend_that_fails_every_call_is_left_out_and_comes_back(
    backends: Backends, files: Files, steer: Steer, connect: Connect, algorithm: dict[str, Any]
) -> None:
    """By its share of failures, or by what the others do better."""
    addresses = backends.open(4)
    files.publish(addresses)
    files.write("policy.yaml", traffic_policy("policy", "backend", outlierDetection={**QUICK, **algorithm}))
    channel = connect(steer()).dial(TARGET)
    with channel.load(rate=200) as load:
        load.settle(*addresses)
        backends.fail(addresses[0], grpc.StatusCode.INTERNAL, FOR_EVER)
        load.settle(*addresses[1:])
        backends.fail(addresses[0], grpc.StatusCode.INTERNAL, 0)
        load.wait_for_backend(addresses[0])
        load.settle(*addresses)
    assert {answer.code for answer in load.failures} == {grpc.StatusCode.INTERNAL}


def test_with_few_requests_no_endpoint_is_ejected(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """One that fails stays in turn: a third of the calls fail."""
    addresses = backends.open(3)
    files.publish(addresses)
    rare = {"failurePercentage": {"minimumHosts": 3, "requestVolume": 100_000}}
    files.write("policy.yaml", traffic_policy("policy", "backend", outlierDetection={**QUICK, **rare}))
    channel = connect(steer()).dial(TARGET)
    with channel.load(rate=200) as load:
        load.settle(*addresses)
        backends.fail(addresses[0], grpc.StatusCode.INTERNAL, FOR_EVER)
        load.wait(lambda answers: sum(not answer.ok for answer in answers) >= 150, "failures go on")
