"""Subsets of a TrafficPolicy: how many endpoints clients of two libraries see, which, and what a change moves."""

from collections import Counter

from envoy.config.core.v3.base_pb2 import Node

from steerway.translate.client.node import bucket_of
from testbed.backend.backend import Backends
from testbed.client.grpc_client import Channel
from testbed.client.sample import counted
from testbed.manifest import Endpoint, Files, traffic_policy
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from tests.real.conftest import Connect, Steer

TARGET = "xds:///backend.shop:50051"
CLUSTER = "backend.shop.svc.cluster.local:50051"
BUCKETS = 4
DIVIDED = ("--subset-buckets", str(BUCKETS))
CLIENTS = tuple(f"client-{number}" for number in range(12))
Seen = dict[str, frozenset[str]]
"""Client → the backends that it sees."""


def bucket(client: str) -> int | None:
    return bucket_of(Node(id=client).SerializeToString(), "127.0.0.1", BUCKETS)


def assigned(plane: ControlPlane) -> set[frozenset[str]]:
    """The sets of endpoints that clients get in the first priority."""
    sockets = [
        [
            endpoint["endpoint"]["address"]["socket_address"]
            for group in assignment["endpoints"]
            if not group.get("priority")
            for endpoint in group["lb_endpoints"]
        ]
        for assignment in plane.bodies("eds", CLUSTER)
    ]
    return {frozenset(f"{item['address']}:{item['port_value']}" for item in socket) for socket in sockets}


def see(channel: Channel, size: int) -> frozenset[str]:
    """The backends that answer a channel, once they are those that it got: each of `size` gets its turn."""
    return frozenset(counted(channel.call(3 * size)))


def settled(channels: dict[str, Channel], plane: ControlPlane, size: int) -> Seen:
    """What all clients see, once they have the present assignment."""
    seen: Seen = {}

    def look() -> bool:
        known = assigned(plane)
        seen.update((name, see(channel, size)) for name, channel in channels.items())
        return set(seen.values()) <= known and all(len(item) == size for item in seen.values())

    until(look, lambda: f"{size} backends for each client: {seen}")
    return seen


def subset(files: Files, **sections: object) -> None:
    files.write("policy.yaml", traffic_policy("policy", "backend", **sections))


def test_each_bucket_sees_its_few_and_all_together_see_all(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """7 of 20 (a third, rounded up) for each of 12 clients; one endpoint more moves few; a greater minimum counts."""
    addresses = backends.open(20)
    files.publish(addresses)
    subset(files, subset={"percent": 33})
    plane = steer(*DIVIDED)
    channels = {client: connect(plane, "--node-id", client).dial(TARGET) for client in CLIENTS}
    before = settled(channels, plane, 7)
    by_bucket = {bucket(client): seen for client, seen in before.items()}
    assert set(by_bucket) == set(range(BUCKETS))
    assert all(by_bucket[bucket(client)] == seen for client, seen in before.items())
    uses = Counter(address for seen in by_bucket.values() for address in seen)
    assert {uses[address] for address in addresses} == {1, 2}, "28 seats over 20 backends"
    (new,) = backends.open(1)
    files.publish([*addresses, new])
    until(lambda: any(new in item for item in assigned(plane)), "some client gets the new one")
    after = settled(channels, plane, 7)
    moved = sum(len(seen - by_bucket[number]) for number, seen in _by_bucket(after).items())
    assert 1 <= moved <= 8, "of 28 seats; two on average"
    subset(files, subset={"min": 9, "percent": 33})
    settled(channels, plane, 9)


def _by_bucket(seen: Seen) -> dict[int | None, frozenset[str]]:
    return {bucket(client): value for client, value in seen.items()}


def test_a_subset_of_near_endpoints_is_filled_up_from_far_ones(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """4 endpoints: both of the own zone and 2 others; when all of them die, the ones behind take over."""
    file, remote = backends.open(2), backends.open(5)
    files.publish(
        [*(Endpoint(item, "eu-1a") for item in file), *(Endpoint(item, "us-1a") for item in remote)]
    )
    subset(files, zones={"mode": "Failover"}, subset={"min": 4, "percent": 0})
    plane = steer(*DIVIDED)
    channel = connect(plane, "--zone", "eu-1a").dial(TARGET)
    seen = settled({"": channel}, plane, 4)[""]
    assert seen > set(file)
    with channel.load() as load:
        backends.close(*seen)
        load.settle(*(set(remote) - seen))


def test_clients_that_are_not_divided_see_everything(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Without buckets a subset is not followed."""
    addresses = backends.open(4)
    files.publish(addresses)
    subset(files, subset={"min": 1, "percent": 0})
    plane = steer("--subset-buckets", "0")
    settled({"": connect(plane).dial(TARGET)}, plane, 4)
