"""Long work on the event loop, in slices: a generator that yields between steps of some milliseconds at most."""

import asyncio
import math
import time
from collections.abc import Generator
from typing import TypeVar

SLICE_SECONDS = 0.01
"""Length of a slice before other tasks run: short beside the 50 ms that a probe or an update may wait, and long beside
the cost of a task switch."""

_T = TypeVar("_T")


def run(steps: Generator[None, None, _T]) -> _T:
    """All steps at once; returns what the generator returns."""
    (result,) = _advance(steps, math.inf)
    return result


async def run_sliced(steps: Generator[None, None, _T]) -> _T:
    """The same, with other tasks between slices. Work shorter than a slice has no break."""
    while True:
        for result in _advance(steps, SLICE_SECONDS):
            return result
        await asyncio.sleep(0)


def _advance(steps: Generator[None, None, _T], seconds: float) -> tuple[_T, ...]:
    """Steps for so long, at least one; what the generator returns, once it does."""
    until = time.monotonic() + seconds
    try:
        next(steps)
        while time.monotonic() < until:
            next(steps)
    except StopIteration as end:
        return (end.value,)
    return ()
