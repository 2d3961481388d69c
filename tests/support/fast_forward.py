"""An event loop whose clock a test moves forward: timers of minutes are due at once, I/O is real."""

import asyncio


class FastForwardLoop(asyncio.SelectorEventLoop):
    """`forward` moves the clock; otherwise it runs as always, so that I/O on loopback needs no patience of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead_seconds = 0.0

    def time(self) -> float:
        return super().time() + self._ahead_seconds

    def forward(self, seconds: float) -> None:
        """Timers up to then are due in the next turn of the loop, after the I/O that is there already."""
        self._ahead_seconds += seconds
