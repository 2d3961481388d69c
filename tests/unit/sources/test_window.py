"""The debounce window: which changes are due at which time, and their grouping, in virtual time."""

import pytest

from steerway import telemetry
from steerway.origin import Origin
from steerway.sources.objects.core import ObjectKey
from steerway.sources.store import Change
from steerway.sources.window import Delay, Window
from testbed.mesh import endpoint_slice

SLICE = ObjectKey("EndpointSlice", "shop", "backend-1")
OTHER_SLICE = ObjectKey("EndpointSlice", "shop", "backend-2")
SERVICE = ObjectKey("Service", "shop", "backend")

ENDPOINTS = Delay(quiet_seconds=1, max_wait_seconds=4)
OTHERS = Delay(quiet_seconds=10, max_wait_seconds=40)


def keys(*key: ObjectKey) -> frozenset[ObjectKey]:
    return frozenset(key)


def changed(*key: ObjectKey, atomic: bool = False) -> dict[ObjectKey, Change]:
    return dict.fromkeys(key, Change(None, atomic=atomic))


def owners(key: ObjectKey) -> tuple[str, ...]:
    """One owner for all kinds but Pods, which have none."""
    return () if key.kind == "Pod" else ("backend",)


def window() -> Window:
    return Window(owners, endpoints=ENDPOINTS, others=OTHERS)


def test_nothing_is_due_while_nothing_waits() -> None:
    """An empty window has no due time, also after an empty change."""
    empty = window()
    empty.add({}, now=5)
    assert empty.due is None
    assert empty.take(now=6).keys == frozenset()


def test_a_lone_change_is_due_after_the_quiet_time() -> None:
    waiting = window()
    waiting.add(changed(SLICE), now=100)
    assert waiting.due == 101


def test_each_change_restarts_the_quiet_time() -> None:
    waiting = window()
    waiting.add(changed(SLICE), now=100)
    waiting.add(changed(OTHER_SLICE), now=100.5)
    assert waiting.due == 101.5


def test_a_steady_stream_of_changes_never_starves_the_batch() -> None:
    """The maximum wait counts from the first change."""
    waiting = window()
    for tick in range(20):
        waiting.add(changed(SLICE), now=100 + tick * 0.9)
    assert waiting.due == 104


def test_endpoints_do_not_wait_for_their_service() -> None:
    """Each kind has its own times; due changes are returned once, and the rest stays."""
    waiting = window()
    waiting.add(changed(SERVICE), now=100)
    waiting.add(changed(SLICE), now=100.5)
    assert waiting.due == 101.5
    assert waiting.take(now=101).keys == keys()
    assert waiting.take(now=101.5).keys == keys(SLICE)
    assert waiting.due == 110
    assert waiting.take(now=110).keys == keys(SERVICE)
    assert waiting.due is None


def test_changes_due_at_once_are_returned_together() -> None:
    waiting = window()
    waiting.add(changed(SERVICE), now=0)
    waiting.add(changed(SLICE), now=9)
    assert waiting.take(now=10).keys == keys(SLICE, SERVICE)
    waiting.add(changed(SLICE), now=50)
    assert waiting.due == 51


def test_a_change_without_an_owner_does_not_wait() -> None:
    waiting = window()
    waiting.add(changed(ObjectKey("Pod", "shop", "backend-1")), now=1)
    assert waiting.due is None


def test_a_slice_that_moves_waits_for_neither_service() -> None:
    """Its former owner gets it after its own quiet time, however busy the new owner is, and vice versa: it is
    returned for each.
    """
    waiting = Window(
        lambda key: ("left", "busy") if key == SLICE else ("busy",), endpoints=ENDPOINTS, others=OTHERS
    )
    waiting.add(changed(SLICE), now=0)
    for tick in range(1, 10):
        waiting.add(changed(OTHER_SLICE), now=tick / 10)
    assert waiting.take(now=1).keys == keys(SLICE)
    assert waiting.due == 1.9
    assert waiting.take(now=1.9).keys == keys(SLICE, OTHER_SLICE)


