"""Responses on the wire, in both protocols: their content and their cause."""

import pytest
from envoy.config.core.v3.base_pb2 import Node

from steerway.engine.engine import Demand
from steerway.testing.ads_client import AdsClient, Service
from steerway.translate.xds.type_url import (
    CLUSTER,
    ENDPOINT,
    EXTENSION,
    LISTENER,
    ROUTE,
    RUNTIME,
    SCOPED_ROUTE,
    SECRET,
    SERVED,
)
from testbed.xds_server import IDENTIFIER, XdsServer, contents, put

PER_TYPE = {
    Service.LDS: LISTENER,
    Service.RDS: ROUTE,
    Service.CDS: CLUSTER,
    Service.EDS: ENDPOINT,
    Service.SDS: SECRET,
    Service.RTDS: RUNTIME,
    Service.SRDS: SCOPED_ROUTE,
    Service.ECDS: EXTENSION,
}


@pytest.mark.parametrize("type_url", SERVED)
def test_every_sotw_response_has_its_metadata(server: XdsServer, client: AdsClient, type_url: str) -> None:
    """Its type and that of each resource, a version, a unique nonce, the replica."""
    server.publish([put(type_url, "a", "1")])
    stream = client.sotw()
    stream.request(type_url, "a")
    first = stream.read()
    stream.ack(first)
    server.publish([put(type_url, "a", "2")])
    second = stream.read()
    for response in (first, second):
        assert response.type_url == type_url
        assert [resource.type_url for resource in response.resources] == [type_url]
        assert response.control_plane.identifier == IDENTIFIER
    assert first.nonce
    assert second.nonce not in ("", first.nonce)
    assert first.version_info
    assert second.version_info not in ("", first.version_info)
    assert (contents(first), contents(second)) == ({"a": "1"}, {"a": "2"})


@pytest.mark.parametrize("type_url", SERVED)
def test_every_delta_response_has_its_metadata(server: XdsServer, client: AdsClient, type_url: str) -> None:
    """As for SotW; each resource has its name and a version, and is in one list only."""
    server.publish([put(type_url, "a", "1")], absent=[(type_url, "b", "", "no such thing")])
    stream = client.delta()
    stream.request(type_url, "a", "b")
    response = stream.read()
    assert response.type_url == type_url
    assert response.control_plane.identifier == IDENTIFIER
    assert response.nonce
    assert response.system_version_info
    (resource,) = response.resources
    assert (resource.name, resource.resource.type_url) == ("a", type_url)
    assert resource.version
    assert list(response.removed_resources) == ["b"]


@pytest.mark.parametrize("service", PER_TYPE, ids=lambda service: service.name)
@pytest.mark.parametrize("named", [True, False], ids=["with type_url", "without type_url"])
def test_each_type_has_its_own_services(
    server: XdsServer, client: AdsClient, service: Service, named: bool
) -> None:
    """In both protocols; an empty type_url means the service's type."""
    type_url = PER_TYPE[service]
    server.publish([put(type_url, "a", "1")])
    for stream in (client.sotw(service), client.delta(service)):
        stream.request(type_url if named else "", "a")
        response = stream.read()
        assert (response.type_url, contents(response)) == (type_url, {"a": "1"})


def test_a_client_receives_the_entry_of_the_most_specific_audience() -> None:
    """The exact audience, then each wider one, then that of all clients; on removal, the next wider one."""
    with XdsServer(audience=lambda node: node.cluster) as server, AdsClient(server.address) as client:
        server.engine.set_serving(True)
        audiences = ("", "grpc", "grpc/core", "grpc/core/shop")
        server.publish([put(CLUSTER, "a", audience or "all", audience) for audience in audiences])
        seen = {}
        for audience in (
            "envoy",
            "grpc",
            "grpc/unknown",
            "grpc/core/cart",
            "grpc/core/shop",
            "grpc/core/shopping",
        ):
            stream = client.delta()
            stream.node = Node(id="n", cluster=audience)
            stream.request(CLUSTER, "a")
            response = stream.read()
            stream.ack(response)
            seen[audience] = contents(response)["a"]
        assert seen == {
            "envoy": "all",
            "grpc": "grpc",
            "grpc/unknown": "grpc",
            "grpc/core/cart": "grpc/core",
            "grpc/core/shop": "grpc/core/shop",
            "grpc/core/shopping": "grpc/core",
        }
        stream = client.delta()
        stream.node = Node(id="n", cluster="grpc/core/shop")
        stream.request(CLUSTER, "a")
        stream.ack(stream.read())
        server.publish(forget=[(CLUSTER, "a", "grpc/core/shop")])
        assert contents(stream.read()) == {"a": "grpc/core"}


