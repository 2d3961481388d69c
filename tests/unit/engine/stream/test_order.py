"""Order between types and its timeout, heartbeats, glob collections and reasons, on the wire."""

from collections.abc import Iterator

import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import Resource

from steerway.testing.ads_client import AdsClient, DeltaStream
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT, LISTENER, ROUTE
from testbed.xds_server import XdsServer, contents, put

ABLE = Node(
    id="test",
    client_features=[
        "xds.config.supports-resource-ttl",
        "xds.config.resource-in-sotw",
        "xds.config.supports-resource-errors",
    ],
)
GLOB = "xdstp://files/T/shop/*"


@pytest.fixture
def server() -> Iterator[XdsServer]:
    """An engine whose order has no timeout that a test could see."""
    with XdsServer(make_before_break_timeout_seconds=3600) as server:
        server.engine.set_serving(True)
        yield server


@pytest.fixture
def client(server: XdsServer) -> Iterator[AdsClient]:
    """A client with all optional features."""
    with AdsClient(server.address, ABLE) as client:
        yield client


def serve(server: XdsServer, route: str, cluster: str) -> None:
    """A listener with a route to a cluster, and nothing else."""
    clusters = {"old", "new"} - {cluster}
    server.publish(
        [
            put(LISTENER, "l", "1", references=((ROUTE, "r"),)),
            put(ROUTE, "r", route, references=((CLUSTER, cluster),)),
            put(CLUSTER, cluster, "1", references=((ENDPOINT, cluster),)),
            put(ENDPOINT, cluster, "1"),
        ],
        forget=[(CLUSTER, name, "") for name in clusters],
        absent=[(ENDPOINT, name, "", "no such service") for name in clusters],
        complete=[(CLUSTER, ""), (LISTENER, "")],
    )


def proxy(server: XdsServer, client: AdsClient) -> DeltaStream:
    """A stream of a proxy that has ACKed everything."""
    serve(server, "1", "old")
    stream = client.delta()
    for type_url, names in ((CLUSTER, ()), (ENDPOINT, ("old",)), (LISTENER, ()), (ROUTE, ("r",))):
        stream.request(type_url, *names)
        stream.ack(stream.read())
    return stream


def test_a_route_follows_its_cluster_and_the_old_cluster_follows_the_route(
    server: XdsServer, client: AdsClient
) -> None:
    stream = proxy(server, client)
    serve(server, "2", "new")
    cluster = stream.read()
    assert (contents(cluster), list(cluster.removed_resources)) == ({"new": "1"}, [])
    stream.request(ENDPOINT, "new")
    stream.ack(cluster)
    endpoints = stream.read()
    assert contents(endpoints) == {"new": "1"}
    stream.ack(endpoints)
    route = stream.read()
    assert contents(route) == {"r": "2"}
    stream.ack(route)
    gone = stream.read()
    assert (gone.type_url, list(gone.removed_resources)) == (CLUSTER, ["old"])
    stream.ack(gone)
    assert list(stream.read().removed_resources) == ["old"]


def test_a_resource_without_permission_is_removed_while_a_route_names_it(
    server: XdsServer, client: AdsClient
) -> None:
    stream = proxy(server, client)
    server.publish(denied=[(served, "old", "", "not exported") for served in (CLUSTER, ENDPOINT)])
    gone = [stream.read(), stream.read()]
    assert {(key.type_url, *key.removed_resources) for key in gone} == {
        (CLUSTER, "old"),
        (ENDPOINT, "old"),
    }


def test_the_timeout_ends_the_wait_of_a_client_that_answers_nothing() -> None:
    with (
        XdsServer(make_before_break_timeout_seconds=0.05) as server,
        AdsClient(server.address, ABLE) as client,
    ):
        server.engine.set_serving(True)
        stream = proxy(server, client)
        serve(server, "2", "new")
        assert contents(stream.read()) == {"new": "1"}
        late = [stream.read(), stream.read()]
        assert {response.type_url for response in late} == {ENDPOINT, ROUTE}


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_heartbeats_keep_a_resource_alive(server: XdsServer, client: AdsClient, protocol: str) -> None:
    server.publish([put(ENDPOINT, "a", "1", ttl_seconds=0.3)])
    stream = client.sotw() if protocol == "sotw" else client.delta()
    stream.request(ENDPOINT, "a")
    responses = [stream.read()]
    for _ in range(3):
        stream.ack(responses[-1])  # type: ignore[arg-type]
        responses.append(stream.read())
    bodies = []
    for response in responses:
        (resource,) = response.resources
        if not isinstance(resource, Resource):
            unpacked = Resource()
            assert resource.Unpack(unpacked)
            resource = unpacked
        assert (resource.name, resource.ttl.ToMilliseconds()) == ("a", 300)
        bodies.append(resource.resource.value)
    assert bodies == [b"a=1", b"", b"", b""]


def test_a_glob_collection_follows_its_members(server: XdsServer, client: AdsClient) -> None:
    server.publish([put(ENDPOINT, "xdstp://files/T/shop/a", "1")], complete=[(ENDPOINT, "")])
    stream = client.delta()
    stream.request(ENDPOINT, GLOB)
    first = stream.read()
    assert set(contents(first)) == {"xdstp://files/T/shop/a"}
    stream.ack(first)
    server.publish(
        [put(ENDPOINT, "xdstp://files/T/shop/%62", "1"), put(ENDPOINT, "xdstp://files/T/bank/a", "1")]
    )
    assert [resource.name for resource in stream.read().resources] == ["xdstp://files/T/shop/b"]


def test_a_client_with_resource_errors_receives_reasons(server: XdsServer, client: AdsClient) -> None:
    server.publish(absent=[(ROUTE, "r", "", "no Service shop/r")])
    stream = client.sotw()
    stream.request(ROUTE, "r")
    response = stream.read()
    (error,) = response.resource_errors
    assert (error.resource_name.name, error.error_detail.code) == ("r", 5)
    assert error.error_detail.message == "no Service shop/r"


@pytest.mark.parametrize(
    ("names", "setting"),
    [([str(number) for number in range(6)], "max_names_per_stream"), (["n" * 101], "max_name_bytes")],
)
def test_a_stream_with_too_many_names_ends(names: list[str], setting: str) -> None:
    with (
        XdsServer(max_names_per_stream=5, max_name_bytes=100) as server,
        AdsClient(server.address, ABLE) as client,
    ):
        server.engine.set_serving(True)
        server.publish([put(CLUSTER, "a", "1")])
        good, bad = client.sotw(), client.sotw()
        bad.request(CLUSTER, *names)
        status = bad.end()
        assert status.code.name == "RESOURCE_EXHAUSTED"
        assert setting in status.details
        good.request(CLUSTER, "a")
        assert contents(good.read()) == {"a": "1"}
