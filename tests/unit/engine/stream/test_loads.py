"""Load reports over the wire: which clients report, how reports are summed, and what the end of a stream removes."""

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.service.load_stats.v3.lrs_pb2 import LoadStatsRequest, LoadStatsResponse
from google.protobuf import json_format

from steerway.commit import Put
from steerway.engine.engine import Call
from steerway.engine.loads import LoadsCollector
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.xds_server import XdsServer, put

METHOD = "envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats"
NODE = Node(id="reporter")


class Reporter:
    """One stream of load reports; `status` reads its end."""

    def __init__(self, channel: grpc.Channel, *metadata: tuple[str, str]) -> None:
        self._requests: queue.SimpleQueue[LoadStatsRequest | None] = queue.SimpleQueue()
        stream: Any = channel.stream_stream(
            f"/{METHOD}",
            request_serializer=LoadStatsRequest.SerializeToString,
            response_deserializer=LoadStatsResponse.FromString,
        )
        self.call = stream(iter(self._requests.get, None), timeout=PATIENCE_SECONDS, metadata=metadata)

    def report(self, node: Node | None = None, zone: str = "eu-1a", **locality: int) -> None:
        """Report requests to one locality of cluster a."""
        request = LoadStatsRequest(node=node)
        if locality:
            stats = {"locality": {"zone": zone}, **locality}
            cluster = {"clusterName": "a", "clusterServiceName": "a", "upstreamLocalityStats": [stats]}
            json_format.ParseDict({"clusterStats": [cluster]}, request)
        self._requests.put(request)

    def end(self) -> None:
        self._requests.put(None)

    def status(self) -> tuple[grpc.StatusCode, str]:
        """How the stream ended."""
        return self.call.code(), self.call.details()


@pytest.fixture
def channel(server: XdsServer) -> Iterator[grpc.Channel]:
    zones = [{"locality": {"zone": "eu-1a"}}]
    assignment = json_format.ParseDict({"cluster_name": "a", "endpoints": zones}, ClusterLoadAssignment())
    body = assignment.SerializeToString()
    endpoints = Put(ENDPOINT, "a", "test", body, (), "", 0.0)
    server.publish([put(CLUSTER, "a", "1", "test", ((ENDPOINT, "a"),)), endpoints])
    with grpc.insecure_channel(server.address) as channel:
        yield channel


def admit(server: XdsServer, count: int = 1) -> Call:
    """Answer the newest `count` first messages as Python does."""
    call = server.wait(Call, count)[-1]
    server.engine.reply(call.id, LoadStatsResponse(send_all_clusters=True).SerializeToString())
    return call


def reports(server: XdsServer, count: int) -> None:
    until(lambda: server.engine.loads().reports == count, f"{count} reports")


def test_the_first_message_is_answered_and_all_others_are_summed(
    server: XdsServer, channel: grpc.Channel
) -> None:
    """Requests in progress are a gauge over the clients that still report."""
    first, other = Reporter(channel), Reporter(channel)
    for count, reporter in enumerate((first, other), 1):
        reporter.report(NODE)
        call = admit(server, count)
        assert next(reporter.call).send_all_clusters
        assert (call.method, LoadStatsRequest.FromString(call.message).node) == ("StreamLoadStats", NODE)
    first.report(
        totalIssuedRequests=5, totalSuccessfulRequests=3, totalErrorRequests=1, totalRequestsInProgress=1
    )
    other.report(totalIssuedRequests=2, totalRequestsInProgress=2)
    first.report(totalSuccessfulRequests=1)
    reports(server, 5)
    loads = server.engine.loads()
    (load,) = loads.localities
    assert (load.cluster, load.service, load.zone, loads.reporters) == ("a", "a", "eu-1a", 2)
    assert (load.issued, load.successful, load.errors, load.in_progress) == (7, 4, 1, 2)
    other.end()
    assert other.status()[0] is grpc.StatusCode.OK
    until(lambda: server.engine.loads().reporters == 1, "one reporter")
    assert server.engine.loads().localities[0].in_progress == 0


def test_only_the_first_report_needs_a_node(server: XdsServer, channel: grpc.Channel) -> None:
    """A first message without a node ends the stream without an event for Python."""
    reporter = Reporter(channel)
    reporter.report(totalIssuedRequests=1)
    code, details = reporter.status()
    assert (code, "node.id" in details) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    assert not [event for event in server.events if isinstance(event, Call)]
    assert server.engine.loads().reports == 0


