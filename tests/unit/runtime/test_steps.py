"""Long work in time slices."""

import asyncio
from collections.abc import Generator

import pytest

from steerway.runtime import steps


def counted(done: list[int], count: int) -> Generator[None, None, str]:
    for number in range(count):
        done.append(number)
        yield
    return "all"


def test_all_steps_at_once_give_the_result() -> None:
    done: list[int] = []
    assert steps.run(counted(done, 3)) == "all"
    assert done == [0, 1, 2]


async def test_other_tasks_run_between_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice without duration is one step."""
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
    """Without a switch to another task."""
    monkeypatch.setattr(steps, "SLICE_SECONDS", 3600.0)
    done: list[int] = []
    work = asyncio.create_task(steps.run_sliced(counted(done, 3)))
    await asyncio.sleep(0)
    assert work.done()
