"""Ids of the traces of changes: derived from the id of the change, so that nothing is stored for them."""

import hashlib
import secrets

_LOW_BITS = (1 << 64) - 1


class TraceIds:
    """`ratio` of the changes have a trace, from 0 to 1: by the low bits of the id, as OpenTelemetry's
    TraceIdRatioBased does."""

    def __init__(self, ratio: float) -> None:
        self._limit = round(ratio * (_LOW_BITS + 1))
        self._process = secrets.token_bytes(16)

    def of(self, change: int) -> int | None:
        """The id (128 bits) of the trace of a change; None: it has none."""
        digest = hashlib.blake2b(change.to_bytes(8), key=self._process, digest_size=16).digest()
        trace_id = int.from_bytes(digest)
        return trace_id if trace_id & _LOW_BITS < self._limit else None


def text(trace_id: int) -> str:
    """32 hexadecimal digits (W3C Trace Context)."""
    return f"{trace_id:032x}"