def test_a_client_without_permission_to_report_is_refused(server: XdsServer, channel: grpc.Channel) -> None:
    """Its first report is not counted."""
    reporter = Reporter(channel, ("authorization", "Bearer wrong"))
    reporter.report(NODE, totalIssuedRequests=1)
    (call,) = server.wait(Call)
    assert (call.token, call.transport, call.certificate) == ("wrong", "plaintext", [])
    server.engine.refuse(call.id, grpc.StatusCode.UNAUTHENTICATED.value[0], "no credential")
    assert reporter.status() == (grpc.StatusCode.UNAUTHENTICATED, "no credential")
    assert server.engine.loads().reports == 0


def test_reporters_wait_for_their_turn(server: XdsServer, channel: grpc.Channel) -> None:
    """After a restart all clients report at once: Python gets 4 of an address at a time, and none is refused."""
    reporters = [Reporter(channel) for _ in range(40)]
    for reporter in reporters:
        reporter.report(NODE)
    calls = server.wait(Call, 4)
    assert len(calls) == 4
    for count in range(1, 41):
        server.engine.reply(server.wait(Call, count)[count - 1].id, b"")
    for reporter in reporters:
        next(reporter.call)
    assert server.engine.loads().reporters == 40


def test_reporters_do_not_wait_behind_those_of_another_address(tmp_path: Path) -> None:
    """For any number of others, answered or not."""
    with XdsServer(listen=["127.0.0.1:0", f"unix:{tmp_path}/xds"]) as server:
        (other,) = server.more_addresses
        with grpc.insecure_channel(server.address) as greedy, grpc.insecure_channel(other) as honest:
            many = [Reporter(greedy) for _ in range(40)]
            for reporter in many:
                reporter.report(NODE)
            server.wait(Call, 4)
            first = Reporter(honest)
            first.report(NODE)
            (call,) = server.wait(Call, transport="unix")
            server.engine.reply(call.id, b"")
            next(first.call)
            assert not any(reporter.call.done() for reporter in many)


def test_localities_that_a_client_invents_share_one_row(server: XdsServer, channel: grpc.Channel) -> None:
    """They displace no served locality."""
    reporter = Reporter(channel)
    reporter.report(NODE)
    admit(server)
    for number in range(300):
        reporter.report(zone=f"invented-{number}", totalIssuedRequests=1)
    reporter.report(totalIssuedRequests=1)
    reports(server, 302)
    loads = server.engine.loads()
    assert {load.zone: load.issued for load in loads.localities} == {"eu-1a": 1, "other": 300}
    assert loads.ignored == 0


def test_other_methods_of_the_service_are_unimplemented(channel: grpc.Channel) -> None:
    """The v2 service, too."""
    for method in (
        "load_stats.v3.LoadReportingService/Other",
        "load_stats.v2.LoadReportingService/StreamLoadStats",
    ):
        call: Any = channel.unary_unary(f"/envoy.service.{method}")
        with pytest.raises(grpc.RpcError) as raised:
            call(b"", timeout=PATIENCE_SECONDS)
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED  # type: ignore[attr-defined]


def test_sums_are_metrics(server: XdsServer, channel: grpc.Channel) -> None:
    """By cluster and locality; names of the assignment are added up."""
    reporter = Reporter(channel)
    reporter.report(
        NODE,
        totalIssuedRequests=4,
        totalSuccessfulRequests=2,
        totalErrorRequests=1,
        totalRequestsInProgress=1,
    )
    admit(server)
    reports(server, 1)
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in LoadsCollector(server.engine).collect()
        for sample in family.samples
    }
    assert samples == {
        ("steerway_load_reporters",): 1,
        ("steerway_load_reports_total",): 1,
        ("steerway_load_ignored_rows_total",): 0,
        ("steerway_load_requests_total", "a", "eu-1a", "success"): 2,
        ("steerway_load_requests_total", "a", "error", "eu-1a"): 1,
        ("steerway_load_issued_requests_total", "a", "eu-1a"): 4,
        ("steerway_load_requests_in_progress", "a", "eu-1a"): 1,
    }


def test_a_reporter_counts_for_the_stream_limit() -> None:
    with XdsServer(max_streams=1) as server, grpc.insecure_channel(server.address) as channel:
        first = Reporter(channel)
        first.report(NODE)
        admit(server)
        assert next(first.call).send_all_clusters
        second = Reporter(channel)
        second.report(NODE)
        assert second.status()[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        first.call.cancel()
        until(lambda: server.engine.loads().reporters == 0, "no reporter")
