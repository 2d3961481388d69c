"""Debounce on the event loop: the asynchronous shell around the window, and the view of committed objects."""

import asyncio

from steerway.origin import Origin
from steerway.sources.committed import Committed
from steerway.sources.debounce import Debouncer
from steerway.sources.objects.core import ObjectKey, Service, ServiceMeta
from steerway.sources.store import Change
from steerway.sources.window import Delay, Window
from testbed.process.deadline import PATIENCE_SECONDS

SLICE = ObjectKey("EndpointSlice", "shop", "backend-1")
OTHER_SLICE = ObjectKey("EndpointSlice", "shop", "backend-2")
SERVICE = ObjectKey("Service", "shop", "backend")


def keys(*key: ObjectKey) -> frozenset[ObjectKey]:
    return frozenset(key)


def changed(*key: ObjectKey) -> dict[ObjectKey, Change]:
    return dict.fromkeys(key, Change(None))


def window(delay: Delay) -> Window:
    """All keys have one owner."""
    return Window(lambda _: ("backend",), endpoints=delay, others=delay)


def nothing() -> Committed:
    """A view of an empty store."""
    return Committed(lambda _: None)


async def test_events_have_monotonic_times() -> None:
    """The wall clock may differ from the monotonic one and lag behind the cluster's: no event precedes its cause."""
    by_name = Window(lambda key: (key.name,), endpoints=Delay(0, 0), others=Delay(0, 0))
    debouncer = Debouncer(by_name, nothing(), clock=lambda: 50.0, calendar=lambda: 1e9)
    debouncer.add({SLICE: Change(None, 1e9 - 3), OTHER_SLICE: Change(None, 1e9 + 60), SERVICE: Change(None)})
    origins = (await asyncio.wait_for(debouncer.next(), PATIENCE_SECONDS)).origins
    assert origins == {SLICE.name: Origin(50, 47), OTHER_SLICE.name: Origin(50, 50), SERVICE.name: Origin(50)}


async def test_next_waits_for_a_change_and_returns_it() -> None:
    """`next` blocks while nothing has changed."""
    debouncer = Debouncer(window(Delay(0, 0)), nothing())
    pending = asyncio.ensure_future(debouncer.next())
    await asyncio.sleep(0)
    assert not pending.done()
    debouncer.add(changed(SERVICE))
    assert (await asyncio.wait_for(pending, PATIENCE_SECONDS)).keys == keys(SERVICE)


async def test_next_merges_changes_within_the_quiet_time() -> None:
    debouncer = Debouncer(window(Delay(0.05, 5)), nothing())
    pending = asyncio.ensure_future(debouncer.next())
    for key in (SLICE, OTHER_SLICE, SERVICE):
        debouncer.add(changed(key))
        await asyncio.sleep(0)
    assert (await asyncio.wait_for(pending, PATIENCE_SECONDS)).keys == keys(SLICE, OTHER_SLICE, SERVICE)


async def test_a_busy_source_cannot_delay_a_batch() -> None:
    """The consumer gets its batch although changes never stop."""
    now = 0.0
    debouncer = Debouncer(window(Delay(1, 4)), nothing(), clock=lambda: now)
    pending = asyncio.ensure_future(debouncer.next())
    while not pending.done():
        debouncer.add(changed(SLICE))
        await asyncio.sleep(0)
        now += 0.5
        assert now < 20
    assert (await pending).keys == keys(SLICE)


async def test_a_cancellation_together_with_a_change_is_not_lost() -> None:
    """Both arrive in one turn of the loop: the consumer must still end (asyncio.wait_for did not)."""
    debouncer = Debouncer(window(Delay(60, 60)), nothing())
    debouncer.add(changed(SLICE))
    pending = asyncio.ensure_future(debouncer.next())
    for _ in range(5):
        await asyncio.sleep(0)
    debouncer.add(changed(OTHER_SLICE))
    pending.cancel()
    done, _ = await asyncio.wait([pending], timeout=PATIENCE_SECONDS)
    assert done
    assert pending.cancelled()


async def test_a_waiting_change_is_not_visible() -> None:
    """The view has the object before the first of the waiting changes, and the store's once they are committed; a key
    without an owner never waits.
    """
    before, after = (Service(ServiceMeta("backend", "shop", {"version": item})) for item in "12")
    store = {SERVICE: after, ObjectKey("Pod", "shop", "p"): after}
    committed = Committed(store.get)
    delay = Delay(0, 0)
    owned = Window(lambda key: () if key.kind == "Pod" else ("backend",), endpoints=delay, others=delay)
    debouncer = Debouncer(owned, committed)
    debouncer.add({SERVICE: Change(before), ObjectKey("Pod", "shop", "p"): Change(None)})
    debouncer.add({SERVICE: Change(after)})
    assert committed.get(SERVICE) == before
    assert committed.get(ObjectKey("Pod", "shop", "p")) == after
    await asyncio.wait_for(debouncer.next(), PATIENCE_SECONDS)
    assert committed.get(SERVICE) == after
