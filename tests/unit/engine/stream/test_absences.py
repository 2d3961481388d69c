"""Requested names without a resource: in the view of their streams, in counters, and page by page."""

from prometheus_client import CollectorRegistry

from steerway.engine.stats import StatsCollector
from steerway.testing.ads_client import AdsClient
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT, LISTENER
from testbed.process.deadline import until
from testbed.xds_server import XdsServer, contents, put

WITHHELD = "authorization does not permit this client to see it"


def absent(server: XdsServer) -> dict[str, list[tuple[str, str, bool]]]:
    """By node of the stream: absent names, the reason, and whether the client had the resource before."""
    return {
        stream.node_id: [
            (row.name, row.reason, row.removed) for part in stream.subscriptions for row in part.absent
        ]
        for stream in server.engine.streams()
    }


def counts(server: XdsServer) -> dict[str, int]:
    """Absent subscriptions by type, without zeros."""
    return {url: count for url, count in server.engine.absences().counts.items() if count}


def test_a_name_is_absent_from_its_answer_on_until_it_exists(server: XdsServer, client: AdsClient) -> None:
    """Not before the first answer; again when the resource is removed."""
    stream = client.delta()
    stream.request(CLUSTER, "a", "b")
    server.publish([put(CLUSTER, "b", "1")])
    stream.ack(stream.read())
    (rows,) = absent(server).values()
    assert (rows, counts(server)) == ([], {})
    server.publish(absent=[(CLUSTER, "a", "", "no such service")])
    stream.ack(stream.read())
    (rows,) = absent(server).values()
    assert (rows, counts(server)) == ([("a", "no such service", False)], {CLUSTER: 1})
    server.publish([put(CLUSTER, "a", "1")], absent=[(CLUSTER, "b", "", "it went")])
    until(lambda: counts(server) == {CLUSTER: 1}, "the other one is absent")
    (rows,) = absent(server).values()
    assert rows == [("b", "it went", True)]
    server.publish([put(CLUSTER, "b", "2")])
    assert counts(server) == {}


def test_a_name_without_permission_is_absent_for_authorization() -> None:
    """The client receives the answer for a missing name; a read of the view is not counted as denied."""
    with XdsServer(grant=lambda _: ["shop/*", ""]) as server, AdsClient(server.address) as client:
        server.engine.set_serving(True)
        server.publish(
            [put(CLUSTER, "mine", "1", scope="shop/a"), put(CLUSTER, "hidden", "1", scope="pay/b")],
            absent=[(CLUSTER, "never", "", "no such service")],
        )
        stream = client.delta()
        stream.request(CLUSTER, "mine", "hidden", "never")
        response = stream.read()
        assert (contents(response), sorted(response.removed_resources)) == (
            {"mine": "1"},
            ["hidden", "never"],
        )
        denied = server.engine.stats().denied
        (rows,) = absent(server).values()
        assert rows == [("hidden", WITHHELD, False), ("never", "no such service", False)]
        assert counts(server) == {CLUSTER: 2}
        assert server.engine.stats().denied == denied


def test_absent_subscriptions_are_a_gauge(server: XdsServer, client: AdsClient) -> None:
    """Summed over streams by type; it falls with an unsubscription or the end of a stream."""
    registry = CollectorRegistry()
    registry.register(StatsCollector(server.engine))

    def value(kind: str) -> float | None:
        return registry.get_sample_value("steerway_absent_subscriptions", {"type": kind})

    rows = [(LISTENER, "x", "", "none"), (LISTENER, "y", "", "none"), (ENDPOINT, "x", "", "none")]
    server.publish(absent=rows)
    streams = [client.sotw(), client.delta()]
    for stream in streams:
        stream.request(LISTENER, "x", "y")
    streams[0].request(ENDPOINT, "x")
    until(lambda: value("Listener") == 4, "both streams miss both names")
    until(lambda: value("ClusterLoadAssignment") == 1, "one misses the assignment")
    assert value("Cluster") == 0
    streams[0].request(LISTENER, "x")
    until(lambda: value("Listener") == 3, "one name was unsubscribed")
    client.close()
    until(lambda: value("Listener") == 0, "the client is gone")


def test_rows_come_page_by_page_and_no_stream_hides_others(server: XdsServer, client: AdsClient) -> None:
    """Each stream has a bounded number of rows; a page ends between two streams."""
    names = [f"n{number}" for number in range(50)]
    server.publish(absent=[(CLUSTER, name, "", "none") for name in names])
    for size in (50, 1, 2, 3, 4):
        client.sotw().request(CLUSTER, *names[:size])
    until(lambda: counts(server) == {CLUSTER: 60}, "all are subscribed")
    pages, after = [], 0
    while rows := server.engine.absences(after=after, streams=2).rows:
        after = rows[-1].stream
        pages.append({row.stream for row in rows})
        assert {row.audience for row in rows} == {"test"}
    assert [len(page) for page in pages] == [2, 2, 1]
    rows = server.engine.absences(streams=100).rows
    shown = {row.stream: (row.count, sum(other.stream == row.stream for other in rows)) for row in rows}
    assert sorted(shown.values()) == [(1, 1), (2, 2), (3, 3), (4, 4), (50, 10)]
    assert [row.stream for row in rows] == sorted(row.stream for row in rows)