def test_a_name_waits_for_its_answer(server: XdsServer, client: AdsClient) -> None:
    """Demand is reported, and the first entry is the answer."""
    stream = client.delta()
    stream.request(ENDPOINT, "a", "b")
    server.wait(Demand, type_url=ENDPOINT, name="a", audience="test")
    server.wait(Demand, type_url=ENDPOINT, name="b", audience="test")
    server.publish([put(ENDPOINT, "a", "1")])
    first = stream.read()
    assert (contents(first), list(first.removed_resources)) == ({"a": "1"}, [])
    stream.ack(first)
    server.publish(absent=[(ENDPOINT, "b", "test", "no such service")])
    assert list(stream.read().removed_resources) == ["b"]


def test_forgotten_names_keep_their_resource_and_wait(server: XdsServer, client: AdsClient) -> None:
    """Neither removed nor sent again; the next answer is compared with the client's version."""
    server.publish([put(CLUSTER, "a", "1"), put(CLUSTER, "b", "1")])
    stream = client.delta()
    stream.request(CLUSTER, "a", "b")
    stream.ack(stream.read())
    server.publish(forget=[(CLUSTER, "a", "")])
    server.publish([put(CLUSTER, "a", "1"), put(CLUSTER, "b", "2")])
    response = stream.read()
    assert (contents(response), list(response.removed_resources)) == ({"b": "2"}, [])


def test_a_wildcard_waits_until_publication_is_complete(server: XdsServer, client: AdsClient) -> None:
    """A client would apply a partial set as the full one."""
    sotw, delta = client.sotw(), client.delta()
    for stream in (sotw, delta):
        stream.request(LISTENER)
    server.wait(Demand, type_url=LISTENER, name="*")
    server.publish([put(LISTENER, "a", "1")])
    server.publish([put(LISTENER, "b", "1")])
    server.publish(complete=[(LISTENER, "test")])
    for stream in (sotw, delta):
        response = stream.read()
        assert contents(response) == {"a": "1", "b": "1"}
        stream.ack(response)
    server.publish(forget=[(LISTENER, "a", "")])
    assert contents(sotw.read()) == {"b": "1"}
    assert list(delta.read().removed_resources) == ["a"]


def test_one_response_is_in_flight_and_later_changes_merge(server: XdsServer, client: AdsClient) -> None:
    """After the ACK one more response has the latest state of all."""
    server.publish([put(CLUSTER, "a", "0"), put(CLUSTER, "b", "0"), put(EXTENSION, "other", "1")])
    for stream in (client.sotw(), client.delta()):
        stream.request(CLUSTER, "a", "b")
        first = stream.read()
        for number in range(1, 10):
            server.publish([put(CLUSTER, "a", f"{stream}{number}")])
        server.publish([put(CLUSTER, "b", f"{stream}")])
        stream.request(EXTENSION, "other")
        other = stream.read()
        assert other.type_url == EXTENSION, "nothing of the first type before its ACK; the other type goes on"
        stream.ack(first)
        last = stream.read()
        assert contents(last) == {"a": f"{stream}9", "b": f"{stream}"}
        stream.ack(last)
        stream.ack(other)
        server.publish([put(EXTENSION, "other", f"{stream}")])
        assert stream.read().type_url == EXTENSION, "exactly one more"


