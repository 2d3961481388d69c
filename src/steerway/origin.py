"""Where a change comes from in time, carried beside it from its source to the engine.

Instants are seconds of `time.monotonic`, so that a clock that is set does not matter once a change was heard of.
"""

from typing import NamedTuple


class Origin(NamedTuple):
    """Of several changes that go on together: the one that waits longest."""

    received: float
    """When steerway heard of it."""
    event: float | None = None
    """When it happened, as far as the cluster says (EndpointSlices: the trigger time that their controller notes)."""

    def older(self, other: "Origin | None") -> "Origin":
        """The one that was heard of first."""
        return other if other is not None and other.received < self.received else self
