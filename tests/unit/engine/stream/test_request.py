"""Requests on the wire: admission, subscription, and a client's answer to a response."""

import grpc
import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest

from steerway.engine.engine import Nack, Opened
from steerway.testing.ads_client import AdsClient, DeltaStream, Service, SotwStream
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT, LISTENER, ROUTE
from testbed.process.deadline import until
from testbed.xds_server import XdsServer, contents, put

PROTOCOLS = ["sotw", "delta"]


def opened(client: AdsClient, protocol: str, service: Service = Service.ADS) -> SotwStream | DeltaStream:
    """A new stream of the protocol."""
    return client.sotw(service) if protocol == "sotw" else client.delta(service)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("service", "node_id", "type_url", "reason"),
    [
        (Service.ADS, "n", "", "must carry type_url"),
        (Service.ADS, "", CLUSTER, "must carry node.id"),
        (Service.CDS, "", "", "must carry node.id"),
        (Service.CDS, "n", LISTENER, "serves type.googleapis.com/envoy.config.cluster.v3.Cluster only"),
    ],
    ids=["no type", "no node id", "no node id per type", "another type"],
)
def test_an_invalid_request_ends_its_stream(
    server: XdsServer,
    client: AdsClient,
    protocol: str,
    service: Service,
    node_id: str,
    type_url: str,
    reason: str,
) -> None:
    """INVALID_ARGUMENT with the reason; other streams of the connection continue."""
    server.publish([put(CLUSTER, "a", "1")])
    other, stream = opened(client, protocol), opened(client, protocol, service)
    stream.node = Node(id=node_id)
    stream.request(type_url, "a")
    ended = stream.end()
    assert (ended.code, reason in ended.details) == (grpc.StatusCode.INVALID_ARGUMENT, True), ended
    until(lambda: server.engine.stats().rejected == {"INVALID_ARGUMENT": 1}, "the stream counts as rejected")
    other.request(CLUSTER, "a")
    assert contents(other.read()) == {"a": "1"}