def test_a_service_that_changes_all_the_time_delays_no_other() -> None:
    """Nor do a thousand, and none of them starves."""
    busy = [ObjectKey("EndpointSlice", "shop", f"busy-{number}") for number in range(1000)]
    waiting = Window(lambda key: (key.name,), endpoints=ENDPOINTS, others=OTHERS)
    taken: list[tuple[float, frozenset[ObjectKey]]] = []
    for tick in range(80):
        now = tick / 10
        waiting.add(changed(*busy), now)
        if tick == 3:
            waiting.add(changed(SLICE), now)
        if given := waiting.take(now, most=1000).keys:
            taken.append((now, given))
    assert taken[0] == (1.3, keys(SLICE)), "after its own quiet time"
    assert taken[1] == (4.0, frozenset(busy)), "at their own maximum wait"


def test_a_batch_is_measured_when_it_is_taken() -> None:
    """Delay and number of changes are observed by the histograms, once per batch."""

    def total(name: str) -> float:
        return telemetry.REGISTRY.get_sample_value(name) or 0.0

    before = total("steerway_debounce_seconds_sum"), total("steerway_debounced_changes_sum")
    waiting = window()
    waiting.add(changed(SLICE, OTHER_SLICE), now=10)
    waiting.add(changed(SLICE), now=11)
    waiting.take(now=13)
    waiting.take(now=20)
    assert total("steerway_debounce_seconds_sum") - before[0] == pytest.approx(3)
    assert total("steerway_debounced_changes_sum") - before[1] == 3


def test_each_owner_has_the_change_that_waited_longest() -> None:
    """Its time of arrival, over both kinds of changes, and the first known event time among them."""
    waiting = Window(lambda key: (key.name,), endpoints=Delay(1, 4), others=Delay(1, 4))
    shop = ObjectKey("Service", "shop", "shop")
    waiting.add(changed(shop), now=10)
    waiting.add(
        {ObjectKey("EndpointSlice", "shop", "shop"): Change(None, 7.0), OTHER_SLICE: Change(None, 9.0)}, 10.5
    )
    waiting.add({OTHER_SLICE: Change(None, 8.0), SLICE: Change(None)}, now=10.6)
    assert waiting.take(now=20).origins == {
        "shop": Origin(10),
        OTHER_SLICE.name: Origin(10.5, 8.0),
        SLICE.name: Origin(10.6),
    }


@pytest.mark.parametrize(("quiet", "longest"), [(-1, 1), (2, 1)])
def test_contradicting_times_are_refused(quiet: float, longest: float) -> None:
    """A quiet time below zero or above the maximum wait is an error."""
    with pytest.raises(ValueError, match="quiet time"):
        Delay(quiet, longest)


FRONT = ObjectKey("Service", "shop", "front")
ROUTE = ObjectKey("GRPCRoute", "shop", "front")
OLD = ObjectKey("Service", "shop", "v1")
OLD_SLICE = ObjectKey("EndpointSlice", "shop", "v1")
NEW = ObjectKey("Service", "shop", "v2")
NEW_SLICE = ObjectKey("EndpointSlice", "shop", "v2")


def linked(*emptied: ObjectKey) -> Window:
    """`front` has the route, which named v1 and names v2; `emptied` slices take the last endpoint of their service."""
    return Window(
        lambda key: (key.name,),
        lambda key: ("v1", "v2") if key == ROUTE else (),
        lambda changes: changes.keys().isdisjoint(emptied),
        endpoints=ENDPOINTS,
        others=OTHERS,
    )


def drain(waiting: Window) -> list[tuple[float, frozenset[ObjectKey]]]:
    """All commits, each with its time."""
    commits = []
    while (due := waiting.due) is not None:
        if given := waiting.take(due).keys:
            commits.append((due, given))
    return commits


def test_a_route_and_the_services_that_it_names_are_one_commit() -> None:
    """In any order, once all of them are quiet."""
    waiting = linked()
    waiting.add(changed(OLD), now=0)
    waiting.add(changed(ROUTE), now=8)
    waiting.add(changed(NEW), now=16)
    assert drain(waiting) == [(26, keys(OLD, ROUTE, NEW))]


