"""Requests without a stream (REST): the engine answers each as on a stream, and never leaves one without an answer."""

import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from steerway.engine.engine import Closed, Demand, Opened
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT, LISTENER
from testbed.process.deadline import HONEST_SECONDS, PATIENCE_SECONDS, until
from testbed.xds_server import IDENTIFIER, XdsServer, contents, put


def fetch(
    server: XdsServer, type_url: str, *names: str, node: str = "old", seconds: float = PATIENCE_SECONDS
) -> DiscoveryResponse:
    """The answer to one request."""
    code, message, body = ask(server, type_url, *names, node=node, seconds=seconds)
    assert (code, message) == (0, "")
    response = DiscoveryResponse.FromString(body)
    assert (response.type_url, response.control_plane.identifier) == (type_url, IDENTIFIER)
    assert response.version_info
    return response


def ask(
    server: XdsServer, type_url: str, *names: str, node: str = "old", seconds: float = PATIENCE_SECONDS
) -> tuple[int, str, bytes]:
    """Code, message and body of one request."""
    request = DiscoveryRequest(node=Node(id=node), resource_names=names).SerializeToString()
    return server.engine.fetch(type_url, request, "10.0.0.9:4711", "secret", seconds)


def test_a_request_is_answered_with_all_named_resources(server: XdsServer) -> None:
    """Equal content has an equal version, changed content another one."""
    server.publish([put(ENDPOINT, "a", "1"), put(ENDPOINT, "b", "1")])
    first = fetch(server, ENDPOINT, "a", "b")
    assert contents(first) == {"a": "1", "b": "1"}
    assert fetch(server, ENDPOINT, "b", "a").version_info == first.version_info
    server.publish([put(ENDPOINT, "b", "2")])
    second = fetch(server, ENDPOINT, "a", "b")
    assert contents(second) == {"a": "1", "b": "2"}
    assert second.version_info != first.version_info


@pytest.mark.parametrize("type_url", [LISTENER, CLUSTER])
def test_no_names_are_a_wildcard(server: XdsServer, type_url: str) -> None:
    """After everything is published: before, the answer would be incomplete."""
    server.publish([put(type_url, "a", "1")])
    assert ask(server, type_url, seconds=HONEST_SECONDS)[0] == 4
    server.publish(complete=[(type_url, "")])
    assert contents(fetch(server, type_url)) == {"a": "1"}


def test_a_missing_resource_is_an_empty_answer(server: XdsServer) -> None:
    """On a stream no response is sent; a polling client needs one."""
    server.publish([put(ENDPOINT, "a", "1")], absent=[(ENDPOINT, "gone", "", "no such service")])
    nothing = fetch(server, ENDPOINT, "gone")
    assert contents(nothing) == {}
    assert fetch(server, ENDPOINT, "gone").version_info == nothing.version_info
    assert contents(fetch(server, ENDPOINT, "a", "gone")) == {"a": "1"}


def test_an_unknown_name_waits_for_its_answer() -> None:
    """At the deadline, known resources are sent; without any, the client should retry."""
    # The demand is reported even when the deadline comes first.
    with XdsServer(unsubscribe_grace_seconds=PATIENCE_SECONDS) as server:
        server.engine.set_serving(True)
        server.publish([put(ENDPOINT, "a", "1")])
        assert contents(fetch(server, ENDPOINT, "a", "late", seconds=HONEST_SECONDS)) == {"a": "1"}
        code, message, body = ask(server, ENDPOINT, "late", seconds=HONEST_SECONDS)
        assert (code, body) == (4, b"")
        assert "try again" in message
        (demand,) = server.wait(Demand, name="late")
        assert (demand.type_url, demand.audience) == (ENDPOINT, "test")


def test_a_fetch_is_admitted_as_a_stream_is(server: XdsServer) -> None:
    """By address, token and node. It counts as a stream while it waits, and leaves nothing."""
    server.publish([put(ENDPOINT, "a", "1")])
    fetch(server, ENDPOINT, "a")
    (opened,) = server.wait(Opened)
    assert (opened.peer, opened.token, opened.transport) == ("10.0.0.9:4711", "secret", "rest")
    assert Node.FromString(opened.node).id == "old"
    server.wait(Closed, stream=opened.stream)
    until(lambda: server.engine.stats().streams["sotw"] == 0, "no stream")
    assert server.engine.stats().subscriptions[ENDPOINT] == 0


def test_a_refused_fetch_has_the_status_of_the_refusal() -> None:
    """The status that would end a stream."""
    with XdsServer(refusal=lambda _: (16, "no credential")) as server:
        server.engine.set_serving(True)
        assert ask(server, ENDPOINT, "a") == (16, "no credential", b"")


def test_a_node_is_required(server: XdsServer) -> None:
    """As in the first request of a stream; a malformed request is refused, too."""
    code, message, _ = ask(server, ENDPOINT, "a", node="")
    assert (code, "node.id" in message) == (3, True)
    assert server.engine.fetch(ENDPOINT, b"\xff", "", "", 1)[0] == 3
    with pytest.raises(ValueError, match="not supported"):
        server.engine.fetch("type.googleapis.com/x.Y", b"", "", "", 1)


def test_a_stopping_server_answers_waiting_requests(server: XdsServer) -> None:
    """At once; later requests are answered, too."""
    server.engine.stop()
    code, message, _ = ask(server, ENDPOINT, "a")
    assert (code, "shutting down" in message) == (14, True)


def test_a_fetch_is_charged_to_the_cpu_budget() -> None:
    """A client over its budget is refused, others are answered."""
    # The demand is reported even when the answer comes first.
    with XdsServer(max_cpu_per_peer=0.001, unsubscribe_grace_seconds=PATIENCE_SECONDS) as server:
        server.engine.set_serving(True)
        many = [f"name-{number}" for number in range(5000)]
        server.publish([put(ENDPOINT, name, "1") for name in many])
        assert ask(server, ENDPOINT, *many)[0] == 0
        demand = server.wait(Demand)[0]
        # Two seconds may be used at once. A short wait for more is granted, one of more than 30 s is refused.
        server.engine.charge(demand.account, 1.999)
        until(lambda: "max_cpu_per_peer" in ask(server, ENDPOINT, *many, seconds=0)[1], "it is refused")
        assert ask(server, ENDPOINT, *many)[0] == 8
        other = DiscoveryRequest(node=Node(id="old"), resource_names=many).SerializeToString()
        assert server.engine.fetch(ENDPOINT, other, "10.0.0.10:1", "", PATIENCE_SECONDS)[0] == 0
