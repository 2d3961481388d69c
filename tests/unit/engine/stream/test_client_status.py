"""The client status discovery service (CSDS) over the wire: grpcio asks a real engine for the state of its clients."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.admin.v3 import config_dump_shared_pb2 as dump
from envoy.config.core.v3.base_pb2 import Node
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.service.status.v3 import csds_pb2 as csds
from google.protobuf.json_format import ParseDict

from steerway.admin.grpc.call_service import CallService, WaitingCall
from steerway.admin.grpc.client_status import ClientStatus
from steerway.commit import Put
from steerway.engine.engine import Call, Event, Nack, Opened
from steerway.testing.ads_client import AdsClient
from steerway.translate.xds.type_url import ENDPOINT, SECRET
from testbed.process.deadline import PATIENCE_SECONDS as PATIENCE
from testbed.process.deadline import until
from testbed.xds_server import XdsServer

METADATA = ("canary", "size", "tags", "team", "zone")
SERVICE = "/envoy.service.status.v3.ClientStatusDiscoveryService/"


class StatusServer(XdsServer):
    """An engine whose calls are answered as `steerway serve` does; not answered while `mute` is set."""

    mute = False
    refusal: tuple[int, str] | None = None

    def handle(self, events: list[Event]) -> None:
        if not self.mute:
            calls = [event for event in events if isinstance(event, Call)]
            status = ClientStatus(self.engine)
            responders = {"FetchClientStatus": status, "StreamClientStatus": status}
            CallService(self.engine, responders, self._refuse).answer(calls)

    async def _refuse(self, _call: WaitingCall) -> tuple[int, str] | None:
        return self.refusal


@pytest.fixture
def server() -> Iterator[StatusServer]:
    with StatusServer(node_metadata=METADATA) as server:
        server.engine.set_serving(True)
        yield server


def endpoint(name: str, zone: str = "") -> Put:
    body = ParseDict(
        {"cluster_name": name, "endpoints": [{"locality": {"zone": zone}}]}, ClusterLoadAssignment()
    )
    return Put(ENDPOINT, name, "", body.SerializeToString(), (), "", 0.0)


def fetch(channel: grpc.Channel, **request: Any) -> list[csds.ClientConfig]:
    ask = channel.unary_unary(
        SERVICE + "FetchClientStatus",
        csds.ClientStatusRequest.SerializeToString,
        csds.ClientStatusResponse.FromString,
    )
    message = ParseDict(request, csds.ClientStatusRequest())
    return list(ask(message, timeout=PATIENCE).config)


def rows(channel: grpc.Channel, **request: Any) -> dict[str, csds.ClientConfig.GenericXdsConfig]:
    """The resources of the only client, by name."""
    (config,) = fetch(channel, **request)
    return {generic_xds_config.name: generic_xds_config for generic_xds_config in config.generic_xds_configs}


@pytest.mark.parametrize("delta", [False, True])
def test_each_resource_has_its_status(server: StatusServer, delta: bool) -> None:
    """ACKed, NACKed with its error, requested, does not exist and unknown, in both protocols."""
    server.publish([endpoint("good")], absent=[(ENDPOINT, "gone", "", "no such service")])
    names = ("bad", "gone", "good", "late", "slow")
    with AdsClient(server.address) as client:
        stream = client.delta() if delta else client.sotw()
        stream.request(ENDPOINT, *names)
        stream.ack(first := stream.read())
        server.publish([endpoint("bad")])
        stream.nack(stream.read(), "cannot")
        server.wait(Nack)
        server.publish([endpoint("slow")])
        stream.read()
        result = rows(client.channel)
        assert {name: (row.config_status, row.client_status) for name, row in result.items()} == {
            "good": (csds.SYNCED, dump.ACKED),
            "bad": (csds.ERROR, dump.NACKED),
            "slow": (csds.STALE, dump.REQUESTED),
            "late": (csds.NOT_SENT, dump.REQUESTED),
            "gone": (csds.NOT_SENT, dump.DOES_NOT_EXIST),
        }
        assert result["bad"].error_state.details == "cannot"
        assert result["bad"].error_state.version_info
        assert result["bad"].error_state.failed_configuration.Is(ClusterLoadAssignment.DESCRIPTOR)
        assert not result["bad"].HasField("xds_config")
        good = result["good"]
        assert good.type_url == ENDPOINT
        assert good.last_updated.seconds > 0
        assert ClusterLoadAssignment.FromString(good.xds_config.value).cluster_name == "good"
        if delta:
            assert good.version_info == first.resources[0].version
        else:
            assert good.version_info


def test_contents_can_be_left_out(server: StatusServer) -> None:
    server.publish([endpoint("a")])
    with AdsClient(server.address) as client:
        stream = client.sotw()
        stream.request(ENDPOINT, "a")
        stream.ack(stream.read())
        result = rows(client.channel, exclude_resource_contents=True)["a"]
        assert result.version_info
        assert not result.HasField("xds_config")


def test_a_body_that_was_replaced_is_not_shown_for_the_old_version(server: StatusServer) -> None:
    """The client keeps the old version until it answers; the engine no longer has its bytes."""
    server.publish([endpoint("a", "one")])
    with AdsClient(server.address) as client:
        stream = client.sotw()
        stream.request(ENDPOINT, "a")
        first = stream.read()
        server.publish([endpoint("a", "two")])
        result = rows(client.channel)["a"]
        assert result.version_info
        assert not result.HasField("xds_config")
        stream.ack(first)
        assert contents_zone(stream.read().resources[0].value) == "two"
        assert contents_zone(rows(client.channel)["a"].xds_config.value) == "two"


def contents_zone(body: bytes) -> str:
    return str(ClusterLoadAssignment.FromString(body).endpoints[0].locality.zone)


def test_secrets_are_not_shown(server: StatusServer) -> None:
    secret = Secret(name="tls")
    secret.tls_certificate.private_key.inline_string = "very secret"
    secret.tls_certificate.certificate_chain.inline_string = "public"
    server.publish([Put(SECRET, "tls", "", secret.SerializeToString(), (), "", 0.0)])
    with AdsClient(server.address) as client:
        stream = client.sotw()
        stream.request(SECRET, "tls")
        stream.nack(stream.read(), "cannot")
        server.wait(Nack)
        refused = rows(client.channel)["tls"].error_state.failed_configuration.value
        assert b"public" in refused
        assert b"very secret" not in refused


def test_clients_are_selected_by_node(server: StatusServer) -> None:
    """One of several matchers; id and all metadata within a matcher."""
    nodes = [
        ParseDict({"id": "web-1", "metadata": {"zone": "a", "team": {"name": "shop"}, "size": 3}}, Node()),
        ParseDict({"id": "web-2", "metadata": {"zone": "b", "canary": True}}, Node()),
        ParseDict({"id": "db-1", "metadata": {"tags": ["x", "y"]}}, Node()),
    ]
    clients = [AdsClient(server.address, node) for node in nodes]
    try:
        for client in clients:
            client.sotw().request(ENDPOINT, "a")
        server.wait(Opened, 3)
        channel = clients[0].channel

        def ids(*matchers: dict[str, Any]) -> list[str]:
            return sorted(item.node.id for item in fetch(channel, node_matchers=list(matchers)))

        def metadata(value: dict[str, Any], *path: str) -> dict[str, Any]:
            return {"node_metadatas": [{"path": [{"key": key} for key in path], "value": value}]}

        assert ids() == ["db-1", "web-1", "web-2"]
        assert ids({"node_id": {"exact": "web-1"}}) == ["web-1"]
        assert ids({"node_id": {"prefix": "WEB", "ignore_case": True}}) == ["web-1", "web-2"]
        assert ids({"node_id": {"suffix": "-1"}}) == ["db-1", "web-1"]
        assert ids({"node_id": {"contains": "b-2"}}, {"node_id": {"exact": "db-1"}}) == ["db-1", "web-2"]
        assert ids({"node_id": {"suffix": "1"}, **metadata({"present_match": True}, "zone")}) == ["web-1"]
        assert ids(metadata({"string_match": {"exact": "shop"}}, "team", "name")) == ["web-1"]
        assert ids(metadata({"present_match": False}, "zone")) == ["db-1"]
        assert ids(metadata({"double_match": {"range": {"start": 1, "end": 4}}}, "size")) == ["web-1"]
        assert ids(metadata({"double_match": {"exact": 4}}, "size")) == []
        assert ids(metadata({"bool_match": True}, "canary")) == ["web-2"]
        assert ids(metadata({"list_match": {"one_of": {"string_match": {"exact": "y"}}}}, "tags")) == ["db-1"]
        either = {"value_matchers": [{"string_match": {"exact": item}} for item in ("a", "b")]}
        assert ids(metadata({"or_match": either}, "zone")) == ["web-1", "web-2"]
        with pytest.raises(grpc.RpcError) as refused:
            ids({"node_id": {"safe_regex": {"regex": "(a*)*"}}})
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "safe_regex" in refused.value.details()
    finally:
        for client in clients:
            client.close()


def test_a_stream_answers_each_message(server: StatusServer) -> None:
    server.publish([endpoint("a")])
    with AdsClient(server.address) as client:
        stream = client.sotw()
        stream.request(ENDPOINT, "a")
        response = stream.read()
        ask = client.channel.stream_stream(
            SERVICE + "StreamClientStatus",
            csds.ClientStatusRequest.SerializeToString,
            csds.ClientStatusResponse.FromString,
        )
        answered = threading.Event()

        def questions() -> Iterator[csds.ClientStatusRequest]:
            yield csds.ClientStatusRequest()
            answered.wait(PATIENCE)
            yield csds.ClientStatusRequest()

        answers = ask(questions(), timeout=PATIENCE)
        assert next(answers).config[0].generic_xds_configs[0].config_status == csds.STALE
        stream.ack(response)
        stream.request(ENDPOINT, "a", "b")
        server.publish([endpoint("b")])
        stream.read()
        answered.set()
        generic_xds_configs = {
            generic_xds_config.name: generic_xds_config
            for generic_xds_config in next(answers).config[0].generic_xds_configs
        }
        assert (generic_xds_configs["a"].config_status, generic_xds_configs["b"].config_status) == (
            csds.SYNCED,
            csds.STALE,
        )
        with pytest.raises(StopIteration):
            next(answers)


def test_a_call_without_permission_is_denied(server: StatusServer) -> None:
    server.refusal = (7, "not you")
    with AdsClient(server.address) as client:
        with pytest.raises(grpc.RpcError) as refused:
            fetch(client.channel)
        assert (refused.value.code(), refused.value.details()) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "not you",
        )


def test_a_malformed_request_is_refused(server: StatusServer) -> None:
    with AdsClient(server.address) as client:
        ask = client.channel.unary_unary(SERVICE + "FetchClientStatus")
        with pytest.raises(grpc.RpcError) as refused:
            ask(b"\xff", timeout=PATIENCE)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.RpcError) as unknown:
            client.channel.unary_unary(SERVICE + "Other")(b"", timeout=PATIENCE)
        assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_unanswered_calls_are_bounded_and_leave_nothing(tmp_path: Path) -> None:
    """A limited number per address waits, others of it are refused at once, other addresses are answered. Ended calls
    free their place.
    """
    with StatusServer(listen=["127.0.0.1:0", f"unix:{tmp_path}/xds"]) as server:
        server.engine.set_serving(True)
        (other,) = server.more_addresses
        with AdsClient(server.address) as client, AdsClient(other) as honest:
            server.mute = True
            ask = client.channel.unary_unary(SERVICE + "FetchClientStatus")
            ended: queue.Queue[grpc.Future] = queue.Queue()
            calls = [ask.future(b"", timeout=PATIENCE) for _ in range(17)]
            for call in calls:
                call.add_done_callback(ended.put)
            assert ended.get(timeout=PATIENCE).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            server.wait(Call, 16)
            server.mute = False
            assert fetch(honest.channel) == []
            assert server.engine.stats().refused["calls_per_address"] == 1
            for call in calls:
                call.cancel()

            def answered() -> bool:
                try:
                    return fetch(client.channel) == []
                except grpc.RpcError as error:
                    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                    return False

            until(answered, "there is room again")
