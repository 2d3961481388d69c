"""A token bucket for writes to the API server."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Budget:
    """`burst` at once, and one more in each `refill_seconds`. `at` is the time of the last update, in seconds of any
    monotonic clock. By default as client-go bounds the Events about one object (defaultSpamBurst, defaultSpamQPS)."""

    at: float
    burst: float = 25.0
    refill_seconds: float = 300.0
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def take(self, now: float) -> bool:
        """Whether one more fits; it is counted then."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) / self.refill_seconds)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def full(self, now: float) -> bool:
        """Whether nothing would be lost with this bucket."""
        return self.tokens + (now - self.at) / self.refill_seconds >= self.burst
