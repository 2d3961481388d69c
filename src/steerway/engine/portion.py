"""How many demands are answered at once, so that the event loop is never held up for long."""

SECONDS = 0.002
"""What a portion is to take: whatever else runs on the loop waits for one of them at every turn."""
LEAST = 4
MOST = 512
_WEIGHT = 0.2
"""Of the last portion in the mean."""


class Portion:
    """The size of the next portion, by what the last ones took."""

    def __init__(self) -> None:
        self._mean = SECONDS / 64

    @property
    def size(self) -> int:
        """Demands, from `LEAST` to `MOST`."""
        return max(LEAST, min(MOST, int(SECONDS / self._mean)))

    def took(self, count: int, seconds: float) -> None:
        """So many demands were answered in so many seconds."""
        self._mean += _WEIGHT * (max(seconds, 1e-9) / count - self._mean)
