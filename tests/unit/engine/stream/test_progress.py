"""What operators ask the engine of all streams: states, groups by label, edges to names, and pages of streams."""

import struct
import threading
from collections.abc import Callable

import pytest
from envoy.config.core.v3.base_pb2 import Node

from steerway.inventory.row.client import STATES
from steerway.testing.ads_client import AdsClient
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT, LISTENER
from testbed.process.deadline import until
from testbed.xds_server import XdsServer, put


def states(server: XdsServer) -> list[str]:
    """The state of each stream, by ascending id, once all ways to ask for it agree."""

    def read() -> list[list[tuple[int, str]]]:
        ids, codes = server.engine.states()
        coded = zip(struct.unpack(f"<{len(codes)}Q", ids), codes, strict=True)
        return [
            [(id, STATES[code]) for id, code in coded],
            [(stream.id, stream.state) for stream in server.engine.streams()],
        ]

    until(lambda: (both := read())[0] == both[1], "the states agree")
    return [state for _, state in read()[0]]


def has(server: XdsServer, *expected: str) -> Callable[[], bool]:
    """Whether the streams have these states now."""
    return lambda: states(server) == list(expected)


@pytest.mark.parametrize("variant", ["sotw", "delta"])
def test_a_stream_has_the_worst_state_of_its_types(
    server: XdsServer, client: AdsClient, variant: str
) -> None:
    """A name without an answer, an unanswered response, a refusal, an absent name, and none of these."""
    stream = client.sotw() if variant == "sotw" else client.delta()
    stream.request(ENDPOINT, "a", "b")
    until(has(server, "waiting"), "nothing is published")
    server.publish([put(ENDPOINT, "a", "1"), put(ENDPOINT, "b", "1")])
    response = stream.read()
    until(has(server, "behind"), "the response is not answered")
    oldest = server.engine.stats().oldest_unacked_seconds
    assert oldest is not None and oldest >= 0
    stream.ack(response)
    until(has(server, "in_sync"), "it is")
    assert server.engine.stats().oldest_unacked_seconds is None
    server.publish([put(ENDPOINT, "b", "2")])
    stream.nack(stream.read(), "no")
    until(has(server, "refused"), "it is refused")
    assert server.engine.stats().refused_now[ENDPOINT] == 1
    server.publish([put(ENDPOINT, "b", "3")], absent=[(ENDPOINT, "a", "", "it went")])
    stream.ack(stream.read())
    until(has(server, "absent"), "a name is absent")
    stats = server.engine.stats()
    assert (stats.absent, stats.refused_now[ENDPOINT]) == (1, 0)
    server.publish(forget=[(ENDPOINT, "a", "")])
    until(has(server, "waiting"), "its absence is not certain any more")


def test_a_type_and_its_stream_agree(server: XdsServer, client: AdsClient) -> None:
    """Each type has a state of its own; a wildcard waits until all is published."""
    stream = client.sotw()
    stream.request(LISTENER)
    stream.request(ENDPOINT, "a")
    server.publish([put(ENDPOINT, "a", "1")])
    stream.ack(stream.read())

    def by_type() -> dict[str, str]:
        (view,) = server.engine.streams()
        return {part.type_url: part.state for part in view.subscriptions}

    until(lambda: by_type() == {LISTENER: "waiting", ENDPOINT: "in_sync"}, "the listeners are not complete")
    assert states(server) == ["waiting"]


def test_groups_and_edges_sum_up_by_label(server: XdsServer) -> None:
    """A label may change; streams without one are a group, too."""
    server.publish([put(CLUSTER, "a", "1"), put(CLUSTER, "b", "1"), put(ENDPOINT, "a", "1")])
    with AdsClient(server.address) as client, AdsClient(server.address) as other:
        streams = [client.delta(), client.delta(), other.delta()]
        for stream in streams:
            stream.request(CLUSTER, "a")
            stream.ack(stream.read())
        streams[1].request(ENDPOINT, "a")
        streams[1].read()
        until(lambda: sorted(states(server)) == ["behind", "in_sync", "in_sync"], "one has not answered")
        behind = next(stream.id for stream in server.engine.streams() if stream.state == "behind")
        labels = {stream.id: "shop/checkout" for stream in server.engine.streams() if stream.id != behind}
        server.engine.label([*labels.items(), (10**9, "a stream that is gone")])
        server.engine.label([(behind, "pay/api")])
        groups = [(group.label, group.streams, group.states) for group in server.engine.groups()]
        assert groups == [("pay/api", 1, {"behind": 1}), ("shop/checkout", 2, {"in_sync": 2})]
        (late, done) = server.engine.groups()
        assert late.oldest_unacked_seconds is not None and done.oldest_unacked_seconds is None
        assert late.oldest_age_seconds >= late.oldest_unacked_seconds
        assert edges(server) == [
            ("pay/api", CLUSTER, "a", 1, {"in_sync": 1}),
            ("pay/api", ENDPOINT, "a", 1, {"behind": 1}),
            ("shop/checkout", CLUSTER, "a", 2, {"in_sync": 2}),
        ]
        assert edges(server, "shop/checkout") == edges(server)[2:]
        server.engine.label([(behind, "")])
        assert [group.label for group in server.engine.groups()] == ["", "shop/checkout"]
        assert {row[0] for row in edges(server, "")} == {""}
    until(lambda: server.engine.groups() == [], "all streams have ended")


