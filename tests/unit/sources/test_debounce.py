"""Debounce: when a batch is due, in virtual time, and the waiting shell around it."""

import asyncio

import pytest

from steerway import telemetry
from steerway.sources.debounce import Debouncer, Delay, Window
from steerway.sources.objects import ObjectKey

SLICE = ObjectKey("EndpointSlice", "shop", "backend-1")
OTHER_SLICE = ObjectKey("EndpointSlice", "shop", "backend-2")
SERVICE = ObjectKey("Service", "shop", "backend")

ENDPOINTS = Delay(quiet_seconds=1, max_wait_seconds=4)
OTHERS = Delay(quiet_seconds=10, max_wait_seconds=40)


def keys(*found: ObjectKey) -> frozenset[ObjectKey]:
    return frozenset(found)


def everybody(key: ObjectKey) -> tuple[str, ...]:
    """One owner for all but Pods, whose changes concern nobody."""
    return () if key.kind == "Pod" else ("backend",)


def window() -> Window:
    return Window(everybody, ENDPOINTS, OTHERS)


def test_nothing_is_due_while_nothing_waits() -> None:
    """An empty window has no due time, also after an empty change."""
    empty = window()
    empty.add(frozenset(), now=5)
    assert empty.due is None
    assert empty.take(now=6) == frozenset()


def test_a_lone_change_is_due_after_the_quiet_time() -> None:
    """One change waits for the quiet time only."""
    waiting = window()
    waiting.add(keys(SLICE), now=100)
    assert waiting.due == 101


def test_each_change_restarts_the_quiet_time() -> None:
    """The quiet time counts from the last change."""
    waiting = window()
    waiting.add(keys(SLICE), now=100)
    waiting.add(keys(OTHER_SLICE), now=100.5)
    assert waiting.due == 101.5


def test_a_steady_stream_of_changes_never_starves_the_batch() -> None:
    """The maximum wait counts from the first change, whatever follows."""
    waiting = window()
    for tick in range(20):
        waiting.add(keys(SLICE), now=100 + tick * 0.9)
    assert waiting.due == 104


def test_endpoints_do_not_wait_for_their_service() -> None:
    """Each kind by its own numbers; what is due comes out, once, and the rest stays."""
    waiting = window()
    waiting.add(keys(SERVICE), now=100)
    waiting.add(keys(SLICE), now=100.5)
    assert waiting.due == 101.5
    assert waiting.take(now=101) == keys()
    assert waiting.take(now=101.5) == keys(SLICE)
    assert waiting.due == 110
    assert waiting.take(now=110) == keys(SERVICE)
    assert waiting.due is None


def test_what_is_due_at_once_comes_out_together() -> None:
    waiting = window()
    waiting.add(keys(SERVICE), now=0)
    waiting.add(keys(SLICE), now=9)
    assert waiting.take(now=10) == keys(SLICE, SERVICE)
    waiting.add(keys(SLICE), now=50)
    assert waiting.due == 51


def test_a_change_that_concerns_nobody_does_not_wait() -> None:
    waiting = window()
    waiting.add(keys(ObjectKey("Pod", "shop", "backend-1")), now=1)
    assert waiting.due is None


def test_a_slice_that_moves_waits_for_neither_service() -> None:
    """The one that it left is told after its own quiet time, however busy the one is that it came to, and the other way
    round: it is given out for each."""
    waiting = Window(lambda key: ("left", "busy") if key == SLICE else ("busy",), ENDPOINTS, OTHERS)
    waiting.add(keys(SLICE), now=0)
    for tick in range(1, 10):
        waiting.add(keys(OTHER_SLICE), now=tick / 10)
    assert waiting.take(now=1) == keys(SLICE)
    assert waiting.due == 1.9
    assert waiting.take(now=1.9) == keys(SLICE, OTHER_SLICE)


def test_a_service_that_changes_all_the_time_delays_no_other() -> None:
    """Nor do a thousand that do, and none of them starves."""
    busy = [ObjectKey("EndpointSlice", "shop", f"busy-{number}") for number in range(1000)]
    waiting = Window(lambda key: (key.name,), ENDPOINTS, OTHERS)
    taken: list[tuple[float, frozenset[ObjectKey]]] = []
    for tick in range(80):
        now = tick / 10
        waiting.add(frozenset(busy), now)
        if tick == 3:
            waiting.add(keys(SLICE), now)
        if given := waiting.take(now):
            taken.append((now, given))
    assert taken[0] == (1.3, keys(SLICE)), "after its own quiet time"
    assert taken[1] == (4.0, frozenset(busy)), "at their own maximum wait"


def test_a_batch_is_measured_when_it_is_taken() -> None:
    """Delay and number of changes go to the histograms, once per batch."""

    def total(name: str) -> float:
        return telemetry.REGISTRY.get_sample_value(name) or 0.0

    before = total("steerway_debounce_seconds_sum"), total("steerway_debounced_changes_sum")
    waiting = window()
    waiting.add(keys(SLICE, OTHER_SLICE), now=10)
    waiting.add(keys(SLICE), now=11)
    waiting.take(now=13)
    waiting.take(now=20)
    assert total("steerway_debounce_seconds_sum") - before[0] == pytest.approx(3)
    assert total("steerway_debounced_changes_sum") - before[1] == 3


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
    debouncer.add(keys(SERVICE))
    assert await asyncio.wait_for(pending, 20) == keys(SERVICE)


async def test_next_merges_what_changes_while_it_waits() -> None:
    """Changes within the quiet time come out together."""
    debouncer = Debouncer(everybody, Delay(0.05, 5), Delay(0.05, 5))
    pending = asyncio.ensure_future(debouncer.next())
    for key in (SLICE, OTHER_SLICE, SERVICE):
        debouncer.add(keys(key))
        await asyncio.sleep(0)
    assert await asyncio.wait_for(pending, 20) == keys(SLICE, OTHER_SLICE, SERVICE)


async def test_a_busy_source_cannot_hold_a_batch_back() -> None:
    """The consumer gets its batch although changes never stop."""
    now = 0.0
    debouncer = Debouncer(everybody, Delay(1, 4), Delay(1, 4), clock=lambda: now)
    pending = asyncio.ensure_future(debouncer.next())
    while not pending.done():
        debouncer.add(keys(SLICE))
        await asyncio.sleep(0)
        now += 0.5
        assert now < 20
    assert await pending == keys(SLICE)


async def test_a_cancellation_that_meets_a_change_is_not_lost() -> None:
    """Both arrive in one turn of the loop: the consumer must end all the same (asyncio.wait_for did not)."""
    debouncer = Debouncer(everybody, Delay(60, 60), Delay(60, 60))
    debouncer.add(keys(SLICE))
    pending = asyncio.ensure_future(debouncer.next())
    for _ in range(5):
        await asyncio.sleep(0)
    debouncer.add(keys(OTHER_SLICE))
    pending.cancel()
    done, _ = await asyncio.wait([pending], timeout=20)
    assert done
    assert pending.cancelled()