@pytest.mark.parametrize(
    "message", [DiscoveryRequest(type_url=CLUSTER), DeltaDiscoveryRequest(type_url=CLUSTER)]
)
def test_a_first_request_without_node_is_refused(
    client: AdsClient, message: DiscoveryRequest | DeltaDiscoveryRequest
) -> None:
    """A missing node, and a node without id."""
    stream = opened(client, "sotw" if isinstance(message, DiscoveryRequest) else "delta")
    stream.send(message.SerializeToString())
    assert stream.end().code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_node_of_the_first_request_counts(protocol: str) -> None:
    """A different node in a later request is ignored."""
    with XdsServer(audience=lambda node: node.cluster) as server, AdsClient(server.address) as client:
        server.engine.set_serving(True)
        server.publish([put(CLUSTER, name, of, of) for name in "ab" for of in ("mine", "theirs")])
        stream = opened(client, protocol)
        stream.node = Node(id="n", cluster="mine")
        stream.request(CLUSTER, "a")
        stream.ack(stream.read())
        stream.node = Node(id="m", cluster="theirs")
        stream.request(CLUSTER, "a", "b")
        assert set(contents(stream.read()).values()) == {"mine"}
        assert [Node.FromString(event.node).id for event in server.wait(Opened)] == ["n"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_unknown_type_leaves_the_stream_open(server: XdsServer, client: AdsClient, protocol: str) -> None:
    """It is not answered; other types are."""
    stream = opened(client, protocol)
    stream.request("type.googleapis.com/google.protobuf.Empty", "a")
    server.assert_silent(stream)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_ack_is_not_answered(server: XdsServer, client: AdsClient, protocol: str) -> None:
    """The subscription did not change."""
    server.publish([put(ENDPOINT, "a", "1")])
    stream = opened(client, protocol)
    stream.request(ENDPOINT, "a")
    stream.ack(stream.read())
    server.assert_silent(stream)


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_nack_is_reported_and_waits_for_a_change(
    server: XdsServer, client: AdsClient, protocol: str, code: int
) -> None:
    """The refused content is not sent again; a change is sent at once. Other types and clients are not affected."""
    server.publish([put(CLUSTER, "a", "1"), put(ENDPOINT, "e", "1")])
    stream, other = opened(client, protocol), opened(client, protocol)
    for item in (stream, other):
        item.request(CLUSTER, "a")
        item.request(ENDPOINT, "e")
    refused = stream.read()
    stream.nack(refused, "no such extension", code)
    (nack,) = server.wait(Nack)
    (view,) = (view for view in server.engine.streams() if view.id == nack.stream)
    assert (nack.node_id, nack.peer, nack.type_url) == ("test", view.peer, CLUSTER)
    assert (nack.resources, nack.code, nack.message) == (["a"], code, "no such extension")
    assert nack.version
    (subscription,) = (
        subscription for subscription in view.subscriptions if subscription.type_url == CLUSTER
    )
    assert (subscription.nack_message, subscription.version_acked) == ("no such extension", "")
    assert subscription.nack_version == subscription.version_sent == nack.version
    stream.ack(stream.read())
    server.assert_silent(stream)
    server.publish([put(CLUSTER, "a", "2")])
    assert contents(stream.read()) == {"a": "2"}
    assert contents(other.read()) == {"a": "1"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_nack_before_any_response_is_a_subscription(
    server: XdsServer, client: AdsClient, protocol: str
) -> None:
    server.publish([put(CLUSTER, "a", "1")])
    stream = opened(client, protocol)
    request = DiscoveryRequest if protocol == "sotw" else DeltaDiscoveryRequest
    names = {"resource_names" if protocol == "sotw" else "resource_names_subscribe": ["a"]}
    error = {"code": 3, "message": "too early"}
    stream.send(request(node=Node(id="n"), type_url=CLUSTER, error_detail=error, response_nonce="x", **names))
    assert contents(stream.read()) == {"a": "1"}


def test_a_name_added_inside_a_nack_is_served(server: XdsServer, client: AdsClient) -> None:
    """A NACK changes the subscription as any other request does."""
    server.publish([put(ENDPOINT, "a", "1"), put(ENDPOINT, "b", "1")])
    stream = client.sotw()
    stream.request(ENDPOINT, "a")
    response = stream.read()
    stream.send(
        DiscoveryRequest(
            type_url=ENDPOINT,
            response_nonce=response.nonce,
            error_detail={"code": 3, "message": "bad"},
            resource_names=["a", "b"],
        )
    )
    assert contents(stream.read()) == {"b": "1"}


def test_a_sotw_request_with_an_old_nonce_is_ignored(server: XdsServer, client: AdsClient) -> None:
    """Its names, too: the client repeats them in its answer to the response in flight."""
    server.publish([put(ENDPOINT, "a", "1"), put(ENDPOINT, "b", "1")])
    stream = client.sotw()
    stream.request(ENDPOINT, "a")
    first = stream.read()
    stream.ack(first)
    server.publish([put(ENDPOINT, "a", "2")])
    second = stream.read()
    stale = DiscoveryRequest(type_url=ENDPOINT, response_nonce=first.nonce, resource_names=["a", "b"])
    stream.send(stale)
    stream.ack(second)
    server.assert_silent(stream)
    assert server.engine.stats().stale[ENDPOINT] == 1


def test_a_delta_request_with_an_old_nonce_still_subscribes(server: XdsServer, client: AdsClient) -> None:
    """Its changes of the subscription are applied; it is no ACK."""
    server.publish([put(ENDPOINT, "a", "1"), put(ENDPOINT, "b", "1")])
    stream = client.delta()
    stream.request(ENDPOINT, "a")
    first = stream.read()
    stream.ack(first)
    server.publish([put(ENDPOINT, "a", "2")])
    second = stream.read()
    stream.send(
        DeltaDiscoveryRequest(type_url=ENDPOINT, response_nonce=first.nonce, resource_names_subscribe=["b"])
    )
    stream.ack(second)
    assert contents(stream.read()) == {"b": "1"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_unsubscribed_name_is_sent_again_when_subscribed(
    server: XdsServer, client: AdsClient, protocol: str
) -> None:
    """Also unchanged: idle gRPC channels drop their resources."""
    server.publish([put(ENDPOINT, "a", "1"), put(ENDPOINT, "b", "1")])
    stream = opened(client, protocol)
    stream.request(ENDPOINT, "a", "b")
    stream.ack(stream.read())
    if isinstance(stream, SotwStream):
        stream.request(ENDPOINT, "b")
        stream.request(ENDPOINT, "a", "b")
    else:
        stream.request(ENDPOINT, unsubscribe=["a"])
        stream.request(ENDPOINT, "a")
    assert contents(stream.read()) == {"a": "1"}


def test_sotw_responses_of_full_state_types_are_complete(server: XdsServer, client: AdsClient) -> None:
    """All subscribed resources: after a change, a deletion, and when none is left."""
    server.publish([put(CLUSTER, "a", "1"), put(CLUSTER, "b", "1")])
    stream = client.sotw()
    stream.request(CLUSTER, "a", "b")
    seen = []
    for commit in (
        {"put": [put(CLUSTER, "a", "2")]},
        {"absent": [(CLUSTER, "b", "", "gone")]},
        {"absent": [(CLUSTER, "a", "", "gone")]},
    ):
        response = stream.read()
        seen.append(contents(response))
        stream.ack(response)
        server.publish(**commit)
    seen.append(contents(stream.read()))
    assert seen == [{"a": "1", "b": "1"}, {"a": "2", "b": "1"}, {"a": "2"}, {}]


def test_sotw_without_names_is_a_wildcard_only_at_first(server: XdsServer, client: AdsClient) -> None:
    """After names, an empty list subscribes to nothing."""
    server.publish([put(CLUSTER, "a", "1"), put(CLUSTER, "b", "1")], complete=[(CLUSTER, "test")])
    stream = client.sotw()
    stream.request(CLUSTER)
    response = stream.read()
    assert contents(response) == {"a": "1", "b": "1"}
    stream.ack(response)
    stream.request(CLUSTER, "a")
    stream.ack(stream.read())
    stream.request(CLUSTER)
    server.assert_silent(stream)
    server.publish([put(CLUSTER, "a", "2"), put(CLUSTER, "b", "2")])
    server.assert_silent(stream)


@pytest.mark.parametrize("type_url", [ENDPOINT, ROUTE])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_types_without_wildcard_are_not_answered_without_names(
    server: XdsServer, client: AdsClient, protocol: str, type_url: str
) -> None:
    server.publish([put(type_url, "a", "1")], complete=[(type_url, "test")])
    stream = opened(client, protocol)
    stream.request(type_url)
    server.assert_silent(stream)


def test_endpoints_of_a_changed_cluster_are_sent_again_on_request(
    server: XdsServer, client: AdsClient
) -> None:
    """Also unchanged: a client that warms a new version of a cluster waits for them."""
    references = ((ENDPOINT, "e"),)
    server.publish([put(CLUSTER, "a", "1", references=references), put(ENDPOINT, "e", "1")])
    stream = client.sotw()
    stream.request(CLUSTER, "a")
    stream.ack(stream.read())
    stream.request(ENDPOINT, "e")
    stream.ack(stream.read())
    server.publish([put(CLUSTER, "a", "2", references=references)])
    stream.ack(stream.read())
    server.assert_silent(stream)
    stream.request(ENDPOINT, "e")
    response = stream.read()
    assert (response.type_url, contents(response)) == (ENDPOINT, {"e": "1"})


def test_delta_sends_differences_to_a_reconnecting_client(server: XdsServer, client: AdsClient) -> None:
    """Current versions are not sent again, old ones are, deleted resources are reported."""
    server.publish([put(CLUSTER, name, "1") for name in ("same", "old")], complete=[(CLUSTER, "test")])
    before = client.delta()
    before.request(CLUSTER, "same", "old")
    versions = {resource.name: resource.version for resource in before.read().resources}
    before.close()
    server.publish([put(CLUSTER, "old", "2"), put(CLUSTER, "new", "1")])
    stream = client.delta()
    stream.request(CLUSTER, "*", initial_versions=versions | {"gone": "0123456789abcdef"})
    response = stream.read()
    assert contents(response) == {"old": "2", "new": "1"}
    assert list(response.removed_resources) == ["gone"]


def test_delta_unsubscribes_and_subscribes_in_one_message(server: XdsServer, client: AdsClient) -> None:
    """Each name by itself."""
    server.publish([put(ENDPOINT, "a", "1"), put(ENDPOINT, "b", "1")])
    stream = client.delta()
    stream.request(ENDPOINT, "a")
    stream.ack(stream.read())
    stream.request(ENDPOINT, "b", unsubscribe=["a"])
    response = stream.read()
    assert contents(response) == {"b": "1"}
    stream.ack(response)
    server.publish([put(ENDPOINT, "a", "2")])
    server.assert_silent(stream)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("spoken", [True, False], ids=["after a response", "before anything"])
def test_half_close_ends_the_stream_with_ok(
    server: XdsServer, client: AdsClient, protocol: str, spoken: bool
) -> None:
    server.publish([put(CLUSTER, "a", "1")])
    stream = opened(client, protocol)
    if spoken:
        stream.request(CLUSTER, "a")
        stream.read()
    stream.half_close()
    assert stream.end().code is grpc.StatusCode.OK


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_state_of_a_stream_can_be_read(server: XdsServer, client: AdsClient, protocol: str) -> None:
    """Its client, and per type the names requested, pending, sent and accepted."""
    server.publish([put(CLUSTER, "a", "1")])
    stream = opened(client, protocol)
    stream.request(CLUSTER, "*")
    stream.request(ENDPOINT, "e", "f")
    until(
        lambda: (
            [
                sorted(subscription.waiting)
                for view in server.engine.streams()
                for subscription in view.subscriptions
            ]
            == [["*"], ["e", "f"]]
            # Without an audience no request is answered.
            and all(view.audience for view in server.engine.streams())
        ),
        lambda: f"both subscriptions wait: {server.engine.streams()}",
    )
    (view,) = server.engine.streams()
    assert (view.node_id, view.audience, view.delta) == ("test", "test", protocol == "delta")
    assert Node.FromString(view.node) == Node(id="test")
    method = "StreamAggregatedResources" if protocol == "sotw" else "DeltaAggregatedResources"
    assert view.service == f"envoy.service.discovery.v3.AggregatedDiscoveryService/{method}"
    clusters, endpoints = view.subscriptions
    assert (clusters.wildcard, list(clusters.names)) == (True, [])
    assert (endpoints.wildcard, sorted(endpoints.names)) == (False, ["e", "f"])
    assert (clusters.version_sent, clusters.sent_age_seconds, clusters.acked_age_seconds) == ("", None, None)
    server.publish(complete=[(CLUSTER, "test")])
    stream.ack(stream.read())
    server.assert_silent(stream)
    clusters = server.engine.streams()[0].subscriptions[0]
    assert clusters.version_acked == clusters.version_sent != ""
    assert list(clusters.waiting) == []
