"""The journal: what is kept of a change, the counts of its clients, refusals and limits, and the bounds."""

import pytest

from steerway.catalog.model.identity import ServiceId
from steerway.commit import Absent, Commit, Put
from steerway.config import Settings
from steerway.control.wiring import make_engine
from steerway.journal.entry import MAX_KEPT, MAX_NAMES, MAX_REFUSALS
from steerway.journal.journal import EVICTIONS, FOLLOW_SECONDS, MAX_BYTES, MERGE_SECONDS, SETTLE_SECONDS
from steerway.origin import Origin
from steerway.sources.objects.core import ObjectKey
from tests.unit.journal.journal_world import (
    BACKEND,
    CLUSTER,
    ENDPOINT,
    SLICE,
    Counts,
    Limited,
    Refused,
    World,
)


@pytest.fixture
def world() -> World:
    return World()


def test_a_change_has_its_objects_services_resources_and_times(world: World) -> None:
    change = world.publish(
        put=[(ENDPOINT, "backend"), (CLUSTER, "backend")], origin=Origin(world.now - 0.01, world.now - 0.05)
    )
    world.counts[change] = Counts(change, sent=3, acked=2, pending=1, first_sent_seconds=0.0012)
    assert world.rows() == [
        {
            "id": "1",
            "replica": "steerway-0",
            "time": "2027-01-15T08:16:40.500Z",
            "kind": "change",
            "objects": ["EndpointSlice shop/backend-abc"],
            "object_count": 1,
            "services": ["shop/backend"],
            "service_count": 1,
            "resources": {"eds": ["backend"], "cds": ["backend"]},
            "resource_count": 2,
            "text": "EndpointSlice shop/backend-abc: 2 resources of shop/backend (eds, cds)",
            "event_to_published_seconds": 0.05,
            "clients": {"sent": 3, "acked": 2, "nacked": 0, "pending": 1, "ended": 0},
            "first_sent_seconds": 0.001,
            "last_acked_seconds": None,
            "complete": False,
            "nacks": [],
        }
    ]


def test_the_newest_row_is_first(world: World) -> None:
    first, second = world.publish(), world.publish()
    assert [row["id"] for row in world.rows()] == [str(second), str(first)]
    assert world.journal.last_id == second


def test_a_change_without_subscribers_is_complete(world: World) -> None:
    """The engine is not asked about it."""
    change = world.publish(put=[])
    assert world.row(change)["complete"]
    assert world.row(change)["text"] == "EndpointSlice shop/backend-abc: no resource of a client changes"
    assert world.asked == []


def test_counts_are_read_until_no_client_is_pending(world: World) -> None:
    change = world.publish()
    world.counts[change] = Counts(change, sent=1, pending=1)
    world.now += SETTLE_SECONDS
    assert not world.row(change)["complete"]
    world.counts[change] = Counts(change, sent=1, acked=1, last_acked_seconds=0.25)
    row = world.row(change)
    assert (row["complete"], row["clients"]["acked"], row["last_acked_seconds"]) == (True, 1, 0.25)
    world.now += FOLLOW_SECONDS
    world.asked.clear()
    world.rows()
    assert world.asked == []


def test_a_busy_client_may_be_sent_a_complete_change_later(world: World) -> None:
    change = world.publish()
    world.counts[change] = Counts(change, sent=1, acked=1)
    world.now += SETTLE_SECONDS
    assert world.row(change)["complete"]
    world.counts[change] = Counts(change, sent=2, acked=1, pending=1)
    row = world.row(change)
    assert (row["complete"], row["clients"]["pending"]) == (False, 1)


def test_a_change_is_not_complete_before_streams_were_woken(world: World) -> None:
    """Streams are woken after the publication: zero pending clients directly after it mean nothing."""
    change = world.publish()
    world.counts[change] = Counts(change)
    assert not world.row(change)["complete"]
    world.now += SETTLE_SECONDS
    assert world.row(change)["complete"]


def test_a_change_that_the_engine_no_longer_counts_keeps_its_counts(world: World) -> None:
    change = world.publish()
    world.counts[change] = Counts(change, sent=2, acked=1, pending=1)
    world.rows()
    del world.counts[change]
    row = world.row(change)
    assert row["complete"]
    assert row["clients"] == {"sent": 2, "acked": 1, "nacked": 0, "pending": 0, "ended": 0}


def test_lists_are_cut_and_counts_are_not(world: World) -> None:
    slices = [ObjectKey("EndpointSlice", "shop", f"s{number}") for number in range(300)]
    services = [ServiceId("shop", f"s{number}") for number in range(300)]
    put = [(ENDPOINT, f"s{number}") for number in range(300)]
    route = ObjectKey("GRPCRoute", "shop", "route")
    row = world.row(world.publish(objects=[*slices, route], services=services, put=put))
    assert (row["object_count"], row["service_count"], row["resource_count"]) == (301, 300, 300)
    assert len(row["objects"]) == len(row["services"]) == MAX_KEPT
    assert len(row["resources"]["eds"]) == MAX_NAMES
    assert row["objects"][0] == "GRPCRoute shop/route"
    assert row["text"].startswith("GRPCRoute shop/route, EndpointSlice shop/")
    assert "and 299 more: 300 resources of " in row["text"]


def test_variants_and_absent_names_of_a_change(world: World) -> None:
    """A name counts once, whatever the number of its audiences."""
    journal = world.journal
    commit = Commit(
        put=[Put(ENDPOINT, "backend", audience, b"") for audience in ("grpc", "envoy")],
        absent=[Absent(CLUSTER, "gone", "", "no such service")],
    )
    journal.record(journal.reserve(), [SLICE], [BACKEND], commit, {})
    (row,) = world.rows()
    assert (row["resources"], row["resource_count"]) == ({"eds": ["backend"], "cds": ["gone"]}, 2)


