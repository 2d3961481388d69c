"""Long work in slices, and bulk loads without collections of garbage."""

import asyncio
import gc
from collections.abc import Generator

import pytest

from steerway import garbage, steps


def counted(done: list[int], count: int) -> Generator[None, None, str]:
    for number in range(count):
        done.append(number)
        yield
    return "all"


def test_all_steps_at_once_give_the_result() -> None:
    """In order."""
    done: list[int] = []
    assert steps.run(counted(done, 3)) == "all"
    assert done == [0, 1, 2]


async def test_other_tasks_have_their_turn_between_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice of no time is one step."""
    monkeypatch.setattr(steps, "SLICE_SECONDS", 0.0)
    done: list[int] = []
    work = asyncio.create_task(steps.run_sliced(counted(done, 3)))
    seen = []
    while not work.done():
        seen.append(len(done))
        await asyncio.sleep(0)
    assert work.result() == "all"
    assert seen == [0, 1, 2, 3]


async def test_work_of_less_than_a_slice_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small change waits for no other task."""
    monkeypatch.setattr(steps, "SLICE_SECONDS", 3600.0)
    done: list[int] = []
    work = asyncio.create_task(steps.run_sliced(counted(done, 3)))
    await asyncio.sleep(0)
    assert work.done()


def test_nothing_is_collected_during_a_load_and_a_bulk_is_not_followed_afterwards() -> None:
    """Loads overlap: the last one that ends turns the collector on again."""
    before = gc.get_freeze_count()
    try:
        with garbage.load() as outer:
            with garbage.load() as inner:
                inner.objects = garbage.BULK_OBJECTS - 1
            assert not gc.isenabled()
            assert gc.get_freeze_count() == before
            outer.objects = garbage.BULK_OBJECTS
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
