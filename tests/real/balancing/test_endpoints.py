"""gRPC clients follow the endpoints of a Service: none, some, others, in zones, over IPv6."""

from collections import Counter

import grpc

from testbed.backend.backend import Backends
from testbed.manifest import Endpoint, Files, service, slices
from testbed.process.deadline import until
from tests.real.conftest import EVERY_LIBRARY, Connect, Steer

TARGET = "xds:///backend.shop:50051"


@EVERY_LIBRARY
def test_calls_are_balanced_over_all_endpoints(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Each of three backends answers its third of the calls."""
    addresses = backends.open(3)
    files.publish(addresses)
    channel = connect(steer()).dial(TARGET)
    with channel.load() as load:
        load.settle(*addresses)
    answered = Counter(answer.backend for answer in channel.call(90))
    assert set(answered) == set(addresses)
    assert min(answered.values()) >= 25
    assert not load.failures


@EVERY_LIBRARY
def test_added_and_removed_endpoints_are_followed_without_a_failed_call(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """A new backend gets calls; one that is terminating gets none, and may stop."""
    first, second, third = backends.open(3)
    files.publish([first, second])
    channel = connect(steer()).dial(TARGET)
    with channel.load() as load:
        load.settle(first, second)
        files.publish([first, second, third])
        load.settle(first, second, third)
        files.publish([Endpoint(first, ready=False, terminating=True), second, third])
        load.settle(second, third)
        backends.close(first)
        files.publish([second, third])
        load.go_on()
        load.settle(second, third)
    assert load.failures == []


def test_an_external_name_is_resolved_by_clients(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """gRFC A37: the host of a Service of type ExternalName, by the client's own DNS."""
    (address,) = backends.open(1)
    port = Endpoint(address).port
    files.write("host.yaml", service("host", {}, type="ExternalName", externalName="localhost"))
    channel = connect(steer()).dial(f"xds:///host.shop:{port}")
    assert {answer.backend for answer in channel.call(10)} == {address}


@EVERY_LIBRARY
def test_a_service_without_endpoints_fails_calls_at_once_and_works_again_when_it_has_some(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """UNAVAILABLE while it is empty, long before the deadline of the call; then the same channel recovers."""
    (address,) = backends.open(1)
    files.publish([])
    plane = steer()
    channel = connect(plane).dial(TARGET)
    (refused,) = channel.call()
    assert refused.code is grpc.StatusCode.UNAVAILABLE
    files.publish([address])
    with channel.load() as load:
        load.settle(address)
        files.publish([])
        load.wait(
            lambda answers: [a.code for a in answers[-10:]] == [grpc.StatusCode.UNAVAILABLE] * 10,
            "ten calls that fail",
        )
        files.publish([address])
        load.settle(address)
    assert {answer.code for answer in load.failures} == {grpc.StatusCode.UNAVAILABLE}


def test_endpoints_that_are_not_ready_get_no_calls_until_they_are(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """A pod that starts is published as not ready; nothing listens there yet, and no call fails."""
    ready, starting = backends.open(2)
    backends.close(starting)
    files.publish([ready, Endpoint(starting, ready=False, serving=False)])
    channel = connect(steer()).dial(TARGET)
    with channel.load() as load:
        load.settle(ready)
        backends.reopen(starting)
        files.publish([ready, starting])
        load.settle(ready, starting)
    assert load.failures == []


def test_endpoints_of_all_zones_share_the_calls_by_their_number(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Two zones with one and three endpoints: a locality each, weighted, and no endpoint goes without."""
    alone, *others = backends.open(4)
    files.publish([Endpoint(alone, "eu-1a"), *(Endpoint(other, "eu-1b") for other in others)])
    plane = steer()
    channel = connect(plane).dial(TARGET)
    with channel.load(rate=200) as load:
        load.settle(alone, *others)
    (assignment, *_) = plane.bodies("eds", "backend.shop.svc.cluster.local:50051")
    zones = {
        group["locality"]["zone"]: (int(group["load_balancing_weight"]), len(group["lb_endpoints"]))
        for group in assignment["endpoints"]
    }
    assert zones == {"eu-1a": (1, 1), "eu-1b": (3, 3)}
    assert load.failures == []


def test_a_client_stays_in_its_zone_while_it_has_an_endpoint_there(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """trafficDistribution: the other zone replaces one that dies, without the control plane."""
    local, remote = backends.open(2)
    endpoints = [Endpoint(local, "eu-1a"), Endpoint(remote, "eu-1b")]
    files.publish(endpoints, trafficDistribution="PreferSameZone")
    plane = steer()
    channel = connect(plane, "--zone", "eu-1a").dial(TARGET)
    with channel.load() as load:
        load.settle(local)
        load.go_on(50)
        assert {answer.backend for answer in load.answers if answer.ok} == {local}
        assert load.failures == []
        (stream,) = plane.streams()
        assert "/shop/eu-1a/" in stream["audience"]
        backends.close(local)
        load.settle(remote)
        backends.reopen(local)
        load.settle(local)
        files.publish(endpoints)
        load.settle(local, remote)


def test_a_channel_stays_with_one_endpoint_of_a_service_with_session_affinity(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """ClientIP: by the channel, since that is what a gRPC client has one of; without it, calls go round."""
    addresses = backends.open(3)
    files.publish(addresses, sessionAffinity="ClientIP")
    channel = connect(steer()).dial(TARGET)
    channel.wait_for_answer()
    assert len({answer.backend for answer in channel.call(60)}) == 1
    with channel.load() as load:
        files.publish(addresses)
        load.settle(*addresses)
    assert load.failures == []


def test_a_service_with_ipv6_addresses_is_reached(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Endpoints of an IPv6 Service are dialled as [::1]:PORT."""
    addresses = backends.open(2, "[::1]")
    files.publish(addresses)
    channel = connect(steer()).dial(TARGET)
    with channel.load() as load:
        load.settle(*addresses)
    assert load.failures == []


def test_a_dual_stack_service_is_reached_by_the_first_of_its_families(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """`ipFamilies` of the Service decides; no pod is dialled by two addresses."""
    ipv4, ipv6 = backends.open(1) + backends.open(1, "[::1]")
    manifest = service("backend", {"": 50051}, ipFamilies=["IPv6", "IPv4"])
    files.write("backend.yaml", manifest, *slices("backend", [ipv4, ipv6]))
    channel = connect(steer()).dial(TARGET)
    assert {answer.backend for answer in channel.call(10)} == {ipv6}


def test_terminating_endpoints_are_shown_to_the_clients_that_know_what_that_is(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """C-core gets DRAINING, others do not get the endpoint; neither sends it a call."""
    healthy, draining = backends.open(2)
    files.publish([healthy, Endpoint(draining, ready=False, terminating=True)])
    plane = steer()
    client = connect(plane)
    channel = client.dial(TARGET)
    assert {answer.backend for answer in channel.call(20)} == {healthy}
    (assignment,) = plane.bodies("eds", "backend.shop.svc.cluster.local:50051")
    states = {
        endpoint["endpoint"]["address"]["socket_address"]["port_value"]: endpoint["health_status"]
        for group in assignment["endpoints"]
        for endpoint in group["lb_endpoints"]
    }
    known = {Endpoint(healthy).port: "HEALTHY"}
    if client.library == "grpcio":
        known[Endpoint(draining).port] = "DRAINING"
    assert states == known


def test_more_calls_at_once_than_grpc_allows_by_default(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """gRPC's circuit breaker lets 1,024 requests of a cluster through by default (gRFC A32)."""
    files.publish(backends.open(2))
    channel = connect(steer()).dial(TARGET)
    answers = channel.gather(1100)
    assert len(answers) == 1100
    assert [answer for answer in answers if not answer.ok] == []


def test_a_channel_that_went_idle_works_again_after_its_demand_was_withdrawn(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """An idle client drops its subscriptions, steerway drops the resources, a call brings both back."""
    old, new = backends.open(2)
    files.publish([old])
    plane = steer("--unsubscribe-grace-seconds", "0.2")
    channel = connect(plane).dial(TARGET, idle_seconds=1)
    assert channel.call()[0].backend == old
    assert plane.resources("eds")
    channel.wait_for_state("IDLE")
    until(lambda: not plane.resources("eds"), lambda: f"no assignment kept: {plane.resources('eds')}")
    files.publish([new])
    with channel.load() as load:
        load.settle(new)
    assert load.failures == []
