"""Returns memory to the system that the engine has freed.

glibc keeps the pages of freed small allocations, in an arena per thread: after many subscriptions the process would not
shrink. `malloc_trim(3)` returns whole pages to the system. It takes the locks of all arenas for
some milliseconds per 100 MB, so it is called only when much was freed, and on a thread of its own.
"""

import asyncio
import ctypes
from collections.abc import Callable

import structlog

log = structlog.get_logger()

LOOK_SECONDS = 5.0
"""Interval of the checks."""
MUCH = 16 << 20
"""Freed bytes that make a trim due."""
NAME_BYTES = 512
"""Approximate size of a demanded name in the engine."""


class Trimmer:
    """Calls `trim` (None: the C library has none) after `usage` (subscribed bytes, demanded names) has fallen."""

    name = "memory"

    def __init__(self, usage: Callable[[], tuple[int, int]], trim: Callable[[], object] | None) -> None:
        self._kept = usage
        self._trim = trim
        self._most = 0

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self.is_due() and self._trim is not None:
                await asyncio.to_thread(self._trim)
                log.debug("memory_trimmed")

    def is_due(self) -> bool:
        """Whether usage has fallen by `MUCH` from its maximum since the last trim."""
        subscribed, names = self._kept()
        used_bytes = subscribed + names * NAME_BYTES
        self._most = max(self._most, used_bytes)
        if self._most - used_bytes < MUCH:
            return False
        self._most = used_bytes
        return True


def trim_function() -> Callable[[], object] | None:
    """`malloc_trim(0)` of glibc; None with another C library, which returns memory by itself."""
    try:
        function = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_size_t,)
    return lambda: function(0)
