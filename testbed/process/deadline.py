"""Waiting for something that becomes true, never for time to pass."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SECONDS = 100.0
"""How long a test waits for what must happen: far longer than it takes, so that only a fault exceeds it."""
HONEST_SECONDS = 2.0
"""A server's limit that a test waits for, beside clients that must keep within it on a busy machine."""
_LOOK_SECONDS = 0.02

_T = TypeVar("_T")


def until(
    condition: Callable[[], _T], what: str | Callable[[], str], seconds: float = PATIENCE_SECONDS
) -> _T:
    """Ask `condition` until its answer is true, and return that; AssertionError names `what` did not happen.

    For states that can only be asked for, such as an HTTP page. Lines of a process are waited for with
    `Process.wait`, which wakes up by itself.
    """
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            received = what if isinstance(what, str) else what()
            raise AssertionError(f"not within {seconds:.0f} s: {received}")
        time.sleep(_LOOK_SECONDS)
    return answer
