"""The lifecycle of the engine: binding, health, reflection, drain, stop, events and counters."""

import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3 import ads_pb2
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from prometheus_client import CollectorRegistry

from steerway.engine.engine import Closed, Demand, Engine, Nack, Opened, Withdrawn
from steerway.engine.stats import StatsCollector
from steerway.errors import EngineError
from steerway.origin import Origin
from steerway.testing.ads_client import AdsClient, Service
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT, LISTENER
from testbed.client.raw_http2 import GOAWAY, RawConnection, grpc_message
from testbed.engine_options import engine_options
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.xds_server import XdsServer, contents, put

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ADS_NAME = Service.ADS.value[0]


@pytest.fixture
def starting() -> Iterator[XdsServer]:
    """An engine before `set_serving`."""
    with XdsServer() as server:
        yield server


def check(client: AdsClient, service: str = "") -> int:
    """The current answer of the health service."""
    request = health_pb2.HealthCheckRequest(service=service)
    return health_pb2_grpc.HealthStub(client.channel).Check(request, timeout=PATIENCE_SECONDS).status


@contextmanager
def health_watch(client: AdsClient, service: str = "") -> Iterator["queue.SimpleQueue[int]"]:
    """The states that the health service streams, in order."""
    states: queue.SimpleQueue[int] = queue.SimpleQueue()
    call = health_pb2_grpc.HealthStub(client.channel).Watch(health_pb2.HealthCheckRequest(service=service))

    def read() -> None:
        try:
            for response in call:
                states.put(response.status)
        except grpc.RpcError:
            pass  # The end of the watch.

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield states
    finally:
        call.cancel()
        reader.join()


@contextmanager
def draining(server: XdsServer, grace_seconds: float) -> Iterator[threading.Thread]:
    """A thread that drains the engine; joined on exit."""
    thread = threading.Thread(target=server.engine.drain, args=(grace_seconds,))
    thread.start()
    try:
        yield thread
    finally:
        server.engine.stop()
        thread.join()


