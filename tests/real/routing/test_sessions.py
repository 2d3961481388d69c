"""Sessions by cookie (gRFC A55): of gRPC clients C-core alone has them; grpc-go passes over that and works."""

from typing import Any

import pytest

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Answer
from testbed.manifest import Endpoint, Files, traffic_policy
from tests.real.conftest import Connect, Steer

TARGET = "xds:///backend.shop"
SESSION: dict[str, Any] = {"cookie": {"name": "sid"}}


def cookie_of(answer: Answer) -> dict[str, str]:
    """What a client sends back."""
    cookie, _, attributes = answer.metadata["set-cookie"].partition(";")
    assert cookie.startswith("sid="), answer
    assert "HttpOnly" in attributes, answer
    return {"cookie": cookie}


@pytest.mark.parametrize("connect", ["grpcio"], indirect=True)
def test_a_client_that_sends_the_cookie_back_stays_on_its_backend(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Each of three backends has a cookie of its own; calls without one go round."""
    addresses = backends.open(3)
    files.publish(addresses)
    files.write("policy.yaml", traffic_policy("p", "backend", session=SESSION))
    channel = connect(steer()).dial(TARGET)
    with channel.load() as load:
        load.settle(*addresses)
    cookies = {answer.backend: cookie_of(answer) for answer in load.answers}
    assert set(cookies) == set(addresses)
    for address, metadata in cookies.items():
        answers = channel.call(30, metadata=metadata)
        assert {answer.backend for answer in answers} == {address}
        assert not any("set-cookie" in answer.metadata for answer in answers)


@pytest.mark.parametrize("connect", ["grpcio"], indirect=True)
def test_a_session_outlives_the_start_of_a_drain_and_ends_with_the_endpoint(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """A pod that terminates and still serves keeps its sessions and gets no others; when it goes they go elsewhere."""
    old, new = backends.open(2)
    files.publish([old, new])
    files.write("policy.yaml", traffic_policy("p", "backend", session=SESSION))
    client = connect(steer())
    channel, within = client.dial(TARGET), client.dial(TARGET)
    within.wait_for_backend(old)
    metadata = cookie_of(within.answers[-1])
    with channel.load() as load, within.load(metadata=metadata) as session:
        load.settle(old, new)
        session.settle(old)
        files.publish([Endpoint(old, ready=False, terminating=True), new])
        load.settle(new)
        session.go_on()
        session.settle(old)
        files.publish([new])
        session.settle(new)
        backends.close(old)
        session.go_on()
    assert load.failures == []
    assert session.failures == []


@pytest.mark.parametrize("connect", [pytest.param("grpc-go", marks=[pytest.mark.needs("go")])], indirect=True)
def test_a_client_that_knows_no_sessions_works_without(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """The filter is optional: no cookie is set, and one that is sent steers nothing."""
    addresses = backends.open(2)
    files.publish(addresses)
    files.write("policy.yaml", traffic_policy("p", "backend", session=SESSION))
    channel = connect(steer()).dial(TARGET)
    with channel.load(metadata={"cookie": "sid=abc"}) as load:
        load.settle(*addresses)
    assert load.failures == []
    assert not any("set-cookie" in answer.metadata for answer in load.answers)
