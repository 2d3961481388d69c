"""Clients that violate the protocol, disconnect or do not read: no other client is affected."""

import random
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest

from steerway.engine.engine import Closed, Demand, Opened, Withdrawn
from steerway.testing.ads_client import AdsClient, Service
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT
from testbed.client import raw_http2
from testbed.client.raw_http2 import RawConnection, frame, grpc_message
from testbed.process.deadline import HONEST_SECONDS, PATIENCE_SECONDS, until
from testbed.process.process import Processes
from testbed.xds_server import XdsServer, contents, put

ADS = Service.ADS.method("Stream")
BIG = 1 << 20
REFUSED_STREAM = 7


@pytest.fixture
def raw(server: XdsServer) -> Iterator[RawConnection]:
    """A client without a flow-control window for DATA."""
    with RawConnection(server.address) as connection:
        yield connection


@pytest.fixture(autouse=True)
def others_go_on(server: XdsServer, client: AdsClient) -> Iterator[None]:
    """A client connected before the test is still served after it."""
    server.publish([put(ENDPOINT, "of others", "1")])
    stream = client.delta()
    stream.request(ENDPOINT, "of others")
    stream.ack(stream.read())
    yield
    server.publish([put(ENDPOINT, "of others", "2")])
    assert contents(stream.read()) == {"of others": "2"}
    with AdsClient(server.address) as late:
        stream = late.sotw()
        stream.request(ENDPOINT, "of others")
        assert contents(stream.read()) == {"of others": "2"}


def request(name: str = "a", nonce: str = "", node: str = "raw") -> bytes:
    """A framed request for a cluster."""
    return grpc_message(
        DiscoveryRequest(node=Node(id=node), type_url=CLUSTER, resource_names=[name], response_nonce=nonce)
    )


