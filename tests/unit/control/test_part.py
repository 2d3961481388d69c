"""The wait for the end of the process: by a signal, or by the end of a part."""

import asyncio

import pytest

from steerway.control.part import wait_first


async def hang() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise OSError("broken")


async def fail_in_groups() -> None:
    async with asyncio.TaskGroup() as outer:
        outer.create_task(fail_in_a_group())


async def fail_in_a_group() -> None:
    async with asyncio.TaskGroup() as inner:
        inner.create_task(fail())


async def test_a_signal_ends_the_wait() -> None:
    """The parts still run then."""
    stop = asyncio.Event()
    part = asyncio.create_task(hang())
    stop.set()
    await wait_first(stop, [part])
    assert not part.done()
    part.cancel()


async def test_the_error_of_a_part_is_raised_without_its_task_groups() -> None:
    """A message is readable in one line then."""
    part = asyncio.create_task(fail_in_groups())
    with pytest.raises(OSError, match="broken"):
        await wait_first(asyncio.Event(), [part])


async def test_a_part_must_not_end() -> None:
    """Without an error the message names the part."""
    part = asyncio.create_task(asyncio.sleep(0), name="reporter")
    with pytest.raises(RuntimeError, match="reporter ended by itself"):
        await wait_first(asyncio.Event(), [part])
