"""Safety of a TrafficPolicy: what clients of two libraries get while endpoints of a Service go missing."""

from collections.abc import Sequence

import grpc

from testbed.backend.backend import Backends
from testbed.manifest import Endpoint, Files, traffic_policy
from tests.real.conftest import Connect, Steer

TARGET = "xds:///backend.shop:50051"
HELD_DOWN = "most or all of its endpoints went"


def publish(files: Files, ready: Sequence[str], unready: Sequence[str] = ()) -> None:
    """The ready and the other endpoints."""
    files.publish([*ready, *(Endpoint(address, ready=False, serving=False) for address in unready)])


def follow(files: Files, **safety: object) -> None:
    files.write("policy.yaml", traffic_policy("policy", "backend", safety=safety))


def test_fail_has_calls_fail_at_once(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Without a ready endpoint there is none, whether or not somebody would answer; then it works again."""
    (address,) = backends.open(1)
    publish(files, [address])
    follow(files, whenEmpty="Fail")
    channel = connect(steer()).dial(TARGET)
    channel.wait_for_answer()
    publish(files, [], [address])
    channel.wait_for_code(grpc.StatusCode.UNAVAILABLE)
    with channel.load() as load:
        publish(files, [address])
        load.settle(address)


def test_keep_last_has_the_last_endpoints_until_there_is_another(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Not ready or gone altogether: no call fails, there is a problem, and a new endpoint takes over."""
    first, second, new = backends.open(3)
    publish(files, [first, second])
    follow(files, whenEmpty="KeepLast")
    plane = steer()
    channel = connect(plane).dial(TARGET)
    with channel.load() as load:
        load.settle(first, second)
        publish(files, [], [first])
        plane.wait_for_problem("shop/backend", HELD_DOWN)
        load.go_on(50)
        load.settle(first, second)
        publish(files, [])
        load.go_on(50)
        load.settle(first, second)
        publish(files, [new])
        load.settle(new)
        plane.wait_for_no_problem()
    assert load.failures == []


def test_use_unready_has_endpoints_that_are_not_ready(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Only while there is no ready one."""
    ready, *unready = backends.open(3)
    publish(files, [ready], unready)
    follow(files, whenEmpty="UseUnready")
    channel = connect(steer()).dial(TARGET)
    with channel.load() as load:
        load.settle(ready)
        publish(files, [], unready)
        load.settle(*unready)
        publish(files, [ready], unready)
        load.settle(ready)
    assert load.failures == []


def test_a_panic_uses_all_endpoints(backends: Backends, files: Files, steer: Steer, connect: Connect) -> None:
    """With fewer than half of them ready; half are enough."""
    addresses = backends.open(4)
    publish(files, addresses[:2], addresses[2:])
    follow(files, panicPercent=50)
    channel = connect(steer()).dial(TARGET)
    with channel.load() as load:
        load.settle(*addresses[:2])
        publish(files, addresses[:1], addresses[1:])
        load.settle(*addresses)
        publish(files, addresses[:3], addresses[3:])
        load.settle(*addresses[:3])
    assert load.failures == []


def test_a_loss_of_most_endpoints_is_held_back(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """For an hour; enough endpoints end it at once, and what is gone then is gone."""
    addresses = backends.open(4)
    publish(files, addresses)
    follow(files, minHealthyPercent=50, holdTime="1h")
    plane = steer()
    channel = connect(plane).dial(TARGET)
    with channel.load() as load:
        load.settle(*addresses)
        publish(files, addresses[:1])
        plane.wait_for_problem("shop/backend", HELD_DOWN)
        load.go_on(50)
        load.settle(*addresses)
        publish(files, addresses[:3])
        load.settle(*addresses[:3])
        plane.wait_for_no_problem()
    assert load.failures == []


def test_a_loss_of_most_endpoints_is_applied_in_the_end(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """When the time is over, without another change of anything."""
    addresses = backends.open(4)
    publish(files, addresses)
    follow(files, minHealthyPercent=50, holdTime="2s")
    plane = steer()
    channel = connect(plane).dial(TARGET)
    with channel.load() as load:
        load.settle(*addresses)
        publish(files, addresses[:1])
        plane.wait_for_problem("shop/backend", HELD_DOWN)
        load.settle(addresses[0])
        plane.wait_for_no_problem()
    assert load.failures == []
