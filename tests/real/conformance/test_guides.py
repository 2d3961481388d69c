"""The main example of each guide works as described, with clients of two libraries.

The manifests are those of docs/guides, word for word; only the endpoints are ours.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial

import grpc
from envoy.config.core.v3.base_pb2 import Node

from steerway.catalog.locality import spill
from steerway.catalog.locality.subset import subset
from steerway.translate.client.node import bucket_of
from testbed.backend.backend import Backends
from testbed.client.grpc_client import Answer
from testbed.client.sample import assert_shares, counted, meet
from testbed.manifest import NAMESPACE, Endpoint, Files, slices
from testbed.process.deadline import until
from tests.real.conftest import Connect, Steer
from tests.support.example import guide

TARGET = "xds:///backend.shop"
ZONES = {"eu-1a": 2, "eu-1b": 4, "eu-1c": 4}
"""The endpoints of the worked example."""
BUCKETS = 16


def open_for(backends: Backends, files: Files, *services: str, namespace: str = NAMESPACE) -> list[str]:
    """A backend for each of these Services of a guide; returns their addresses."""
    addresses = backends.open(len(services))
    for name, address in zip(services, addresses, strict=True):
        files.write(f"endpoints-{name}.yaml", *slices(name, [address], "grpc", namespace))
    return addresses


def test_a_small_zone_spills_what_it_cannot_carry(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """zones.md: 84 % at home and 8 % to each of the others, of 1,500 calls; the others keep all of theirs."""
    addresses = backends.open(sum(ZONES.values()))
    names = [name for name, count in ZONES.items() for _ in range(count)]
    guide.publish(files, "zones")
    pods = [Endpoint(*item) for item in zip(addresses, names, strict=True)]
    files.write("endpoints.yaml", *slices("backend", pods, "grpc"))
    plane = steer()
    small = connect(plane, "--zone", "eu-1a").dial(TARGET)
    meet(small, addresses)
    row = spill.shares(ZONES, 1.4)["eu-1a"]
    assert_shares(
        small.call(1500),
        {pod.address: row[zone] / ZONES[zone] for pod, zone in zip(pods, names, strict=True)},
    )
    home = {address for address, zone in zip(addresses, names, strict=True) if zone == "eu-1b"}
    large = connect(plane, "--zone", "eu-1b").dial(TARGET)
    meet(large, home)
    assert counted(large.call(200)).keys() == home


def test_clients_see_seven_of_twenty_endpoints(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """subsets.md: those of one bucket the same ones, another bucket others, by the bucket alone."""
    addresses = backends.open(20)
    guide.publish(files, "subsets")
    files.write("endpoints.yaml", *slices("backend", addresses, "grpc"))
    plane = steer()
    buckets: dict[int, list[str]] = {}
    for number in range(BUCKETS * BUCKETS):
        name = f"client-{number}"
        bucket = bucket_of(Node(id=name).SerializeToString(), "127.0.0.1", BUCKETS)
        assert bucket is not None
        buckets.setdefault(bucket, []).append(name)
    (first, (a, b, *_)), (second, (c, *_)) = sorted(buckets.items())[:2]
    seen = {}
    for client, bucket in ((a, first), (b, first), (c, second)):
        channel = connect(plane, "--node-id", client).dial(TARGET)
        wanted = subset(addresses, 7, bucket, BUCKETS)
        meet(channel, wanted)
        seen[client] = frozenset(counted(channel.call(70)))
        assert seen[client] == wanted
    assert seen[a] == seen[b] != seen[c]


def test_a_canary_gets_its_share_and_its_testers_and_is_rolled_forward_and_back(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """canary.md: a tenth of 1,000 calls; a header decides for all; no call fails while weights change.

    Where a weight leaves 0 a call of grpc-go may fail, as described there: it takes a route before the new cluster.
    """
    guide.publish(files, "canary")
    _, v1, v2 = open_for(backends, files, "backend", "backend-v1", "backend-v2")
    channel = connect(steer()).dial(TARGET)
    meet(channel, {v1, v2})
    assert_shares(channel.call(1000), {v1: 0.9, v2: 0.1})
    assert counted(channel.call(50, metadata={"x-canary": "true"})) == {v2: 50}
    *services, route = guide.documents("canary")
    split = route["spec"]["rules"][1]["backendRefs"]

    def weigh(*weights: int) -> None:
        for backend, weight in zip(split, weights, strict=True):
            backend["weight"] = weight
        files.write("canary-0.yaml", *services, route)

    with channel.load(rate=200) as load:
        for old, new in ((10, 90), (90, 10), (10, 90)):
            weigh(old, new)
            # Of 100 calls 90, and 70 are six standard deviations fewer.
            most = v1 if old > new else v2
            load.wait(partial(_mostly, most), f"most answers of {most}")
        weigh(0, 100)
        load.settle(v2)
    assert load.failures == []


def _mostly(backend: str, answers: Sequence[Answer]) -> bool:
    newest = answers[-100:]
    return len(newest) == 100 and sum(answer.backend == backend for answer in newest) > 70


def test_a_namespace_has_a_route_of_its_own(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """canary.md: clients of `web` get the new version alone, those of others the weights."""
    guide.publish(files, "canary")
    guide.publish(files, "canary", 1)
    _, v1, v2 = open_for(backends, files, "backend", "backend-v1", "backend-v2")
    plane = steer()
    everybody = connect(plane).dial(TARGET)
    meet(everybody, {v1, v2})
    web = connect(plane, "--namespace", "web").dial(TARGET)
    assert counted(web.call(100)) == {v2: 100}


def test_each_team_has_its_service_behind_one_target(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """canary.md: the virtual API gateway."""
    guide.publish(files, "canary", 2)
    (orders,) = open_for(backends, files, "orders")
    (invoices,) = open_for(backends, files, "invoices", namespace="billing")
    channel = connect(steer()).dial("xds:///api.shop")
    for called, backend in (("shop.Orders", orders), ("billing.Invoices", invoices)):
        channel.wait_for_backend(backend, method=f"/{called}/Get")
        assert counted(channel.call(20, method=f"/{called}/Get")) == {backend: 20}
    assert channel.call(method="/shop.Carts/Get")[0].code is grpc.StatusCode.UNAVAILABLE


def test_what_reads_is_tried_again_and_what_writes_is_not(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """retries.md: four attempts in all for `Get`, one for another method, one after a code that is not listed."""
    guide.publish(files, "retries")
    (address,) = open_for(backends, files, "backend")
    channel = connect(steer()).dial(TARGET)
    channel.wait_for_backend(address, method="/shop.Catalog/Get")

    def attempts(called: str, code: grpc.StatusCode) -> int:
        backends.calls(address)
        backends.fail(address, code, 9)
        (answer,) = channel.call(method=f"/shop.Catalog/{called}")
        backends.fail(address, code, 0)
        assert answer.code is code
        return len(backends.calls(address))

    unavailable = grpc.StatusCode.UNAVAILABLE
    assert [attempts(called, unavailable) for called in ("Get", "List", "Put")] == [4, 4, 1]
    assert attempts("Get", grpc.StatusCode.INTERNAL) == 1
    backends.fail(address, unavailable, 3)
    assert channel.call(method="/shop.Catalog/Get")[0].ok


def test_calls_end_in_time_and_a_client_has_a_hundred_under_way(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """retries.md: of 120 calls 20 fail at once, and the backend, which blocks the others, is left in the end."""
    guide.publish(files, "retries")
    (address,) = open_for(backends, files, "backend")
    channel = connect(steer()).dial(TARGET)
    channel.wait_for_answer()
    backends.block(address)
    done = len(channel.answers)
    channel.begin(120, deadline_seconds=600)
    codes = Counter(answer.code for answer in channel.wait_for_answers(done + 120)[done:])
    assert codes == {grpc.StatusCode.UNAVAILABLE: 20, grpc.StatusCode.DEADLINE_EXCEEDED: 100}
    backends.release(address)
    until(lambda: channel.call()[0].ok, "an answer")
