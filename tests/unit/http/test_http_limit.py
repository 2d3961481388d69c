"""How many connections the open files leave room for, and how a limit is logged."""

import resource

import pytest
import structlog

from steerway import telemetry
from steerway.http.limit import LimitLog, within_open_files


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


def test_a_limit_is_counted_each_time_and_logged_once_in_a_while() -> None:
    """The next line says how many there were; another limit has lines of its own."""
    now = 0.0
    record = LimitLog("log test", lambda: now)
    with structlog.testing.capture_logs() as lines:
        for number in range(3):
            record.exceeded("connections", f"10.0.0.1:{number}")
        record.exceeded("requests", "10.0.0.2:1")
        now = 10.0
        record.exceeded("connections", "10.0.0.3:1")
    shown = [(line["limit"], line["count"], line["peer"]) for line in lines]
    assert shown == [
        ("connections", 1, "10.0.0.1:0"),
        ("requests", 1, "10.0.0.2:1"),
        ("connections", 3, "10.0.0.3:1"),
    ]
    assert telemetry.HTTP_REFUSED.labels("log test", "connections")._value.get() == 4
