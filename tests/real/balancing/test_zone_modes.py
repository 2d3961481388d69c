"""Zones of a TrafficPolicy, as gRPC clients of two libraries follow them, with the control plane and without."""

from collections.abc import Sequence

import grpc
import pytest

from steerway.catalog.locality import spill
from testbed.backend.backend import Backends
from testbed.client.sample import assert_shares, counted, meet
from testbed.manifest import Endpoint, Files, traffic_policy
from testbed.process.deadline import until
from tests.real.conftest import Connect, Steer

TARGET = "xds:///backend.shop:50051"
CLUSTER = "backend.shop.svc.cluster.local:50051"
HERE = ("--zone", "eu-1a")
ZONES = ("eu-1a", "eu-1b", "eu-1b", "us-1a", "us-1a")


def publish(files: Files, addresses: Sequence[str], zones: Sequence[str], **spec: object) -> None:
    """Each backend in its zone."""
    files.publish([Endpoint(*item) for item in zip(addresses, zones, strict=True)], **spec)


def follow(files: Files, mode: str, **zones: object) -> None:
    files.write("policy.yaml", traffic_policy("policy", "backend", zones={"mode": mode, **zones}))


def test_spill_sends_away_what_the_own_zone_cannot_carry(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """One of five endpoints is at home: it keeps its part, and all of it once it may carry more."""
    own, *others = addresses = backends.open(5)
    publish(files, addresses, ZONES)
    follow(files, "Spill")
    channel = connect(steer(), *HERE).dial(TARGET)
    meet(channel, addresses)
    shares = spill.shares({"eu-1a": 1, "eu-1b": 2, "us-1a": 2}, 1.4)["eu-1a"]
    away = {backend: shares[zone] / 2 for backend, zone in zip(others, ZONES[1:], strict=True)}
    assert_shares(channel.call(1500), {own: shares["eu-1a"], **away})
    follow(files, "Spill", overloadPercent=200)
    with channel.load(rate=200) as load:
        load.settle(own)
    assert counted(channel.call(300)) == {own: 300}


def test_spill_follows_the_demand_of_the_policy(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """With all clients in one zone and no overload, requests are spread over all endpoints alike."""
    addresses = backends.open(3)
    publish(files, addresses, ["eu-1a", "eu-1b", "eu-1b"])
    follow(files, "Spill", overloadPercent=100, demand=[{"zone": "eu-1a", "weight": 1}])
    channel = connect(steer(), *HERE).dial(TARGET)
    meet(channel, addresses)
    assert_shares(channel.call(1200), dict.fromkeys(addresses, 1 / 3))


def test_failover_goes_on_in_the_next_tier_without_the_control_plane(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Own zone, region, rest: each when the one before has died, and back when it lives again, without a push."""
    own, region, rest = addresses = backends.open(3)
    publish(files, addresses, ["eu-1a", "eu-1b", "us-1a"])
    follow(files, "Failover")
    plane = steer()
    channel = connect(plane, *HERE).dial(TARGET)
    channel.wait_for_backend(own)
    assert counted(channel.call(100)) == {own: 100}
    plane.assert_no_nack()
    plane.stop()
    with channel.load() as load:
        backends.close(own)
        load.settle(region)
        backends.close(region)
        load.settle(rest)
        backends.reopen(own)
        load.settle(own)


def test_a_client_starts_behind_a_zone_without_live_endpoints(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """The control plane publishes the dead endpoint of its zone; the first call succeeds all the same."""
    own, region, rest = addresses = backends.open(3)
    backends.close(own)
    publish(files, addresses, ["eu-1a", "eu-1b", "us-1a"])
    follow(files, "Failover")
    plane = steer()
    until(plane.ready, "steerway knows its files")
    channel = connect(plane, *HERE).dial(TARGET)
    assert counted(channel.call(30)) == {region: 30}
    elsewhere = connect(plane, "--zone", "us-1c").dial(TARGET)
    assert counted(elsewhere.call(30)) == {rest: 30}, "a zone without endpoints has a region, too"


def test_strict_never_leaves_the_zone(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """When its endpoint dies calls fail; a client in a zone without any has none; one in no known zone has all."""
    own, remote = addresses = backends.open(2)
    publish(files, addresses, ["eu-1a", "eu-1b"])
    follow(files, "Strict")
    plane = steer()
    channel = connect(plane, *HERE).dial(TARGET)
    channel.wait_for_backend(own)
    unknown, elsewhere = connect(plane), connect(plane, "--zone", "eu-1c")
    meet(unknown.dial(TARGET), addresses)
    (refused,) = elsewhere.dial(TARGET).call()
    assert refused.code is grpc.StatusCode.UNAVAILABLE
    backends.close(own)
    channel.wait_for_code(grpc.StatusCode.UNAVAILABLE)
    assert {answer.code for answer in channel.call(20)} == {grpc.StatusCode.UNAVAILABLE}
    backends.reopen(own)
    channel.wait_for_answer()
    assert remote not in {answer.backend for answer in channel.answers}


def test_favor_weighs_the_own_zone(backends: Backends, files: Files, steer: Steer, connect: Connect) -> None:
    """1000:1 is nearly all; 3:1 is three quarters, however many endpoints the other zone has."""
    own, *others = addresses = backends.open(3)
    publish(files, addresses, ["eu-1a", "eu-1b", "eu-1b"])
    follow(files, "Favor", favorWeight=3)
    channel = connect(steer(), *HERE).dial(TARGET)
    meet(channel, addresses)
    assert_shares(channel.call(1200), {own: 3 / 4, **dict.fromkeys(others, 1 / 8)})
    follow(files, "Favor")
    with channel.load(rate=200) as load:
        load.settle(own)
    assert_shares(channel.call(1200), {own: 1000 / 1001, **dict.fromkeys(others, 1 / 2002)})


@pytest.mark.parametrize("distribution", ["", "PreferSameZone"])
def test_disabled_zones_make_no_difference(
    backends: Backends, files: Files, steer: Steer, connect: Connect, distribution: str
) -> None:
    """Also where the Service itself would prefer the own zone: the policy's word counts more."""
    addresses = backends.open(3)
    spec = {"trafficDistribution": distribution} if distribution else {}
    publish(files, addresses, ["eu-1a", "eu-1b", "us-1a"], **spec)
    follow(files, "Disabled")
    plane = steer()
    channel = connect(plane, *HERE).dial(TARGET)
    meet(channel, addresses)
    assert_shares(channel.call(900), dict.fromkeys(addresses, 1 / 3))
    (assignment,) = plane.bodies("eds", CLUSTER)
    assert {group.get("priority", 0) for group in assignment["endpoints"]} == {0}