def test_the_maximum_wait_bounds_a_group() -> None:
    """It counts from the first change of the lane that waited longest."""
    waiting = linked()
    for tick in range(8):
        waiting.add(changed((OLD, ROUTE, NEW)[tick % 3]), now=tick * 9)
    assert drain(waiting)[0] == (40, keys(OLD, ROUTE, NEW))


def test_lanes_that_are_not_linked_wait_separately() -> None:
    waiting = linked()
    waiting.add(changed(ROUTE), now=0)
    waiting.add(changed(SERVICE), now=5)
    assert drain(waiting) == [(10, keys(ROUTE)), (15, keys(SERVICE))]


def test_endpoints_of_services_of_a_route_are_committed_with_it() -> None:
    """Also those with time left to wait."""
    waiting = linked()
    waiting.add(changed(ROUTE), now=0)
    waiting.add(changed(NEW_SLICE), now=9.5)
    assert drain(waiting) == [(10, keys(ROUTE, NEW_SLICE))]


def test_the_removal_of_the_last_endpoint_waits_as_its_service_does() -> None:
    """It is not urgent: it waits for its Service, and for a route that stops using it."""
    waiting = linked(OLD_SLICE)
    waiting.add(changed(OLD_SLICE), now=0)
    waiting.add(changed(OLD), now=3)
    waiting.add(changed(ROUTE, NEW, NEW_SLICE), now=9)
    assert drain(waiting) == [(10, keys(NEW_SLICE)), (19, keys(OLD_SLICE, OLD, ROUTE, NEW))]


def test_a_deferred_slice_is_urgent_again_when_the_service_keeps_an_endpoint() -> None:
    """One slice replaced another: both are committed, and no change of the first is left."""
    emptied = {SLICE}
    waiting = Window(
        lambda _: ("backend",),
        keeps_endpoints=lambda changes: emptied.isdisjoint(changes),
        endpoints=ENDPOINTS,
        others=OTHERS,
    )
    waiting.add(changed(SLICE), now=0)
    assert waiting.take(now=1).keys == keys()
    emptied.clear()
    waiting.add(changed(OTHER_SLICE), now=5)
    assert drain(waiting) == [(6, keys(SLICE, OTHER_SLICE))]


def test_endpoints_are_compared_with_those_before_each_change_of_the_lane() -> None:
    """A new lane compares with the state before its own changes."""
    asked = []
    first, second, third = (endpoint_slice(f"10.0.0.{number}", name=SLICE.name) for number in (1, 2, 3))
    waiting = Window(
        lambda _: ("backend",),
        keeps_endpoints=lambda changes: asked.append(dict(changes)) is None,
        endpoints=ENDPOINTS,
        others=OTHERS,
    )
    waiting.add({SLICE: Change(first)}, now=0)
    waiting.add({SLICE: Change(second)}, now=0.5)
    waiting.take(now=1.5)
    waiting.add({SLICE: Change(third)}, now=2)
    waiting.take(now=3)
    assert asked == [{SLICE: [first, second]}, {SLICE: [third]}]


def test_an_atomic_batch_is_one_commit() -> None:
    """After the short delay, together with the next one if that arrives before."""
    waiting = linked(OLD_SLICE)
    waiting.add(changed(OLD, OLD_SLICE, ROUTE, atomic=True), now=0)
    waiting.add(changed(NEW, NEW_SLICE, atomic=True), now=0.5)
    assert drain(waiting) == [(1.5, keys(OLD, OLD_SLICE, ROUTE, NEW, NEW_SLICE))]


def test_a_large_atomic_batch_is_committed_in_groups() -> None:
    """A route with its Services; changes that become due meanwhile come in between."""
    waiting = linked()
    waiting.add(changed(OLD, OLD_SLICE, ROUTE, NEW, NEW_SLICE, SERVICE, SLICE, atomic=True), now=0)
    waiting.add(changed(OTHER_SLICE), now=0.5)
    commits = [waiting.take(now=2, most=most).keys for most in (2, 1, 1)]
    group = keys(OLD, OLD_SLICE, ROUTE, NEW, NEW_SLICE)
    assert commits == [keys(SERVICE, SLICE), keys(OTHER_SLICE), group]
    assert waiting.due is None


