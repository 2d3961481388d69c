"""Balancing of a TrafficPolicy: how clients of two libraries choose among equal endpoints, or what they do instead."""

from collections.abc import Sequence

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Channel
from testbed.client.sample import assert_shares, counted, meet
from testbed.manifest import Files, traffic_policy
from testbed.process.deadline import until
from tests.real.conftest import Connect, Steer

TARGET = "xds:///backend.shop:50051"
USERS = tuple(f"user-{number}" for number in range(60))


def follow(files: Files, policy: str, **balancing: object) -> None:
    files.write("policy.yaml", traffic_policy("policy", "backend", balancing={"policy": policy, **balancing}))


def homes(channel: Channel, users: Sequence[str] = USERS) -> dict[str, str]:
    """The backend that answers each user, by the header that is hashed."""
    return {user: channel.call(metadata={"x-user": user})[0].backend for user in users}


def test_round_robin_gives_each_its_turn(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Three backends, thirty calls each."""
    addresses = backends.open(3)
    files.publish(addresses)
    follow(files, "RoundRobin")
    channel = connect(steer()).dial(TARGET)
    meet(channel, addresses)
    assert counted(channel.call(90)) == dict.fromkeys(addresses, 30)


def test_ring_hash_by_header_keeps_equal_requests_together(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Also over channels; a backend that dies loses its users to others, which keep theirs, and gets them back."""
    addresses = backends.open(4)
    files.publish(addresses)
    follow(files, "RingHash", ringHash={"hashOn": [{"header": "x-user"}]})
    client = connect(steer())
    channel = client.dial(TARGET)
    channel.wait_for_answer()
    first = homes(channel)
    assert set(first.values()) == set(addresses)
    assert homes(channel) == homes(client.dial(TARGET)) == first
    dead = first[USERS[0]]
    backends.close(dead)
    until(lambda: channel.call(metadata={"x-user": USERS[0]})[0].ok, "another backend for the first user")
    second = homes(channel)
    assert {user for user in USERS if second[user] != first[user]} == {
        user for user in USERS if first[user] == dead
    }
    backends.reopen(dead)
    until(lambda: homes(channel) == first, "every user where it was")


def test_ring_hash_by_header_moves_few_when_an_endpoint_goes(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """The users of the one that went, and some: libraries build a ring of the same size for fewer endpoints."""
    addresses = backends.open(4)
    files.publish(addresses)
    follow(files, "RingHash", ringHash={"hashOn": [{"header": "x-user"}]})
    channel = connect(steer()).dial(TARGET)
    channel.wait_for_answer()
    first = homes(channel)
    gone = first[USERS[0]]
    files.publish([address for address in addresses if address != gone])
    until(lambda: channel.call(metadata={"x-user": USERS[0]})[0].backend != gone, "a ring of three")
    second = homes(channel)
    others = [user for user in USERS if first[user] != gone]
    assert gone not in second.values()
    assert sum(second[user] != first[user] for user in others) <= len(others) / 2


def test_ring_hash_by_channel_gives_each_channel_one_backend(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Not all the same one."""
    addresses = backends.open(4)
    files.publish(addresses)
    follow(files, "RingHash")
    client = connect(steer())
    channels = [client.dial(TARGET) for _ in range(14)]
    answered = [counted(channel.call(15)) for channel in channels]
    assert [len(backends) for backends in answered] == [1] * 14
    assert len({backend for backends in answered for backend in backends}) > 1


def test_least_request_spares_the_one_that_is_busy(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """grpc-go gives no call to a backend that sits on one while others have none; grpcio goes round."""
    addresses = backends.open(6)
    files.publish(addresses)
    follow(files, "LeastRequest", leastRequest={"choices": 10})
    client = connect(steer())
    channel = client.dial(TARGET)
    meet(channel, addresses)
    if client.library == "grpcio":
        assert counted(channel.call(60)) == dict.fromkeys(addresses, 10)
        return
    busy = addresses[0]
    backends.calls(busy)
    backends.block(busy)
    until(lambda: channel.begin() or backends.calls(busy), "a call that the busy one holds")
    answered = counted(channel.call(120))
    assert set(answered) == set(addresses[1:])
    backends.release(busy)
    meet(channel, addresses)


def test_weighted_round_robin_follows_the_load_reports(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """At the same rate of calls, one that is nine times as busy as the other gets a ninth of its calls. Errors have no
    weight with a penalty of 0; with the default one the two would be equal."""
    busy, idle = addresses = backends.open(2)
    backends.report(busy, 90)
    backends.report(idle, 10, errors=80)
    files.publish(addresses)
    weighted = {"blackoutPeriod": "0s", "updatePeriod": "100ms", "errorPenaltyPercent": 0}
    follow(files, "WeightedRoundRobin", weightedRoundRobin=weighted)
    channel = connect(steer()).dial(TARGET)
    meet(channel, addresses)
    until(lambda: counted(channel.call(50))[busy] < 10, "weights by the reports")
    assert_shares(channel.call(400), {busy: 0.1, idle: 0.9})
    backends.report(busy, 10)
    until(lambda: counted(channel.call(50))[busy] > 20, "equal weights for equal load")
    assert_shares(channel.call(400), {busy: 0.5, idle: 0.5})


def test_weighted_round_robin_without_reports_goes_round(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Backends without load reports are equal."""
    addresses = backends.open(3)
    files.publish(addresses)
    follow(files, "WeightedRoundRobin")
    channel = connect(steer()).dial(TARGET)
    meet(channel, addresses)
    assert_shares(channel.call(300), dict.fromkeys(addresses, 1 / 3))


def test_pick_first_gives_each_channel_one_backend(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Shuffled, so that not all channels have the same one; when it dies the channel has another."""
    addresses = backends.open(4)
    files.publish(addresses)
    follow(files, "PickFirst")
    client = connect(steer())
    channels = [client.dial(TARGET) for _ in range(14)]
    answered = [counted(channel.call(15)) for channel in channels]
    assert [len(backends) for backends in answered] == [1] * 14
    assert len({backend for backends in answered for backend in backends}) > 1
    (first,) = answered[0]
    backends.close(first)
    until(lambda: channels[0].call()[0].ok, "another backend")
    assert len(counted(channels[0].call(30))) == 1


def test_random_falls_back_to_round_robin(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """gRPC clients have no such policy; they get one that they support."""
    addresses = backends.open(3)
    files.publish(addresses)
    follow(files, "Random")
    channel = connect(steer()).dial(TARGET)
    meet(channel, addresses)
    assert counted(channel.call(90)) == dict.fromkeys(addresses, 30)


def test_a_policy_is_changed_under_load(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """From one algorithm to the next and back, without a failed call: one backend and all of them in turn."""
    addresses = backends.open(3)
    files.publish(addresses)
    follow(files, "RoundRobin")
    channel = connect(steer()).dial(TARGET)
    with channel.load() as load:
        load.settle(*addresses)
        for first, all_ in (("RingHash", "LeastRequest"), ("PickFirst", "WeightedRoundRobin")):
            follow(files, first)
            load.wait(lambda answers: len(answers) > 30 and len(counted(answers[-30:])) == 1, "one backend")
            follow(files, all_)
            load.settle(*addresses)
    assert load.failures == []
