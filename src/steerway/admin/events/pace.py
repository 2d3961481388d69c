"""The pace of a computation: as often as wanted while it is cheap, and never more than a share of one core."""

SHARE = 0.01
"""Of one core, for one computation."""


class Pace:
    """`least_seconds`: the time between two runs while they are cheap. `now` is on any monotonic clock."""

    def __init__(self, least_seconds: float, share: float = SHARE) -> None:
        self._least_seconds = least_seconds
        self._share = share
        self._due = 0.0

    def is_due(self, now: float) -> bool:
        return now >= self._due

    def ran(self, now: float, cpu_seconds: float) -> None:
        """A run that ended now took so much CPU time."""
        self._due = now + max(self._least_seconds, cpu_seconds / self._share)
