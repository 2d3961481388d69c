"""How many calls a client may have under way to a Service (gRFC A32)."""

from collections import Counter
from typing import Any

import pytest
from grpc import StatusCode

from testbed.backend.backend import Backends
from testbed.manifest import Files, traffic_policy
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from tests.real.conftest import Connect, Steer

TARGET = "xds:///backend.shop"


@pytest.mark.parametrize("by", ["policy", "annotation"])
def test_calls_above_the_limit_fail_at_once_and_the_others_are_answered(
    by: str, backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Of 15 calls at a time 10 reach the backend, which holds them until the other five have failed."""
    (address,) = backends.open(1)
    policy: list[Any] = [traffic_policy("p", "backend", limits={"maxRequests": 10})]
    files.publish([address], annotations={"steerway.io/max-requests": "10"} if by == "annotation" else None)
    files.write("policy.yaml", *(policy if by == "policy" else []))
    channel = connect(steer()).dial(TARGET)
    channel.wait_for_answer()
    backends.calls(address)
    backends.block(address)
    done = len(channel.answers)
    channel.begin(15)
    failed = channel.wait_for_answers(done + 5)[done:]
    assert [answer.code for answer in failed] == [StatusCode.UNAVAILABLE] * 5
    arrived = 0

    def all_arrived() -> bool:
        nonlocal arrived
        arrived += len(backends.calls(address))
        return arrived == 10

    until(all_arrived, lambda: f"10 calls at the backend, not {arrived}")
    backends.release(address)
    codes = Counter(answer.code for answer in channel.wait_for_answers(done + 15)[done:])
    assert codes == {StatusCode.OK: 10, StatusCode.UNAVAILABLE: 5}
    assert channel.call()[0].ok


def test_a_limit_that_is_raised_counts_for_the_next_calls(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """20 calls that are all under way at the same time, where only five could be."""
    (address,) = backends.open(1)
    files.publish([address])
    files.write("policy.yaml", traffic_policy("p", "backend", limits={"maxRequests": 5}))
    plane = steer()
    channel = connect(plane).dial(TARGET)
    channel.wait_for_answer()
    backends.block(address)
    done = len(channel.answers)
    channel.begin(6)
    assert channel.wait_for_answers(done + 1)[done].code is StatusCode.UNAVAILABLE
    files.write("policy.yaml", traffic_policy("p", "backend", limits={"maxRequests": 20}))
    until(lambda: _limit(plane) == 20, "the new limit")
    backends.release(address)
    channel.wait_for_answers(done + 6)
    until(lambda: all(stream["in_sync"] for stream in plane.streams()), "the client's ACK")
    answers = channel.gather(20)
    assert [answer for answer in answers if not answer.ok] == []


def _limit(plane: ControlPlane) -> int:
    (cluster,) = plane.bodies("cds", "backend.shop.svc.cluster.local:50051")
    return int(cluster["circuit_breakers"]["thresholds"][0]["max_requests"])
