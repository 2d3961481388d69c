"""Refused streams in the log: each reason at once, and then not again for a while."""

import structlog

from steerway.access.refusal_log import MAX_REASONS, PAUSE_SECONDS, RefusalLog
from steerway.access.verdict import refused


def test_a_reason_is_told_at_once_and_then_counted() -> None:
    """Another reason is told beside it; the next line says how many were left out."""
    now = [0.0]
    told = RefusalLog(lambda: now[0])
    with structlog.testing.capture_logs() as lines:
        for stream in range(5):
            told.tell(stream, "10.0.0.1:1", refused("it has expired"))
        told.tell(5, "10.0.0.2:1", refused("it is for others"))
        now[0] = PAUSE_SECONDS
        told.tell(6, "10.0.0.1:1", refused("it has expired"))
    assert [(line["stream"], line["reason"], line["untold"]) for line in lines] == [
        (0, "it has expired", 0),
        (5, "it is for others", 0),
        (6, "it has expired", 4),
    ]


def test_invented_reasons_take_bounded_memory() -> None:
    """A client chooses names that stand in reasons."""
    told = RefusalLog(lambda: 0.0)
    with structlog.testing.capture_logs() as lines:
        for number in range(MAX_REASONS + 1):
            told.tell(number, "", refused(str(number)))
        told.tell(0, "", refused("1"))
        told.tell(0, "", refused("0"))
    assert len(lines) == MAX_REASONS + 2