def rss() -> int:
    """Resident memory of this process, which includes the engine, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.parametrize(
    "message", [b"\xff" * 100, b"\x22\x7f", b"\x0a\x02\x0a\xff"], ids=["no field", "truncated", "bad node"]
)
@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_a_malformed_message_ends_its_stream(
    server: XdsServer, client: AdsClient, protocol: str, message: bytes
) -> None:
    """With a status for an error of the client."""
    stream = client.sotw() if protocol == "sotw" else client.delta()
    stream.send(message)
    assert stream.end().code is grpc.StatusCode.INVALID_ARGUMENT
    until(lambda: server.engine.stats().rejected == {"INVALID_ARGUMENT": 1}, "the stream counts as rejected")


def test_a_message_that_is_too_long_is_not_read(client: AdsClient) -> None:
    """RESOURCE_EXHAUSTED, as in every gRPC server; the limit is 4 MiB."""
    stream = client.sotw()
    stream.send(b"\0" * ((4 << 20) + 1))
    ended = stream.end()
    assert (ended.code, "4194304" in ended.details) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)


def test_a_compressed_request_is_refused(client: AdsClient) -> None:
    """UNIMPLEMENTED (gRPC, compression.md)."""
    stream = client.sotw(compressed=True)
    stream.request(CLUSTER, *(f"a-name-that-comes-again-{number}" for number in range(100)))
    assert stream.end().code is grpc.StatusCode.UNIMPLEMENTED


def test_a_stream_that_ends_inside_a_message_is_refused(server: XdsServer, raw: RawConnection) -> None:
    """The server ends the stream and keeps the connection."""
    raw.open(1, ADS)
    raw.send(1, request()[:-3], raw_http2.END_STREAM)
    until(lambda: server.engine.stats().rejected == {"INVALID_ARGUMENT": 1}, "the stream counts as rejected")
    while (kind_flags := raw.read_frame())[0] != raw_http2.HEADERS:
        pass
    assert kind_flags[1] & raw_http2.END_STREAM
    raw.write(frame(raw_http2.PING, 0, 0, b"pingpong"))
    while (answer := raw.read_frame())[0] != raw_http2.PING:
        pass
    assert answer[1:] == (raw_http2.ACK, 0, b"pingpong")


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes_close_the_connection(server: XdsServer, seed: int) -> None:
    """Invalid headers, then random bytes instead of frames."""
    noise = random.Random(seed).randbytes(4096)
    with RawConnection(server.address) as connection:
        connection.write(frame(raw_http2.HEADERS, raw_http2.END_HEADERS, 1, noise) + noise)
        connection.wait_closed()
    until(lambda: server.engine.stats().connections == 1, "the connection is gone")


def test_unknown_methods_are_unimplemented(client: AdsClient) -> None:
    """Also of known services."""
    call = client.channel.unary_unary("/envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters")
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", timeout=PATIENCE_SECONDS)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_clients_that_never_read_use_no_memory(server: XdsServer) -> None:
    """200 streams that ACK without reading: each is sent one response and no further one before it reads.

    Bytes are shared, so memory does not grow with the streams.
    """
    server.publish([put(CLUSTER, "a", "0" * BIG)])
    with RawConnection(server.address) as first, RawConnection(server.address) as second:
        streams = [(raw, stream) for raw in (first, second) for stream in range(1, 201, 2)]
        for raw, stream in streams:
            raw.open(stream, ADS)
            raw.send(stream, request())
        until(lambda: server.engine.stats().responses[CLUSTER] == len(streams), "all were answered")
        before = rss()
        for raw, stream in streams:
            raw.send(stream, request(nonce="000000000001"))
        until(lambda: server.engine.stats().acks[CLUSTER] == len(streams), "all have sent an ACK")
        with AdsClient(server.address) as reader:
            reading = reader.delta()
            reading.request(CLUSTER, "a")
            reading.ack(reading.read())
            for number in range(1, 21):
                server.publish([put(CLUSTER, "a", str(number) * BIG)])
                reading.ack(reading.read())
        assert server.engine.stats().responses[CLUSTER] == len(streams) + 21
        assert rss() - before < len(streams) * BIG / 2
    server.wait(Closed, len(streams))
    until(lambda: set(server.engine.stats().subscriptions.items()) >= {(CLUSTER, 0)}, "nothing is left")


def test_a_flood_of_requests_is_answered_once(server: XdsServer, client: AdsClient) -> None:
    """A repeated subscription is not answered again."""
    server.publish([put(CLUSTER, "a", "1")])
    stream = client.sotw()
    for _ in range(2000):
        stream.request(CLUSTER, "a")
    stream.ack(stream.read())
    server.assert_silent(stream)
    assert server.engine.stats().responses[CLUSTER] == 1


def test_a_killed_client_is_removed(server: XdsServer) -> None:
    """Its stream is closed, and its demand is withdrawn after the grace."""
    program = (
        "import sys, threading\n"
        "from steerway.testing.ads_client import AdsClient\n"
        f"stream = AdsClient(sys.argv[1]).sotw(); stream.request({CLUSTER!r}, 'a')\n"
        "stream.read(); print('read', flush=True); threading.Event().wait()\n"
    )
    server.publish([put(CLUSTER, "a", "1")])
    with Processes() as processes:
        killed = processes.start("client", [sys.executable, "-c", program, server.address])
        killed.wait(lambda: "read" in killed.lines, "read a response")
        server.wait(Demand, type_url=CLUSTER, name="a")
        killed.signal(signal.SIGKILL)
        server.wait(Closed)
    server.wait(Withdrawn, type_url=CLUSTER, name="a", audience="test")
    assert [view.node_id for view in server.engine.streams()] == ["test"]


def test_more_streams_than_allowed_are_refused() -> None:
    """REFUSED_STREAM allows a retry; other streams of the connection are answered."""
    with XdsServer(max_concurrent_streams=2) as server, RawConnection(server.address) as raw:
        server.engine.set_serving(True)
        server.publish([put(CLUSTER, "a", "1")])
        for stream in (1, 3, 5):
            raw.open(stream, ADS)
            if stream != 5:
                raw.send(stream, request())
        while (refusal := raw.read_frame())[0] != raw_http2.RST_STREAM:
            pass
        assert (refusal[2], int.from_bytes(refusal[3])) == (5, REFUSED_STREAM)
        until(lambda: server.engine.stats().responses[CLUSTER] == 2, "the other two were answered")


def test_a_client_that_does_not_answer_pings_is_disconnected() -> None:
    """A client that is only idle stays."""
    with (
        XdsServer(keepalive_interval_seconds=0.3, keepalive_timeout_seconds=HONEST_SECONDS) as server,
        AdsClient(server.address) as client,
        RawConnection(server.address) as dead,
    ):
        server.engine.set_serving(True)
        server.publish([put(CLUSTER, "a", "1")])
        quiet = client.sotw()
        quiet.request(CLUSTER, "a")
        quiet.ack(quiet.read())
        dead.open(1, ADS)
        dead.send(1, request())
        server.wait(Opened, 2)
        dead.wait_closed()
        server.wait(Closed)
        server.publish([put(CLUSTER, "a", "2")])
        assert contents(quiet.read()) == {"a": "2"}