def test_a_namespace_links_its_services_only_if_it_changed() -> None:
    """All of them refer to it."""
    namespace = ObjectKey("Namespace", "", "shop")
    for changes, expected in (((), 1), ((namespace,), 3)):
        waiting = Window(lambda key: (key,), lambda _: (namespace,), endpoints=ENDPOINTS, others=OTHERS)
        waiting.add(changed(OLD, NEW, *changes, atomic=True), now=0)
        assert len(waiting.take(now=1, most=1).keys) == expected


def test_a_batch_with_a_raw_resource_is_never_split() -> None:
    """It may name any Service."""
    waiting = Window(lambda key: (key,), endpoints=ENDPOINTS, others=OTHERS)
    raw = ObjectKey("XdsResource", "type", "name")
    waiting.add(changed(OLD, NEW, raw, atomic=True), now=0)
    assert waiting.take(now=1, most=1).keys == keys(OLD, NEW, raw)


def test_an_object_that_moves_links_its_owners() -> None:
    """A slice with one Service in an earlier change of the batch, and another one now."""
    owner = OLD.name
    waiting = Window(
        lambda key: (owner,) if key == SLICE else (key.name,), endpoints=ENDPOINTS, others=OTHERS
    )
    waiting.add(changed(OLD, NEW, SLICE, atomic=True), now=0)
    owner = NEW.name
    waiting.add(changed(SLICE, atomic=True), now=0)
    assert waiting.take(now=1, most=1).keys == keys(OLD, NEW, SLICE)


def test_an_atomic_batch_in_parts_is_due_with_its_last_part() -> None:
    """After any time; other changes do not wait for it."""
    waiting = linked()
    waiting.add(changed(OLD, atomic=True), now=0, more=True)
    waiting.add(changed(SLICE), now=1, more=True)
    assert drain(waiting) == [(2, keys(SLICE))]
    waiting.add(changed(NEW, atomic=True), now=100, more=True)
    assert waiting.due is None
    waiting.add({}, now=200)
    assert waiting.take(now=200).keys == keys(OLD, NEW)


def test_one_batch_of_a_watch_is_one_commit() -> None:
    """A page of a list: its objects are not split, though one of them changes again."""
    waiting = window_by_name()
    waiting.add(changed(OLD, NEW), now=0)
    waiting.add(changed(NEW), now=5)
    assert drain(waiting) == [(15, keys(OLD, NEW))]


def test_a_key_of_two_owners_is_returned_once() -> None:
    """A route with two parents, one of which changes all the time."""
    waiting = Window(
        lambda key: ("front", "busy") if key == ROUTE else ("busy",), endpoints=ENDPOINTS, others=OTHERS
    )
    waiting.add(changed(ROUTE), now=0)
    waiting.add(changed(SERVICE), now=5)
    assert drain(waiting) == [(15, keys(ROUTE, SERVICE))]


def window_by_name() -> Window:
    return Window(lambda key: (key.name,), endpoints=ENDPOINTS, others=OTHERS)


def test_an_object_removed_before_its_commit_keeps_its_owner() -> None:
    """A route is added, removed and added again: its Services are committed with it, though unknown in between."""
    there = True
    waiting = Window(
        lambda key: (key.name,) if key != ROUTE or there else (ROUTE,),
        lambda key: ("v1",) if key == ROUTE and there else (),
        endpoints=ENDPOINTS,
        others=OTHERS,
    )
    waiting.add(changed(ROUTE), now=0)
    there = False
    waiting.add(changed(ROUTE), now=4)
    waiting.add(changed(OLD), now=9)
    there = True
    waiting.add(changed(ROUTE), now=12)
    assert drain(waiting) == [(22, keys(ROUTE, OLD))]