def is_refused(address: str) -> bool:
    """Whether connections to the address are refused."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), PATIENCE_SECONDS).close()
    except ConnectionError:
        return True
    return False


def test_an_address_in_use_is_named(server: XdsServer) -> None:
    """With the reason and what to do."""
    engine = Engine(engine_options(listen=server.address))
    with pytest.raises(EngineError, match=rf"{server.address}.*in use.*--listen"):
        engine.start()


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1", ":9000", "127.0.0.1:99999"])
def test_an_invalid_address_is_refused(listen: str) -> None:
    """By the constructor, not by the start."""
    with pytest.raises(EngineError, match="is not HOST:PORT"):
        Engine(engine_options(listen=listen))


def test_an_engine_starts_once(server: XdsServer) -> None:
    """Neither twice nor after its end; the error does not suggest another address."""
    for _ in range(2):
        with pytest.raises(EngineError, match=r"^the engine was started before$"):
            server.engine.start()
        server.stop()


def test_health_follows_serving(starting: XdsServer) -> None:
    """Check and Watch, server and aggregated service: NOT_SERVING, SERVING, NOT_SERVING while draining."""
    with (
        AdsClient(starting.address) as client,
        health_watch(client) as states,
        health_watch(client, ADS_NAME) as of_ads,
    ):
        assert {item.get(timeout=PATIENCE_SECONDS) for item in (states, of_ads)} == {NOT_SERVING}
        assert {check(client), check(client, ADS_NAME)} == {NOT_SERVING}
        starting.engine.set_serving(True)
        assert {item.get(timeout=PATIENCE_SECONDS) for item in (states, of_ads)} == {SERVING}
        assert {check(client), check(client, ADS_NAME)} == {SERVING}
        with draining(starting, PATIENCE_SECONDS):
            assert {item.get(timeout=PATIENCE_SECONDS) for item in (states, of_ads)} == {NOT_SERVING}


def test_health_of_an_unknown_service_is_not_found(client: AdsClient) -> None:
    """As the health protocol specifies."""
    assert check(client) == SERVING
    with pytest.raises(grpc.RpcError) as raised:
        check(client, "no.such.Service")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def test_nothing_is_answered_before_serving(starting: XdsServer) -> None:
    """Resources published before are then sent at once, in one response."""
    with AdsClient(starting.address) as client:
        streams = [client.sotw(), client.delta()]
        for stream in streams:
            stream.request(CLUSTER, "a")
        starting.wait(Demand, name="a")
        starting.publish([put(CLUSTER, "a", "1")])
        starting.publish([put(CLUSTER, "a", "2")])
        assert not starting.engine.stats().responses[CLUSTER]
        starting.engine.set_serving(True)
        assert [contents(stream.read()) for stream in streams] == [{"a": "2"}] * 2


def test_streams_continue_when_no_longer_serving(server: XdsServer, client: AdsClient) -> None:
    """Health is for the choice of a server; connected clients are still served."""
    server.publish([put(CLUSTER, "a", "1")])
    server.engine.set_serving(False)
    assert check(client) == NOT_SERVING
    stream = client.sotw()
    stream.request(CLUSTER, "a")
    assert contents(stream.read()) == {"a": "1"}


def test_reflection_lists_and_describes_the_services(client: AdsClient) -> None:
    """All discovery services with their messages, health and reflection itself."""
    database = ProtoReflectionDescriptorDatabase(client.channel)
    names = set(database.get_services())
    assert names >= {service.value[0] for service in Service} | {"grpc.health.v1.Health"}
    ads = DescriptorPool(database).FindServiceByName(ADS_NAME)
    expected = ads_pb2.DESCRIPTOR.services_by_name["AggregatedDiscoveryService"]
    assert [method.name for method in ads.methods] == [method.name for method in expected.methods]
    method = ads.FindMethodByName("StreamAggregatedResources")
    assert method.input_type.fields_by_name["resource_names"].number == 3


def test_a_drain_moves_the_clients(server: XdsServer) -> None:
    """Answered streams end with OK, new connections are refused, and the drain ends with the last client."""
    server.publish([put(CLUSTER, "a", "1")])
    clients = [AdsClient(server.address) for _ in range(4)]
    streams = [client.sotw() for client in clients for _ in range(3)]
    for stream in streams:
        stream.request(CLUSTER, "a")
        stream.read()
    with draining(server, 1) as drain:
        assert {stream.end().code for stream in streams} == {grpc.StatusCode.OK}
        until(lambda: is_refused(server.address), "the address is closed")
        for client in clients:
            client.close()
        drain.join(PATIENCE_SECONDS)
        assert not drain.is_alive()
    server.wait(Closed, len(streams))


def test_a_drain_sends_goaway(server: XdsServer) -> None:
    """The client opens its next stream on another connection."""
    with RawConnection(server.address) as raw:
        raw.open(1, Service.ADS.method("Stream"))
        until(lambda: server.engine.stats().streams["sotw"] == 1, "the stream is open")
        with draining(server, 1):
            while raw.read_frame()[0] != GOAWAY:
                pass


def test_a_drain_ends_streams_without_an_answer_last(starting: XdsServer) -> None:
    """Also with OK, within the grace."""
    with AdsClient(starting.address) as client:
        stream = client.sotw()
        stream.request(CLUSTER, "a")
        starting.wait(Demand)
        with draining(starting, 0.5):
            assert stream.end().code is grpc.StatusCode.OK


def test_a_drain_without_clients_ends_at_once(server: XdsServer) -> None:
    """The grace is for clients."""
    with draining(server, 3600) as drain:
        drain.join(PATIENCE_SECONDS)
        assert not drain.is_alive()


def test_a_drain_does_not_wait_longer_than_its_grace(server: XdsServer) -> None:
    """A client that does not read never receives the end of its stream."""
    server.publish([put(CLUSTER, "a", "1")])
    first = DiscoveryRequest(node=Node(id="raw"), type_url=CLUSTER, resource_names=["a"])
    with RawConnection(server.address) as raw:
        raw.open(1, Service.ADS.method("Stream"))
        raw.send(1, grpc_message(first))
        until(lambda: server.engine.stats().responses[CLUSTER] == 1, "it was answered")
        with draining(server, 0.2) as drain:
            drain.join(PATIENCE_SECONDS)
            assert not drain.is_alive()


def test_python_runs_while_a_drain_blocks_and_stop_wakes_it(server: XdsServer, client: AdsClient) -> None:
    """The GIL is released meanwhile."""
    stream = client.sotw()
    stream.request(CLUSTER, "a")
    server.wait(Demand)
    with health_watch(client) as states:
        assert states.get(timeout=PATIENCE_SECONDS) == SERVING
        with draining(server, 3600) as drain:
            assert states.get(timeout=PATIENCE_SECONDS) == NOT_SERVING
            assert drain.is_alive()
            server.engine.stop()
            drain.join(PATIENCE_SECONDS)
            assert not drain.is_alive()
    assert stream.end().code is grpc.StatusCode.UNAVAILABLE


def test_stop_ends_everything_and_can_be_repeated(server: XdsServer, client: AdsClient) -> None:
    """Later calls return the state of a stopped engine."""
    server.publish([put(CLUSTER, "a", "1")])
    stream = client.sotw()
    stream.request(CLUSTER, "a")
    stream.read()
    for _ in range(3):
        server.engine.stop()
    assert stream.end().code is grpc.StatusCode.UNAVAILABLE
    assert is_refused(server.address)
    server.engine.drain(3600)
    server.engine.set_serving(False)
    server.engine.classify([(1, "x", None)])
    assert server.publish([put(CLUSTER, "a", "2")]) == 1
    assert server.engine.streams() == []
    stats = server.engine.stats()
    assert (stats.connections, sum(stats.streams.values()), sum(stats.subscriptions.values())) == (0, 0, 0)


def test_events_come_in_order(server: XdsServer) -> None:
    """Of one stream: opened, demand, NACK, closed; withdrawal after the grace."""
    server.publish([put(CLUSTER, "a", "1")])
    with AdsClient(server.address) as client:
        stream = client.delta()
        stream.request(CLUSTER, "a")
        stream.nack(stream.read(), "no")
        server.wait(Nack)
    server.wait(Withdrawn)
    assert [type(event) for event in server.events] == [Opened, Demand, Nack, Closed, Withdrawn]


def test_demand_is_reported_once_per_audience_and_again_after_its_withdrawal(server: XdsServer) -> None:
    """For any number of streams, in both protocols."""
    with AdsClient(server.address) as client:
        for stream in (client.sotw(), client.delta(), client.sotw(Service.EDS)):
            stream.request(ENDPOINT, "a")
        server.wait(Opened, 3)
        stream = client.delta()
        stream.request(ENDPOINT, "a", "last")
        server.wait(Demand, name="last")
        assert len(server.wait(Demand, name="a")) == 1
    server.wait(Withdrawn, name="a", audience="test")
    with AdsClient(server.address) as client:
        client.sotw().request(ENDPOINT, "a")
        assert len(server.wait(Demand, 2, name="a")) == 2


def test_one_change_is_sent_to_many_streams(server: XdsServer) -> None:
    """200 streams on 4 connections, in both protocols."""
    server.publish([put(LISTENER, "a", "1")])
    clients = [AdsClient(server.address) for _ in range(4)]
    try:
        streams = [client.sotw() if odd else client.delta() for client in clients for odd in [0, 1] * 25]
        for stream in streams:
            stream.request(LISTENER, "a")
        for stream in streams:
            stream.ack(stream.read())
        assert server.engine.stats().streams == {"sotw": 100, "delta": 100}
        server.publish([put(LISTENER, "a", "2")])
        assert [contents(stream.read()) for stream in streams] == [{"a": "2"}] * len(streams)
    finally:
        for client in clients:
            client.close()
    until(lambda: server.engine.stats().streams == {"sotw": 0, "delta": 0}, "all are gone")


def test_the_counters_are_metrics(server: XdsServer, client: AdsClient) -> None:
    """For all activity of one stream."""
    registry = CollectorRegistry()
    registry.register(StatsCollector(server.engine))
    server.publish([put(CLUSTER, "a", "1"), put(CLUSTER, "b", "1")], absent=[(CLUSTER, "c", "", "gone")])
    stream = client.sotw()
    stream.request(CLUSTER, "a", "b")
    response = stream.read()
    stream.ack(response)
    server.publish([put(CLUSTER, "a", "2")])
    second = stream.read()
    stream.ack(response)
    stream.nack(second, "no")
    server.wait(Nack)
    rejected = client.sotw()
    rejected.request("")
    rejected.end()
    until(lambda: server.engine.stats().streams == {"sotw": 1, "delta": 0}, "the refused stream is gone")

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"steerway_{name}", labels)

    assert value("connections") == 1
    assert (value("streams", protocol="sotw"), value("streams", protocol="delta")) == (1, 0)
    counts = {
        "subscriptions": 2,
        "resources": 2,
        "requests_total": 4,
        "responses_total": 2,
        "resources_sent_total": 4,
        "acks_total": 1,
        "nacks_total": 1,
        "stale_requests_total": 1,
    }
    assert {name: value(name, type="Cluster") for name in counts} == counts
    assert value("streams_rejected_total", status="INVALID_ARGUMENT") == 1
    assert (value("refused_total", limit="streams"), value("delayed_total", limit="requests_per_second")) == (
        0,
        0,
    )
    assert value("panics_total") == 0
    assert value("commits_total") == 2
    assert value("sent_bytes_total") == sum(5 + item.ByteSize() for item in (response, second))
    assert value("ack_latency_seconds_count") == value("ack_latency_seconds_bucket", le="+Inf") == 1
    assert 0 < (value("ack_latency_seconds_sum") or 0) < PATIENCE_SECONDS


def test_a_change_is_followed_to_the_ack(server: XdsServer) -> None:
    """The metrics have each step, and the last change names the stream that ACKed it; a first answer is no change."""
    registry = CollectorRegistry()
    registry.register(StatsCollector(server.engine))

    def steps(kind: str) -> dict[str, float]:
        (family,) = (item for item in registry.collect() if item.name == "steerway_change_latency_seconds")
        return {
            sample.labels["step"]: sample.value for sample in family.samples if sample.name.endswith(kind)
        }

    before_it_started = time.monotonic() - 1e6
    with AdsClient(server.address) as client:
        stream = client.sotw()
        stream.request(ENDPOINT, "a")
        published = []
        events = (None, None, time.monotonic(), before_it_started)
        for number, event in enumerate(events):
            origin = Origin(time.monotonic(), event)
            published.append(server.publish([put(ENDPOINT, "a", str(number), origin=origin)]))
            stream.ack(stream.read())
        until(lambda: server.engine.stats().acks[ENDPOINT] == 4, "the last ACK")
        assert published == [1, 1, 1, 1]
        assert steps("_count") == {
            "event_to_received": 1,
            "received_to_published": 4,
            "published_to_sent": 3,
            "sent_to_acked": 3,
            "received_to_acked": 3,
            "event_to_acked": 1,
        }
        sums = steps("_sum")
        assert 0 < sums["sent_to_acked"] < sums["received_to_acked"] < PATIENCE_SECONDS
        (subscription,) = server.engine.streams()[0].subscriptions
        assert (change := subscription.change) is not None
        assert (change.event_to_received, change.event_to_acked) == (None, None)
        assert change.sent_to_acked > 0
