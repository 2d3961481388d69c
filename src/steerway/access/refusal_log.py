"""Tells of refused streams in the log: each reason once in a while, so that a client which tries for ever, or a
thousand of them after a mistake, leave the log readable.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

from steerway.access.verdict import Refusal

log = structlog.get_logger()

PAUSE_SECONDS = 10.0
"""Least time between two lines with the same reason."""
MAX_REASONS = 1000
"""Reasons that are remembered; the one that was told longest ago is forgotten first."""


class RefusalLog:
    """Writes `stream_refused`; `untold` counts those of the same reason since the last line."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def tell(self, stream: int, peer: str, refusal: Refusal) -> None:
        """A stream was refused."""
        now = self._clock()
        told_at, untold = self._told.get(refusal.reason, (float("-inf"), 0))
        if now - told_at < PAUSE_SECONDS:
            self._told[refusal.reason] = (told_at, untold + 1)
            return
        self._told[refusal.reason] = (now, 0)
        self._told.move_to_end(refusal.reason)
        if len(self._told) > MAX_REASONS:
            self._told.popitem(last=False)
        log.warning(
            "stream_refused",
            stream=stream,
            peer=peer,
            code=refusal.code,
            reason=refusal.reason,
            untold=untold,
        )