def edges(
    server: XdsServer, label: str | None = None, names: list[str] | None = None
) -> list[tuple[str, str, str, int, dict[str, int]]]:
    """The edges as tuples."""
    return [
        (edge.label, edge.type_url, edge.name, edge.streams, edge.states)
        for edge in server.engine.edges(label, names)
    ]


def test_edges_have_the_state_of_the_name_and_can_be_asked_by_name(
    server: XdsServer, client: AdsClient
) -> None:
    """A wildcard is an edge to `*`."""
    server.publish([put(CLUSTER, "a", "1")], absent=[(CLUSTER, "gone", "", "none")])
    named, wild = client.delta(), client.delta()
    named.request(CLUSTER, "a", "gone", "later")
    named.ack(named.read())
    wild.request(CLUSTER)
    rows = [
        ("", CLUSTER, "*", 1, {"waiting": 1}),
        ("", CLUSTER, "a", 1, {"in_sync": 1}),
        ("", CLUSTER, "gone", 1, {"absent": 1}),
        ("", CLUSTER, "later", 1, {"waiting": 1}),
    ]
    until(lambda: edges(server) == rows, f"all are listed: {edges(server)}")
    assert edges(server, names=["later", "*", "unknown"]) == [rows[0], rows[3]]
    assert server.engine.edges(names=["a"])[0].since_seconds >= 0
    server.publish([put(CLUSTER, "a", "2")])
    named.nack(named.read(), "no")
    until(lambda: edges(server, names=["a"]) == [("", CLUSTER, "a", 1, {"refused": 1})], "it is refused")


def test_only_edges_of_changed_labels_are_read_again(server: XdsServer, client: AdsClient) -> None:
    """Equal edges keep their version, whatever their age."""
    server.publish([put(CLUSTER, "a", "1")])
    stream = client.delta()
    stream.request(CLUSTER, "a")
    response = stream.read()
    read = server.engine.changed_edges
    until(lambda: len(read({})[0]) == 1, "the edges are listed")
    (first,) = read({})[0]
    assert [(edge.name, edge.states) for edge in first.edges] == [("a", {"behind": 1})]
    assert read({"": first.version, "old": 1}) == ([], ["old"])
    stream.ack(response)
    until(lambda: len(read({"": first.version})[0]) == 1, "the state is another")


def test_streams_are_filtered_and_paged(server: XdsServer) -> None:
    """By id, pattern of the node, label, and page after page in the order of ids."""
    nodes = ["shop/a-1", "shop/a-2", "pay/b-1", "pay/b-2", "pay/b-3"]
    clients = [AdsClient(server.address, Node(id=node)) for node in nodes]
    try:
        for client in clients:
            client.sotw().request(ENDPOINT, "x")
        until(lambda: len(server.engine.streams()) == len(nodes), "all have subscribed")
        every = server.engine.streams()
        ids = {stream.node_id: stream.id for stream in every}
        assert [stream.id for stream in every] == sorted(ids.values())
        server.engine.label([(ids["pay/b-1"], "pay/b"), (ids["shop/a-1"], "shop/a")])

        def nodes_of(**filters: object) -> set[str]:
            return {stream.node_id for stream in server.engine.streams(**filters)}  # type: ignore[arg-type]

        assert nodes_of(node="shop/*") == {"shop/a-1", "shop/a-2"}
        assert nodes_of(node="*/?-1") == {"shop/a-1", "pay/b-1"}
        assert nodes_of(label="pay/b") == {"pay/b-1"}
        assert nodes_of(label="") == {"shop/a-2", "pay/b-2", "pay/b-3"}
        assert nodes_of(ids=[ids["pay/b-2"], ids["pay/b-2"], 10**9]) == {"pay/b-2"}
        assert nodes_of(ids=[], node="*") == set()
        assert nodes_of(ids=list(ids.values()), node="*-1", label="shop/a") == {"shop/a-1"}
        pages, after = [], 0
        while page := server.engine.streams(after=after, limit=2):
            pages.append([stream.id for stream in page])
            after = page[-1].id
        assert [len(page) for page in pages] == [2, 2, 1]
        assert [id for page in pages for id in page] == sorted(ids.values())
        assert nodes_of(label="", limit=1) <= nodes_of(label="")
    finally:
        for client in clients:
            client.close()


def test_reading_and_publishing_do_not_wait_for_each_other(server: XdsServer, client: AdsClient) -> None:
    """A shard that reads its streams holds the lock of the store once at a time."""
    for _ in range(20):
        client.delta().request(ENDPOINT, "a", *map(str, range(500)))
    until(lambda: len(server.engine.streams()) == 20, "all have subscribed")
    published = threading.Event()

    def publish() -> None:
        for number in range(1000):
            server.publish([put(ENDPOINT, "a", str(number))])
        published.set()

    publishing = threading.Thread(target=publish, daemon=True)
    publishing.start()

    def read_all() -> bool:
        engine = server.engine
        for read in (engine.streams, engine.states, engine.groups, engine.edges, engine.absences):
            read()
        return published.is_set()

    until(read_all, "everything is published")
    publishing.join()