def test_refusals_stand_at_the_change_and_in_an_entry_of_their_own(world: World) -> None:
    change = world.publish()
    world.counts[change] = Counts(change, sent=2, nacked=2)
    world.journal.record_nacks([Refused(change), Refused(change, node_id="web-2")])
    nack, row = world.rows()
    assert row["nacks"] == [
        {"node": "web-1", "type": "cds", "message": "bad cluster"},
        {"node": "web-2", "type": "cds", "message": "bad cluster"},
    ]
    assert row["clients"]["nacked"] == 2
    assert nack["kind"] == "nack"
    assert nack["text"] == "web-1 and 1 more refused cds backend: bad cluster"
    assert (nack["services"], nack["objects"], nack["nacks"]) == (
        row["services"],
        row["objects"],
        row["nacks"],
    )
    assert nack["complete"]


def test_refusals_of_one_change_are_one_entry_for_some_seconds(world: World) -> None:
    """A fleet that refuses a change does not fill the journal."""
    change = world.publish()
    world.journal.record_nacks([Refused(change, node_id=f"web-{number}") for number in range(1000)])
    world.journal.record_nacks([Refused(change, node_id="web-x", suppressed=5)])
    nack, row = world.rows()
    assert nack["clients"]["nacked"] == 1006
    assert len(nack["nacks"]) == len(row["nacks"]) == MAX_REFUSALS
    world.now += MERGE_SECONDS
    world.journal.record_nacks([Refused(change)])
    assert [row["kind"] for row in world.rows()] == ["nack", "nack", "change"]


def test_a_refused_first_response_belongs_to_no_change(world: World) -> None:
    world.journal.record_nacks([Refused()])
    (nack,) = world.rows()
    assert (nack["objects"], nack["services"], nack["resources"]) == ([], [], {"cds": ["backend"]})


def test_limits_and_evictions(world: World) -> None:
    world.journal.record_limits(
        [Limited(), Limited("unread", count=3), Limited("cpu_per_peer", delayed=True)]
    )
    assert [(row["kind"], row["text"]) for row in reversed(world.rows())] == [
        ("limit", "limit streams refused 1 client; the last one is 10.0.0.9:4711"),
        ("eviction", "limit unread disconnected 3 clients; the last one is 10.0.0.9:4711"),
        ("limit", "limit cpu_per_peer delayed 1 client; the last one is 10.0.0.9:4711"),
    ]


def test_the_limits_of_evictions_are_those_of_the_engine() -> None:
    engine = make_engine(Settings(listen="127.0.0.1:0"))
    assert engine.stats().refused.keys() >= EVICTIONS


def test_clients_do_not_remove_the_changes() -> None:
    world = World(most=8)
    changes = [world.publish() for _ in range(10)]
    world.journal.record_limits([Limited()] * 100)
    kinds = [row["kind"] for row in world.rows()]
    assert kinds == ["limit"] * 2 + ["change"] * 6
    assert world.rows()[-1]["id"] == str(changes[-6])


def test_large_entries_are_bounded_by_their_memory() -> None:
    world = World(most=100_000)
    objects = [ObjectKey("Service", "shop", f"s{number}") for number in range(MAX_KEPT)]
    kept = 0
    for _ in range(3000):
        world.publish(objects=objects, put=[(ENDPOINT, "x" * 3000)])
    kept = sum(entry.size for entry in world.journal.entries())
    assert MAX_BYTES / 2 < kept < MAX_BYTES


def test_a_cursor_yields_what_is_new_or_different(world: World) -> None:
    first = world.publish()
    world.counts[first] = Counts(first, sent=1, pending=1)
    cursor, rows = world.journal.changed(0)
    assert [row.id for row in rows] == [str(first)]
    assert world.journal.changed(cursor) == (cursor, [])
    second = world.publish()
    world.counts[first] = Counts(first, sent=1, acked=1)
    world.counts[second] = Counts(second, sent=1, pending=1)
    cursor, rows = world.journal.changed(cursor)
    assert [(row.id, row.clients.acked) for row in rows] == [(str(first), 1), (str(second), 0)]
    world.journal.record_nacks([Refused(second)])
    assert [row.kind for row in world.journal.changed(cursor)[1]] == ["change", "nack"]


def test_the_start_and_the_age_of_the_configuration(world: World) -> None:
    assert world.journal.changed_seconds is None
    world.journal.record_start("steerway 1.0 serves 2 services")
    assert [(row["kind"], row["text"]) for row in world.rows()] == [
        ("start", "steerway 1.0 serves 2 services")
    ]
    world.now += 3
    assert world.journal.changed_seconds == 3
    world.publish()
    world.now += 7
    assert world.journal.changed_seconds == 7


def test_acknowledged_changes_are_examples_of_durations(world: World) -> None:
    """The newest first; steps whose times are unknown are left out."""
    changes = [
        world.publish(origin=Origin(world.now - 0.5, world.now - 2)),
        world.publish(origin=Origin(world.now - 0.25)),
        world.publish(),
    ]
    for change in changes[:2]:
        world.counts[change] = Counts(change, sent=1, acked=1, last_acked_seconds=0.125)
    world.counts[changes[2]] = Counts(changes[2], sent=1, pending=1)
    world.now += SETTLE_SECONDS
    second, first = world.journal.examples()
    assert (first.labels, second.labels) == ({"change": "1"}, {"change": "2"})
    assert first.seconds == {
        "received_to_published": 0.5,
        "received_to_acked": 0.625,
        "event_to_acked": 2.125,
    }
    assert second.seconds == {"received_to_published": 0.25, "received_to_acked": 0.375}
