"""Debounce: when a batch is due, in virtual time, and the waiting shell around it."""

import asyncio

import pytest

from steerway import telemetry
from steerway.origin import Origin
from steerway.sources.debounce import Debouncer, Delay, Window
from steerway.sources.objects import ObjectKey

SLICE = ObjectKey("EndpointSlice", "shop", "backend-1")
OTHER_SLICE = ObjectKey("EndpointSlice", "shop", "backend-2")
SERVICE = ObjectKey("Service", "shop", "backend")

ENDPOINTS = Delay(quiet_seconds=1, max_wait_seconds=4)
OTHERS = Delay(quiet_seconds=10, max_wait_seconds=40)


def keys(*found: ObjectKey) -> frozenset[ObjectKey]:
    return frozenset(found)


def changed(*found: ObjectKey) -> dict[ObjectKey, float | None]:
    return dict.fromkeys(found)


def everybody(key: ObjectKey) -> tuple[str, ...]:
    """One owner for all but Pods, whose changes concern nobody."""
    return () if key.kind == "Pod" else ("backend",)


def window() -> Window:
    return Window(everybody, ENDPOINTS, OTHERS)


def test_nothing_is_due_while_nothing_waits() -> None:
    """An empty window has no due time, also after an empty change."""
    empty = window()
    empty.add({}, now=5)
    assert empty.due is None
    assert empty.take(now=6).keys == frozenset()


def test_a_lone_change_is_due_after_the_quiet_time() -> None:
    """One change waits for the quiet time only."""
    waiting = window()
    waiting.add(changed(SLICE), now=100)
    assert waiting.due == 101


def test_each_change_restarts_the_quiet_time() -> None:
    """The quiet time counts from the last change."""
    waiting = window()
    waiting.add(changed(SLICE), now=100)
    waiting.add(changed(OTHER_SLICE), now=100.5)
    assert waiting.due == 101.5


def test_a_steady_stream_of_changes_never_starves_the_batch() -> None:
    """The maximum wait counts from the first change, whatever follows."""
    waiting = window()
    for tick in range(20):
        waiting.add(changed(SLICE), now=100 + tick * 0.9)
    assert waiting.due == 104


def test_endpoints_do_not_wait_for_their_service() -> None:
    """Each kind by its own numbers; what is due comes out, once, and the rest stays."""
    waiting = window()
    waiting.add(changed(SERVICE), now=100)
    waiting.add(changed(SLICE), now=100.5)
    assert waiting.due == 101.5
    assert waiting.take(now=101).keys == keys()
    assert waiting.take(now=101.5).keys == keys(SLICE)
    assert waiting.due == 110
    assert waiting.take(now=110).keys == keys(SERVICE)
    assert waiting.due is None


def test_what_is_due_at_once_comes_out_together() -> None:
    waiting = window()
    waiting.add(changed(SERVICE), now=0)
    waiting.add(changed(SLICE), now=9)
    assert waiting.take(now=10).keys == keys(SLICE, SERVICE)
    waiting.add(changed(SLICE), now=50)
    assert waiting.due == 51


def test_a_change_that_concerns_nobody_does_not_wait() -> None:
    waiting = window()
    waiting.add(changed(ObjectKey("Pod", "shop", "backend-1")), now=1)
    assert waiting.due is None


def test_a_slice_that_moves_waits_for_neither_service() -> None:
    """The one that it left is told after its own quiet time, however busy the one is that it came to, and the other way
    round: it is given out for each."""
    waiting = Window(lambda key: ("left", "busy") if key == SLICE else ("busy",), ENDPOINTS, OTHERS)
    waiting.add(changed(SLICE), now=0)
    for tick in range(1, 10):
        waiting.add(changed(OTHER_SLICE), now=tick / 10)
    assert waiting.take(now=1).keys == keys(SLICE)
    assert waiting.due == 1.9
    assert waiting.take(now=1.9).keys == keys(SLICE, OTHER_SLICE)


def test_a_service_that_changes_all_the_time_delays_no_other() -> None:
    """Nor do a thousand that do, and none of them starves."""
    busy = [ObjectKey("EndpointSlice", "shop", f"busy-{number}") for number in range(1000)]
    waiting = Window(lambda key: (key.name,), ENDPOINTS, OTHERS)
    taken: list[tuple[float, frozenset[ObjectKey]]] = []
    for tick in range(80):
        now = tick / 10
        waiting.add(changed(*busy), now)
        if tick == 3:
            waiting.add(changed(SLICE), now)
        if given := waiting.take(now).keys:
            taken.append((now, given))
    assert taken[0] == (1.3, keys(SLICE)), "after its own quiet time"
    assert taken[1] == (4.0, frozenset(busy)), "at their own maximum wait"


