"""The number of demands that are answered at once, so that the event loop is never blocked for long."""

SECONDS = 0.002
"""Target duration of a batch; other work on the loop waits this long."""
LEAST = 4
MOST = 512
_WEIGHT = 0.2
"""Weight of the last batch in the moving average."""


class BatchSize:
    """The size of the next batch, by the duration of the last ones."""

    def __init__(self) -> None:
        self._mean = SECONDS / 64

    @property
    def size(self) -> int:
        """Demands, from `LEAST` to `MOST`."""
        return max(LEAST, min(MOST, int(SECONDS / self._mean)))

    def observe(self, count: int, seconds: float) -> None:
        """`count` demands were answered in `seconds`."""
        self._mean += _WEIGHT * (max(seconds, 1e-9) / count - self._mean)
