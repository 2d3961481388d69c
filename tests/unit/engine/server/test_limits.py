"""Limits for clients: a client over a limit is refused or delayed, counted and reported; other clients are served."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from steerway.engine.engine import Closed, Demand, EngineUsage, Limited, Opened
from steerway.testing.ads_client import AdsClient, DeltaStream, Service, SotwStream
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT
from testbed.client import raw_http2
from testbed.client.raw_http2 import PREFACE, RawConnection, frame, grpc_message
from testbed.process.deadline import HONEST_SECONDS, PATIENCE_SECONDS, until
from testbed.xds_server import XdsServer, contents, put

ADS = Service.ADS.method("Stream")
ENHANCE_YOUR_CALM = 11
NODE_BYTES = 250_000


@contextmanager
def serving(**options: Any) -> Iterator[XdsServer]:
    """A server that serves the cluster "a"."""
    with XdsServer(**options) as server:
        server.engine.set_serving(True)
        server.publish([put(CLUSTER, "a", "1")])
        yield server


@contextmanager
def connected(server: XdsServer) -> Iterator[DeltaStream]:
    """A stream that was answered."""
    with AdsClient(server.address) as client:
        stream = client.delta()
        stream.request(CLUSTER, "a")
        stream.ack(stream.read())
        yield stream


def refused(server: XdsServer) -> dict[str, int]:
    """The limits that refused a client, with their counts; asserts that each was reported."""
    counts = {limit: count for limit, count in server.engine.stats().refused.items() if count}
    for limit in counts:
        server.wait(Limited, limit=limit, delayed=False)
    return counts


def delayed(server: XdsServer) -> dict[str, int]:
    """The limits that delayed a client, with their counts."""
    return {limit: count for limit, count in server.engine.stats().delayed.items() if count}


def request(name: str = "a") -> bytes:
    """A framed request for a cluster."""
    return grpc_message(DiscoveryRequest(node=Node(id="raw"), type_url=CLUSTER, resource_names=[name]))


def read_until_goaway(raw: RawConnection) -> int:
    """The reason of the first GOAWAY."""
    while (read := raw.read_frame())[0] != raw_http2.GOAWAY:
        pass
    return int(struct.unpack(">II", read[3][:8])[1])


def test_a_connection_over_the_limit_is_closed() -> None:
    """Answered connections stay; the end of one makes room."""
    with serving(max_connections=2) as server, connected(server) as stream:
        with connected(server) as second:
            with socket.create_connection(server.address.rsplit(":", 1)) as third:  # type: ignore[arg-type]
                third.settimeout(PATIENCE_SECONDS)
                assert third.recv(1) == b""
            assert refused(server) == {"connections": 1}
            server.publish([put(CLUSTER, "a", "2")])
            assert contents(second.read()) == {"a": "2"}
        until(lambda: server.engine.stats().connections == 1, "there is room")
        with connected(server):
            pass
        assert contents(stream.read()) == {"a": "2"}


def knock(server: XdsServer, source: str, count: int) -> list[socket.socket]:
    """Connections from an address that send nothing."""
    host, port = server.address.rsplit(":", 1)
    before = server.engine.stats().connections
    sockets = []
    for number in range(1, count + 1):
        sockets.append(
            socket.create_connection((host, int(port)), PATIENCE_SECONDS, source_address=(source, 0))
        )
        until(lambda number=number: server.engine.stats().connections >= before + number, "it has a place")  # type: ignore[misc]
    return sockets


def closed(sockets: list[socket.socket]) -> list[bool]:
    """The connections that the server has closed; waits for the first."""
    assert sockets[0].recv(1) == b""
    for item in sockets[1:]:
        item.setblocking(False)
    states = [True]
    for item in sockets[1:]:
        try:
            states.append(item.recv(1) == b"")
        except BlockingIOError:
            states.append(False)
    return states


def test_silent_connections_of_one_address_do_not_block_others() -> None:
    """The oldest makes room for a client of another address; an answered one stays."""
    with serving(max_connections=5) as server, connected(server) as stream, ExitStack() as stack:
        silent = [stack.enter_context(item) for item in knock(server, "127.0.0.2", 4)]
        with connected(server) as another:
            assert closed(silent) == [True, False, False, False]
            server.publish([put(CLUSTER, "a", "2")])
            assert [contents(item.read()) for item in (stream, another)] == [{"a": "2"}] * 2
        assert refused(server) == {"connections": 1}


def test_connections_of_an_address_are_limited() -> None:
    """A new one displaces a silent one, otherwise it is closed; other addresses are not affected."""
    with serving(max_connections_per_address=2) as server, connected(server) as stream, ExitStack() as stack:
        silent = [stack.enter_context(item) for item in knock(server, "127.0.0.1", 1)]
        with connected(server):
            assert closed(silent) == [True]
            with socket.create_connection(server.address.rsplit(":", 1)) as third:  # type: ignore[arg-type]
                third.settimeout(PATIENCE_SECONDS)
                assert third.recv(1) == b""
            for other in knock(server, "127.0.0.2", 2):
                stack.enter_context(other)
        assert refused(server) == {"connections_per_address": 2}
        server.publish([put(CLUSTER, "a", "2")])
        assert contents(stream.read()) == {"a": "2"}


def test_connections_of_a_unix_user_are_limited(tmp_path: Path) -> None:
    """Across all processes of the user."""
    address = f"unix:{tmp_path}/xds.sock"
    with serving(listen=address, max_connections_per_address=1) as server, connected(server):
        with socket.socket(socket.AF_UNIX) as second:
            second.settimeout(PATIENCE_SECONDS)
            second.connect(address.removeprefix("unix:"))
            assert second.recv(1) == b""
        assert refused(server) == {"connections_per_address": 1}


def test_connections_of_an_identity_are_limited() -> None:
    """Several streams of a connection count once; each identity has its own limit."""
    options = {"max_connections_per_identity": 1, "identity": lambda node: node.id.partition("-")[0]}
    with serving(**options) as server, ExitStack() as stack:

        def client(node: str) -> AdsClient:
            return stack.enter_context(AdsClient(server.address, Node(id=node)))

        def ask(client: AdsClient) -> DeltaStream:
            stream = client.delta()
            stream.request(CLUSTER, "a")
            return stream

        first = client("shop-1")
        streams = [ask(first), ask(first)]
        assert [contents(stream.read()) for stream in streams] == [{"a": "1"}] * 2
        second = client("shop-2")
        ended = ask(second).end()
        assert ended.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "connection limit of shop reached (1, " in ended.details
        assert "max_connections_per_identity" in ended.details
        assert contents(ask(client("bank-1")).read()) == {"a": "1"}
        assert refused(server) == {"connections_per_identity": 1}
        for stream in streams:
            stream.close()
        server.wait(Closed, 3)
        assert contents(ask(second).read()) == {"a": "1"}


def test_a_stream_over_the_limit_is_refused_with_its_name() -> None:
    """Health is still answered: a full server is alive."""
    with serving(max_streams=1) as server, connected(server) as stream:
        with AdsClient(server.address) as client:
            ended = client.sotw().end()
            assert ended.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "max_streams" in ended.details
            check = health_pb2_grpc.HealthStub(client.channel).Check
            answer = check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_SECONDS)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert refused(server) == {"streams": 1}
        stream.close()
        server.wait(Closed)
        until(lambda: server.engine.usage().streams == 0, "there is room")
        with connected(server):
            pass


def test_a_request_that_is_too_long_is_refused() -> None:
    """By its length alone."""
    with serving(max_request_bytes=1000) as server, AdsClient(server.address) as client:
        stream = client.sotw()
        stream.send(b"\0" * 1001)
        ended = stream.end()
        assert ended.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "1000 bytes (max_request_bytes)" in ended.details
        assert refused(server) == {"request_bytes": 1}


def test_a_node_that_is_too_long_is_refused() -> None:
    """By the size of the kept fields. No event reports such a stream."""
    with (
        serving(max_node_bytes=1000) as server,
        AdsClient(server.address, node=Node(id="x" * 1000)) as client,
    ):
        stream = client.sotw()
        stream.request(CLUSTER, "a")
        ended = stream.end()
        assert ended.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "the node has 1003 bytes" in ended.details
        assert "1000 (max_node_bytes)" in ended.details
        assert refused(server) == {"node_bytes": 1}
        until(lambda: server.engine.usage().streams == 0, "the stream is gone")
        assert not [event for event in server.events if isinstance(event, Opened | Closed)]


def test_only_fields_in_use_of_a_large_node_are_kept() -> None:
    """Operators see these; 250 kB of extensions and metadata are released after the request was read."""
    node = Node(id="web-1", cluster="web", user_agent_name="envoy", client_features=["one"])
    node.locality.zone = "a"
    node.metadata["NAMESPACE"] = "shop"
    used = Node.FromString(node.SerializeToString())
    node.metadata["LABELS"] = "x" * NODE_BYTES
    node.extensions.add(name="y" * 1000)
    with serving(node_metadata=["NAMESPACE"]) as server, AdsClient(server.address, node=node) as client:
        stream = client.sotw()
        stream.request(CLUSTER, "a")
        stream.read()
        (opened,) = server.wait(Opened)
        (view,) = server.engine.streams()
        assert Node.FromString(opened.node) == Node.FromString(view.node) == used


def test_a_subscription_that_is_too_large_is_refused() -> None:
    """By the number of its names or the length of one."""
    with serving(max_names_per_stream=2, max_name_bytes=100) as server, AdsClient(server.address) as client:
        for names in (("a", "b", "c"), ("n" * 101,)):
            stream = client.delta()
            stream.request(CLUSTER, *names)
            assert stream.end().code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refused(server) == {"subscription": 2}


MANY = [f"name-{number}" for number in range(40)]
COUNTED = sum(len(name) + 512 for name in MANY) - (16 << 10)
"""What they count in a budget that streams share."""
KEPT = 2048 * len(MANY)
"""What they count for their peer and the server in addition, from when they are demanded until they are withdrawn."""


@pytest.mark.parametrize(
    ("setting", "clients", "budget"),
    [("_per_connection", 1, 5000), ("_per_peer", 2, KEPT + 7500), ("", 2, KEPT + 7500)],
    ids=["connection", "peer", "server"],
)
def test_streams_share_a_budget_for_their_names(setting: str, clients: int, budget: int) -> None:
    """A stream over the budget is refused with the name of the setting; a small stream is still served."""
    option = f"max_subscription_bytes{setting}"
    with serving(**{option: budget}) as server, ExitStack() as stack:
        item, *others = (stack.enter_context(AdsClient(server.address)) for _ in range(clients))
        other = others[0] if others else item
        first = item.delta()
        first.request(CLUSTER, *MANY)
        until(lambda: server.engine.usage().subscription_bytes == COUNTED + KEPT, "the first is counted")
        second = other.delta()
        second.request(CLUSTER, *MANY)
        end = second.end()
        assert end.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert f"({option})" in end.details
        small = other.delta()
        small.request(CLUSTER, "a", *MANY[:29])
        assert contents(small.read()) == {"a": "1"}
        assert refused(server) == {f"subscription_bytes{setting}": 1}
        first.close()
        until(
            lambda: server.engine.usage().subscription_bytes == 30 * 2048, "what the first had is given back"
        )
        third = other.delta()
        third.request(CLUSTER, "a", *MANY)
        assert contents(third.read()) == {"a": "1"}


def test_a_large_subscription_is_answered_whole_and_leaves_nothing() -> None:
    """It is indexed in parts: changes in between are not missed, and the stream may end in between."""
    names = [f"service-{number}" for number in range(5000)]
    with serving() as server, AdsClient(server.address) as client:
        stream = client.delta()
        stream.request(CLUSTER, *names, "a")
        server.publish([put(CLUSTER, "a", "2"), put(CLUSTER, names[-1], "1")])
        seen = contents(stream.read())
        while seen != {"a": "2", names[-1]: "1"}:
            seen |= contents(stream.read())
        until(lambda: server.engine.usage().interest == len(names) + 1, "all are in the index")
        stream.request(CLUSTER, *(f"other-{number}" for number in range(5000)), unsubscribe=names)
        stream.close()
        until(lambda: server.engine.usage().streams == 0, "the stream is gone")
        until(lambda: server.engine.usage().interest == 0, "the index holds nothing of it")
        small = client.delta()
        small.request(CLUSTER, "a")
        assert contents(small.read()) == {"a": "2"}


def test_a_stream_has_a_budget_for_its_names() -> None:
    """Also a stream with few, long names."""
    with (
        serving(max_subscription_bytes_per_stream=2000) as server,
        AdsClient(server.address) as client,
    ):
        stream = client.delta()
        stream.request(CLUSTER, "a", "b", "c")
        stream.read()
        stream.request(CLUSTER, "d")
        end = stream.end()
        assert end.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "(max_subscription_bytes_per_stream)" in end.details
        assert refused(server) == {"subscription_bytes_per_stream": 1}


def test_streams_are_charged_to_their_identity() -> None:
    """From any address; the address is not charged."""
    with serving(max_subscription_bytes_per_peer=KEPT + 5000) as server, ExitStack() as stack:
        for identity in ("alice", "bob", None):
            stream = stack.enter_context(AdsClient(server.address)).delta()
            stream.request(CLUSTER, *MANY)
            (*_, opened) = server.wait(Opened, count=["alice", "bob", None].index(identity) + 1)
            if identity is not None:
                server.engine.identify([(opened.stream, identity)])
            until(lambda: server.engine.usage().accounts >= 1, "there is an account")
        until(lambda: server.engine.usage().subscription_bytes == 3 * COUNTED + KEPT, "all are served")
        assert refused(server) == {}


def test_names_that_exist_count_for_more() -> None:
    """A stream that exceeds its budget with existing names is refused; a small stream stays."""
    with serving(max_subscription_bytes_per_peer=KEPT) as server, AdsClient(server.address) as client:
        small = client.delta()
        small.request(CLUSTER, "a")
        small.ack(small.read())
        stream = client.delta()
        stream.request(CLUSTER, *MANY)
        end = stream.end()
        assert end.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "2048 more when it exists" in end.details
        server.publish([put(CLUSTER, "a", "2")])
        assert contents(small.read()) == {"a": "2"}
        assert refused(server) == {"subscription_bytes_per_peer": 1}
        until(lambda: server.engine.usage().subscription_bytes == 2048, "only the small one's name is kept")


@pytest.mark.parametrize(("seconds", "code"), [(3.0, None), (100.0, grpc.StatusCode.RESOURCE_EXHAUSTED)])
def test_a_client_over_its_cpu_budget_is_delayed(seconds: float, code: grpc.StatusCode | None) -> None:
    """The cost of its names counts. A wait over the limit is a refusal."""
    with serving(max_cpu_per_peer=2.0, max_cpu=0) as server, AdsClient(server.address) as client:
        stream = client.delta()
        stream.request(CLUSTER, *MANY)
        (demand, *_) = server.wait(Demand, name=MANY[0])
        server.engine.charge(demand.account, seconds)
        stream.request(CLUSTER, "a")
        if code is None:
            assert contents(stream.read()) == {"a": "1"}
            assert delayed(server) == {"cpu_per_peer": 1}
            return
        end = stream.end()
        assert (end.code, "max_cpu_per_peer" in end.details) == (code, True)
        assert refused(server) == {"cpu_time": 1}


def test_requests_over_the_rate_are_delayed() -> None:
    """None is lost, and the stream stays."""
    with serving(max_requests_per_second=10) as server, AdsClient(server.address) as client:
        stream = client.sotw()
        names = [f"name-{number}" for number in range(30)]
        server.publish([put(CLUSTER, name, "1") for name in names])

        def delayed_after_requests() -> dict[str, int]:
            for count in range(1, len(names) + 1):
                stream.request(CLUSTER, *names[:count])
            return delayed(server)

        # On a busy machine 30 requests can take longer than the rate allows.
        limits = until(delayed_after_requests, "no request was delayed")
        assert limits.keys() == {"requests_per_second"}
        seen: dict[str, str] = {}
        while len(seen) < len(names):
            response = stream.read()
            seen |= contents(response)
            stream.ack(response)
        server.wait(Limited, limit="requests_per_second", delayed=True)
        assert refused(server) == {}


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_acks_do_not_count_for_the_request_rate(protocol: str) -> None:
    """A client that ACKs many changes is not delayed."""
    with serving(max_requests_per_second=1) as server, AdsClient(server.address) as client:
        stream: SotwStream | DeltaStream = client.sotw() if protocol == "sotw" else client.delta()
        stream.request(CLUSTER, "a")
        for number in range(200):
            # No content comes back: a change that is undone before the client answers is none.
            server.publish([put(CLUSTER, "a", f"change {number}")])
            response: Any = stream.read()
            stream.ack(response)
        until(lambda: server.engine.stats().acks[CLUSTER] >= 200, "all were accepted")
        assert delayed(server) == {}


def test_connections_over_the_rate_are_delayed() -> None:
    """All of them are served."""
    with serving(max_connections_per_second=5) as server, ExitStack() as stack:
        streams = [stack.enter_context(AdsClient(server.address)).sotw() for _ in range(15)]
        for stream in streams:
            stream.request(CLUSTER, "a")
        for stream in streams:
            assert contents(stream.read()) == {"a": "1"}
        assert delayed(server)["connections_per_second"] > 0
        assert refused(server) == {}


def test_a_stream_without_a_complete_request_is_ended() -> None:
    """With a part of a request or none. An answered stream may be idle."""
    with serving(request_timeout_seconds=HONEST_SECONDS) as server, connected(server) as quiet:
        with AdsClient(server.address) as client, RawConnection(server.address) as raw:
            raw.open(1, ADS)
            raw.send(1, request()[:-3])
            assert client.sotw().end().code is grpc.StatusCode.DEADLINE_EXCEEDED
            later = client.sotw()
            later.request(CLUSTER, "a")
            later.read()
            until(
                lambda: server.engine.stats().refused["request_timeout"] == 2,
                "the incomplete request is timed out",
            )
            until(lambda: server.engine.stats().streams["sotw"] == 1, "only the later one is there")
        server.publish([put(CLUSTER, "a", "2")])
        assert contents(quiet.read()) == {"a": "2"}
        assert refused(server).keys() == {"request_timeout"}


def test_a_unary_call_without_a_request_is_ended() -> None:
    """A health check sends its request at once."""
    with serving(request_timeout_seconds=0.3) as server, RawConnection(server.address) as raw:
        raw.open(1, "/grpc.health.v1.Health/Check")
        while (read := raw.read_frame())[0] != raw_http2.HEADERS:
            pass
        assert read[1] & raw_http2.END_STREAM
        assert refused(server) == {"request_timeout": 1}


@pytest.mark.parametrize("sent", [b"", PREFACE[:10], PREFACE + frame(raw_http2.SETTINGS, 0, 0)])
def test_a_connection_without_a_stream_is_closed(sent: bytes) -> None:
    """With or without a connection preface."""
    with (
        serving(request_timeout_seconds=HONEST_SECONDS, max_connection_age_grace_seconds=0.1) as server,
        connected(server) as stream,
        socket.create_connection(server.address.rsplit(":", 1)) as idle,  # type: ignore[arg-type]
    ):
        idle.settimeout(PATIENCE_SECONDS)
        idle.sendall(sent)
        while idle.recv(1000):
            pass
        server.publish([put(CLUSTER, "a", "2")])
        assert contents(stream.read()) == {"a": "2"}


def test_streams_of_an_old_connection_end_when_they_were_answered() -> None:
    """With OK, which clients do not report as a failure; a waiting stream is answered first."""
    with (
        serving(max_connection_age_seconds=0.3, max_connection_age_grace_seconds=PATIENCE_SECONDS) as server,
        AdsClient(server.address) as client,
    ):
        answered, waiting = client.sotw(), client.sotw()
        waiting.request(CLUSTER, "late")
        answered.request(CLUSTER, "a")
        assert contents(answered.read()) == {"a": "1"}
        assert answered.end().code is grpc.StatusCode.OK
        server.publish([put(CLUSTER, "late", "1")])
        assert contents(waiting.read()) == {"late": "1"}
        assert waiting.end().code is grpc.StatusCode.OK
        with connected(server):
            pass


def test_streams_of_an_old_connection_end_within_the_grace() -> None:
    """Also without an answer."""
    options = {"max_connection_age_seconds": 0.2, "max_connection_age_grace_seconds": 0.2}
    with serving(**options) as server, AdsClient(server.address) as client:
        waiting = client.sotw()
        waiting.request(CLUSTER, "never")
        assert waiting.end().code is grpc.StatusCode.OK
        watch = health_pb2_grpc.HealthStub(client.channel).Watch(health_pb2.HealthCheckRequest())
        with pytest.raises(grpc.RpcError) as ended:
            list(watch)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        until(lambda: server.engine.usage().tasks == 0, "the connections are gone")


@pytest.mark.parametrize(
    "unwanted",
    [
        frame(raw_http2.PING, 0, 0, b"pingpong"),
        frame(raw_http2.SETTINGS, 0, 0),
        frame(raw_http2.PRIORITY, 0, 7, b"\0\0\0\0\1"),
    ],
    ids=["ping", "settings", "priority"],
)
def test_a_flood_of_control_frames_ends_the_connection(unwanted: bytes) -> None:
    """ENHANCE_YOUR_CALM, as gRPC servers answer too many pings."""
    with serving() as server, connected(server) as stream, RawConnection(server.address) as raw:
        raw.open(1, ADS)
        raw.send(1, request())
        server.wait(Opened, 2)

        def flood() -> None:
            with suppress(OSError):  # The server closes meanwhile.
                raw.write(unwanted * 20_000)

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            assert read_until_goaway(raw) == ENHANCE_YOUR_CALM
        finally:
            flooding.join()
        assert refused(server) == {"control_frames": 1}
        server.wait(Closed)
        server.publish([put(CLUSTER, "a", "2")])
        assert contents(stream.read()) == {"a": "2"}


def test_a_client_that_does_not_read_loses_its_stream() -> None:
    """Even if it answers pings."""
    with (
        serving(keepalive_interval_seconds=0.3, keepalive_timeout_seconds=HONEST_SECONDS) as server,
        RawConnection(server.address) as raw,
    ):
        raw.open(1, ADS)
        raw.send(1, request())
        while (read := raw.read_frame())[0] != raw_http2.RST_STREAM:
            if read[0] == raw_http2.PING and not read[1] & raw_http2.ACK:
                raw.write(frame(raw_http2.PING, raw_http2.ACK, 0, read[3]))
        assert (read[2], int.from_bytes(read[3])) == (1, ENHANCE_YOUR_CALM)
        assert refused(server) == {"unread": 1}
        server.wait(Closed)


def test_nothing_is_kept_for_disconnected_clients() -> None:
    """Streams, tasks, index entries and demand return to their initial values."""
    with serving() as server:
        server.publish([put(ENDPOINT, "a", "1")])
        until(lambda: is_empty(server.engine.usage()), "nothing is held at the start")
        for _ in range(3):
            with ExitStack() as stack:
                for number in range(10):
                    client = stack.enter_context(AdsClient(server.address))
                    stream = client.sotw() if number % 2 else client.delta()
                    stream.request(ENDPOINT, "a", *(f"{number}-{other}" for other in range(20)))
                    stream.read()
                usage = server.engine.usage()
                assert (usage.connections, usage.tasks, usage.streams) == (10, 10, 10)
                assert (usage.interest >= 201, usage.demand) == (True, 201)
            until(lambda: is_empty(server.engine.usage()), lambda: f"still held: {server.engine.usage()}")


def is_empty(usage: EngineUsage) -> bool:
    """Whether nothing is held."""
    parts = ("connections", "tasks", "streams", "interest", "demand", "events", "request_buffers")
    parts += ("subscription_bytes", "accounts")
    return not any(getattr(usage, part) for part in parts)