def test_a_batch_is_measured_when_it_is_taken() -> None:
    """Delay and number of changes go to the histograms, once per batch."""

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


def test_each_owner_comes_with_the_change_that_waited_longest() -> None:
    """When it was heard of, over both kinds of changes, and the first event among them, as far as one is known."""
    waiting = Window(lambda key: (key.name,), Delay(1, 4), Delay(1, 4))
    shop = ObjectKey("Service", "shop", "shop")
    waiting.add(changed(shop), now=10)
    waiting.add({ObjectKey("EndpointSlice", "shop", "shop"): 7.0, OTHER_SLICE: 9.0}, now=10.5)
    waiting.add({OTHER_SLICE: 8.0, SLICE: None}, now=10.6)
    assert waiting.take(now=20).origins == {
        "shop": Origin(10),
        OTHER_SLICE.name: Origin(10.5, 8.0),
        SLICE.name: Origin(10.6),
    }


async def test_events_are_told_on_the_clock_of_the_rest() -> None:
    """The calendar may be far from the monotonic clock, and behind the cluster's: nothing is heard of before it was."""
    debouncer = Debouncer(
        lambda key: (key.name,), Delay(0, 0), Delay(0, 0), clock=lambda: 50.0, calendar=lambda: 1e9
    )
    debouncer.add({SLICE: 1e9 - 3, OTHER_SLICE: 1e9 + 60, SERVICE: None})
    origins = (await asyncio.wait_for(debouncer.next(), 20)).origins
    assert origins == {SLICE.name: Origin(50, 47), OTHER_SLICE.name: Origin(50, 50), SERVICE.name: Origin(50)}


@pytest.mark.parametrize(("quiet", "longest"), [(-1, 1), (2, 1)])
def test_contradicting_numbers_are_refused(quiet: float, longest: float) -> None:
    """A quiet time below zero or above the maximum wait is a mistake."""
    with pytest.raises(ValueError, match="quiet time"):
        Delay(quiet, longest)


async def test_next_waits_for_a_change_and_gives_it() -> None:
    """`next` blocks while nothing changed and gives what did."""
    debouncer = Debouncer(everybody, Delay(0, 0), Delay(0, 0))
    pending = asyncio.ensure_future(debouncer.next())
    await asyncio.sleep(0)
    assert not pending.done()
    debouncer.add(changed(SERVICE))
    assert (await asyncio.wait_for(pending, 20)).keys == keys(SERVICE)


async def test_next_merges_what_changes_while_it_waits() -> None:
    """Changes within the quiet time come out together."""
    debouncer = Debouncer(everybody, Delay(0.05, 5), Delay(0.05, 5))
    pending = asyncio.ensure_future(debouncer.next())
    for key in (SLICE, OTHER_SLICE, SERVICE):
        debouncer.add(changed(key))
        await asyncio.sleep(0)
    assert (await asyncio.wait_for(pending, 20)).keys == keys(SLICE, OTHER_SLICE, SERVICE)


async def test_a_busy_source_cannot_hold_a_batch_back() -> None:
    """The consumer gets its batch although changes never stop."""
    now = 0.0
    debouncer = Debouncer(everybody, Delay(1, 4), Delay(1, 4), clock=lambda: now)
    pending = asyncio.ensure_future(debouncer.next())
    while not pending.done():
        debouncer.add(changed(SLICE))
        await asyncio.sleep(0)
        now += 0.5
        assert now < 20
    assert (await pending).keys == keys(SLICE)


async def test_a_cancellation_that_meets_a_change_is_not_lost() -> None:
    """Both arrive in one turn of the loop: the consumer must end all the same (asyncio.wait_for did not)."""
    debouncer = Debouncer(everybody, Delay(60, 60), Delay(60, 60))
    debouncer.add(changed(SLICE))
    pending = asyncio.ensure_future(debouncer.next())
    for _ in range(5):
        await asyncio.sleep(0)
    debouncer.add(changed(OTHER_SLICE))
    pending.cancel()
    done, _ = await asyncio.wait([pending], timeout=20)
    assert done
    assert pending.cancelled()