def test_equal_bytes_change_nothing(server: XdsServer, client: AdsClient) -> None:
    """They are not counted as a change and not sent."""
    assert server.publish([put(CLUSTER, "a", "1"), put(CLUSTER, "b", "1")]) == 2
    stream = client.delta()
    stream.request(CLUSTER, "a", "b")
    stream.ack(stream.read())
    assert server.publish([put(CLUSTER, "a", "1")]) == 0
    assert server.publish([put(CLUSTER, "a", "1"), put(CLUSTER, "b", "2")]) == 1
    assert contents(stream.read()) == {"b": "2"}


@pytest.mark.parametrize("kind", ["put", "absent", "forget", "complete"])
def test_an_unknown_type_refuses_the_whole_commit(server: XdsServer, kind: str) -> None:
    unknown = "type.googleapis.com/google.protobuf.Empty"
    entries = {
        "put": [put(unknown, "a", "1")],
        "absent": [(unknown, "a", "", "gone")],
        "forget": [(unknown, "a", "")],
        "complete": [(unknown, "")],
    }
    commit = {"put": [put(CLUSTER, "a", "1")]}
    commit[kind] = commit.get(kind, []) + entries[kind]
    with pytest.raises(ValueError, match=r"google\.protobuf\.Empty"):
        server.publish(**commit)
    assert server.engine.entries() == []


def test_the_store_can_be_read(server: XdsServer) -> None:
    """Entries with version or reason, and the bytes of one."""
    server.publish([put(CLUSTER, "a", "1", "grpc")], absent=[(CLUSTER, "b", "", "no such service")])
    entries = {entry.name: entry for entry in server.engine.entries()}
    assert (entries["a"].type_url, entries["a"].audience, entries["a"].size) == (CLUSTER, "grpc", len(b"a=1"))
    assert entries["a"].version
    assert (entries["a"].reason, entries["b"].reason) == ("", "no such service")
    assert entries["b"].version == ""
    assert server.engine.body(CLUSTER, "a", "grpc") == b"a=1"
    assert server.engine.body(CLUSTER, "a", "") is None


GRANTS = {"all": None, "public": [""], "shop": ["", "shop/*"], "cart": ["shop/cart"]}


@pytest.mark.parametrize(
    ("identity", "seen"),
    [
        ("all", {"open", "vault", "basket"}),
        ("public", {"open"}),
        ("shop", {"open", "basket"}),
        ("cart", {"basket"}),
    ],
)
def test_a_resource_outside_the_grant_is_hidden(identity: str, seen: set[str]) -> None:
    with XdsServer(grant=lambda node: GRANTS[node.id]) as server:
        server.engine.set_serving(True)
        server.publish(
            [
                put(CLUSTER, "open", "1"),
                put(CLUSTER, "vault", "1", scope="bank/vault"),
                put(CLUSTER, "basket", "1", scope="shop/cart"),
            ],
            complete=[(CLUSTER, "")],
        )
        with AdsClient(server.address, Node(id=identity)) as client:
            named = client.delta()
            named.request(CLUSTER, "open", "vault", "basket")
            response = named.read()
            hidden = {"open", "vault", "basket"} - seen
            assert (set(contents(response)), set(response.removed_resources)) == (seen, hidden)
            wildcard = client.sotw()
            wildcard.request(CLUSTER)
            assert set(contents(wildcard.read())) == seen
            assert server.engine.stats().denied == len(hidden)


def test_a_resource_that_becomes_private_is_removed_from_clients_without_permission() -> None:
    with XdsServer(grant=lambda node: GRANTS[node.id]) as server:
        server.engine.set_serving(True)
        server.publish([put(CLUSTER, "a", "1")])
        with (
            AdsClient(server.address, Node(id="shop")) as owner,
            AdsClient(server.address, Node(id="public")) as stranger,
        ):
            streams = [client.delta() for client in (owner, stranger)]
            for stream in streams:
                stream.request(CLUSTER, "a")
                stream.ack(stream.read())
            server.publish([put(CLUSTER, "a", "1", scope="shop/a")])
            assert list(streams[1].read().removed_resources) == ["a"]
            server.assert_silent(streams[0])
