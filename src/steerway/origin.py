"""Where a change comes from in time, carried beside it from its source to the engine.

Instants are seconds of `time.monotonic`, so that a clock that is set does not matter once a change was received.
"""

from typing import NamedTuple


class Origin(NamedTuple):
    """Of several changes that go on together: the one that waits longest."""

    received: float
    """When steerway received it."""
    event: float | None = None
    """When it happened, if the cluster states it (EndpointSlices: the trigger time that their controller notes)."""

    def older(self, other: "Origin | None") -> "Origin":
        """The one that was received first."""
        return other if other is not None and other.received < self.received else self
