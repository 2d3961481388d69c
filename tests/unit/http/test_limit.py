"""How many connections the open files leave room for, and how a limit is logged."""

import resource

import pytest
import structlog

from steerway import telemetry
from steerway.http.limit import LimitLog, within_open_files
from steerway.log.limit import CLIENT_EVENTS


@pytest.mark.parametrize(
    ("files", "xds", "wanted", "room"),
    [
        (1200, 50_000, 64, 64),  # the engine leaves 256
        (1200, 50_000, 1000, 64),
        (1200, 100, 1000, 275),
        (128, 50_000, 64, 16),  # the engine leaves half
        (20, 50_000, 64, 8),
        (resource.RLIM_INFINITY, 50_000, 1000, 1000),
    ],
)
def test_a_listener_leaves_the_files_of_xds_alone(
    monkeypatch: pytest.MonkeyPatch, files: int, xds: int, wanted: int, room: int
) -> None:
    """A quarter of what xDS connections leave, so that two listeners leave half of it to everything else."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert within_open_files(wanted, xds) == room


def test_a_limit_is_counted_and_logged_as_an_event_of_clients() -> None:
    """Such events have one limit of lines (`log_limit`)."""
    record = LimitLog("log test")
    with structlog.testing.capture_logs() as lines:
        record.exceeded("host", "10.0.0.1:1", host="evil.example")
        record.exceeded("host", "10.0.0.1:2", host="evil.example")
    assert {line["event"] for line in lines} <= CLIENT_EVENTS.keys()
    assert [(line["limit"], line["peer"]) for line in lines] == [
        ("host", "10.0.0.1:1"),
        ("host", "10.0.0.1:2"),
    ]
    assert telemetry.HTTP_REFUSED.labels("log test", "host")._value.get() == 2
