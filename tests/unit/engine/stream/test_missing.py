"""Missing names: kept by the engine alone, and demanded again when the service that they depend on changes."""

from steerway._engine import Absence
from steerway.commit import Commit
from steerway.engine.engine import Demand, Withdrawn
from steerway.testing.ads_client import AdsClient
from steerway.translate.xds.type_url import CLUSTER
from testbed.process.deadline import until
from testbed.xds_server import XdsServer, contents, put

REASON = "service shop/a not found"
MISSING = [(CLUSTER, name, "test", REASON, "shop/a") for name in ("a:1", "a:2")]


def test_a_missing_name_is_answered_and_demanded_again(server: XdsServer, client: AdsClient) -> None:
    """Only when its service changes; the client keeps its answer meanwhile."""
    stream = client.delta()
    stream.request(CLUSTER, "a:1", "a:2")
    server.wait(Demand, count=2)
    server.engine.publish(Commit(missing=MISSING))
    response = stream.read()
    stream.ack(response)
    assert sorted(response.removed_resources) == ["a:1", "a:2"]
    assert {row.reason for row in _absent(server)} == {REASON}
    server.engine.changed(["shop/b"])
    server.assert_silent(stream)
    assert len(server.wait(Demand, name="a:1")) == 1
    server.engine.changed(["shop/a"])
    for name in ("a:1", "a:2"):
        server.wait(Demand, count=2, name=name)
    server.publish([put(CLUSTER, "a:1", "1"), put(CLUSTER, "a:2", "1")])
    assert contents(stream.read()) == {"a:1": "1", "a:2": "1"}


def test_a_name_that_changes_itself_is_demanded_again(server: XdsServer, client: AdsClient) -> None:
    """For example when a file adds it for every client: the old answer must not hide it. Names of an unknown type
    beside it have no subscriber.
    """
    stream = client.delta()
    stream.request(CLUSTER, "a:1", "a:2")
    server.wait(Demand, count=2)
    server.engine.publish(Commit(missing=MISSING))
    stream.ack(stream.read())
    server.publish([put(CLUSTER, "a:1", "raw", audience="")])
    server.engine.changed([], [("type.googleapis.com/x.v3.Unserved", "a:1"), (CLUSTER, "a:1")])
    assert contents(stream.read()) == {"a:1": "raw"}
    assert [demand.name for demand in server.wait(Demand, count=3)].count("a:1") == 2


def test_a_missing_name_is_removed_without_an_event(server: XdsServer, client: AdsClient) -> None:
    """Only the engine kept it."""
    stream = client.delta()
    stream.request(CLUSTER, "a:1", "known")
    server.wait(Demand, count=2)
    server.engine.publish(Commit(missing=MISSING[:1]))
    server.publish([put(CLUSTER, "known", "1")])
    until(lambda: len(server.engine.entries()) == 2, "both are answered")
    client.close()
    server.wait(Withdrawn, name="known")
    until(lambda: server.engine.usage().demand == 0, "the grace is over")
    assert [entry.name for entry in server.engine.entries()] == ["known"]
    assert [event.name for event in server.events if isinstance(event, Withdrawn)] == ["known"]


def test_a_name_without_demand_is_not_published_as_missing(server: XdsServer) -> None:
    """Its demand may have been withdrawn meanwhile."""
    assert server.engine.publish(Commit(missing=MISSING)) == 0
    assert server.engine.entries() == []


def _absent(server: XdsServer) -> list[Absence]:
    return list(server.engine.absences(streams=10).rows)
