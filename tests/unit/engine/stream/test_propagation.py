"""How far a change has reached the clients: counted per stream, from its publication to the last answer."""

import time

import pytest
from envoy.config.core.v3.base_pb2 import Node

from steerway._engine import Nack, Propagation
from steerway.origin import Origin
from steerway.testing.ads_client import AdsClient, DeltaStream, SotwStream
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT
from testbed.process.deadline import until
from testbed.xds_server import XdsServer, put

KEPT = 4096


def counts(server: XdsServer, change: int) -> dict[str, int]:
    """What became of a change, without zeros; every stream that was sent it is in one state."""
    (row,) = server.engine.propagations([change])
    states = {name: getattr(row, name) for name in ("acked", "nacked", "pending", "ended")}
    assert row.sent == sum(states.values())
    return {name: count for name, count in states.items() if count}


def subscribe(stream: SotwStream | DeltaStream, *names: str) -> None:
    """Subscribe to endpoints, and accept the first response."""
    stream.request(ENDPOINT, *names)
    stream.ack(stream.read())  # type: ignore[arg-type]


@pytest.mark.parametrize("variant", ["sotw", "delta"])
def test_a_change_is_counted_from_its_publication_to_the_last_answer(server: XdsServer, variant: str) -> None:
    """Clients accept it, refuse it, disconnect, or have not answered yet."""
    server.publish([put(ENDPOINT, "a", "1")], change=1)
    assert server.engine.propagations([2]) == []
    clients = [AdsClient(server.address, Node(id=f"n{number}")) for number in range(5)]
    try:
        streams = [client.sotw() if variant == "sotw" else client.delta() for client in clients]
        for stream in streams[:4]:
            subscribe(stream, "a")
        assert counts(server, 1) == {}, "all of them came after it"
        server.publish([put(ENDPOINT, "a", "2")], change=2)
        responses = [stream.read() for stream in streams[:4]]
        until(lambda: counts(server, 2) == {"pending": 4}, "no client has answered")
        subscribe(streams[4], "a")
        streams[0].ack(responses[0])  # type: ignore[arg-type]
        streams[1].nack(responses[1], "no")  # type: ignore[arg-type]
        clients[2].close()
        expected = {"acked": 1, "nacked": 1, "ended": 1, "pending": 1}
        until(lambda: counts(server, 2) == expected, "each client is in another state")
        (row,) = server.engine.propagations([3, 2])
        assert row.change == 2 and row.first_sent_seconds is not None and row.last_acked_seconds is not None
        assert 0 <= row.first_sent_seconds <= row.last_acked_seconds
        (nack,) = server.wait(Nack)
        assert nack.change == 2
        streams[3].ack(responses[3])  # type: ignore[arg-type]
        until(lambda: counts(server, 2).get("acked") == 2, "the last client accepts it")
        (later,) = server.engine.propagations([2])
        assert later.first_sent_seconds == row.first_sent_seconds
        assert later.last_acked_seconds is not None and later.last_acked_seconds >= row.last_acked_seconds
        assert [row.change for row in server.engine.propagations([2, 1, 7])] == [1, 2]
    finally:
        for client in clients:
            client.close()


def test_a_change_that_never_reached_a_client_has_no_times(server: XdsServer, client: AdsClient) -> None:
    """Two changes while a client is slow: the second is sent alone."""
    server.publish([put(ENDPOINT, "a", "1")])
    stream = client.delta()
    stream.request(ENDPOINT, "a")
    first = stream.read()
    server.publish([put(ENDPOINT, "a", "2")], change=1)
    server.publish([put(ENDPOINT, "a", "3")], change=2)
    server.publish([put(ENDPOINT, "a", "3")], change=3)
    stream.ack(first)
    stream.ack(stream.read())
    until(lambda: counts(server, 2) == {"acked": 1}, "the second is acknowledged")
    assert counts(server, 1) == counts(server, 3) == {}
    superseded: Propagation = server.engine.propagations([1])[0]
    assert (superseded.first_sent_seconds, superseded.last_acked_seconds) == (None, None)


def test_one_change_of_several_types_counts_a_client_once(server: XdsServer, client: AdsClient) -> None:
    """A removal is delivered, too."""
    server.publish([put(CLUSTER, "a", "1"), put(ENDPOINT, "a", "1")])
    stream = client.delta()
    for kind in (CLUSTER, ENDPOINT):
        stream.request(kind, "a")
        stream.ack(stream.read())
    server.publish([put(ENDPOINT, "a", "2")], absent=[(CLUSTER, "a", "", "removed")], change=5)
    for _ in range(2):
        until(lambda: counts(server, 5) == {"pending": 1}, "the client has not answered everything")
        stream.ack(stream.read())
    until(lambda: counts(server, 5) == {"acked": 1}, "it has")


def test_a_resource_that_appears_is_delivered_and_an_answer_to_a_demand_is_not(
    server: XdsServer, client: AdsClient
) -> None:
    """Only the former has an origin."""
    server.publish([put(ENDPOINT, "known", "1")])
    stream = client.sotw()
    stream.request(ENDPOINT, "known", "new", "demanded")
    stream.ack(stream.read())
    until(lambda: server.engine.stats().oldest_unacked_seconds is None, "the first is acknowledged")
    server.publish([put(ENDPOINT, "demanded", "1")], change=1)
    stream.ack(stream.read())
    server.publish([put(ENDPOINT, "new", "1", origin=Origin(time.monotonic()))], change=2)
    stream.ack(stream.read())
    until(lambda: counts(server, 2) == {"acked": 1}, "it waited for the name")
    assert counts(server, 1) == {}


def test_the_last_changes_are_kept(server: XdsServer) -> None:
    """Older ones are unknown."""
    for change in range(1, KEPT + 3):
        server.publish(change=change)
    known = server.engine.propagations([1, 2, 3, KEPT + 2, KEPT + 3])
    assert [row.change for row in known] == [3, KEPT + 2]
