"""Gives memory back that the engine has freed.

glibc keeps what small allocations leave behind, in an arena for each thread: after a storm of subscriptions the process
would stay as large as it was. `malloc_trim(3)` returns whole pages to the system. It takes the locks of all arenas for
some milliseconds per 100 MB, so it is called only when much was freed, and on a thread of its own.
"""

import asyncio
import ctypes
from collections.abc import Callable

import structlog

log = structlog.get_logger()

LOOK_SECONDS = 5.0
"""How often it is looked at what clients make the engine keep."""
MUCH = 16 << 20
"""Bytes that were freed since the last time."""
NAME_BYTES = 512
"""What the engine keeps for a demanded name, about."""


class Trimmer:
    """Calls `trim` (None: the C library has none) after `usage`, subscribed bytes and demanded names, has fallen."""

    name = "memory"

    def __init__(self, usage: Callable[[], tuple[int, int]], trim: Callable[[], object] | None) -> None:
        self._kept = usage
        self._trim = trim
        self._most = 0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self.is_due() and self._trim is not None:
                await asyncio.to_thread(self._trim)
                log.debug("memory_trimmed")

    def is_due(self) -> bool:
        """Whether much less is kept than at the most since the last time that this was true."""
        subscribed, names = self._kept()
        used_bytes = subscribed + names * NAME_BYTES
        self._most = max(self._most, used_bytes)
        if self._most - used_bytes < MUCH:
            return False
        self._most = used_bytes
        return True


def trim_function() -> Callable[[], object] | None:
    """`malloc_trim(0)` of glibc; None where the C library is another one, which gives memory back by itself."""
    try:
        function = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_size_t,)
    return lambda: function(0)
