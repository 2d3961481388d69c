"""Log output: JSON and text, one pipeline for all libraries, and nothing confidential."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from steerway.log import setup


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Restore the logging of the test process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("steerway").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def test_json_is_one_object_per_line() -> None:
    """Event, level, logger, time and each value; a traceback is one string."""
    stream = io.StringIO()
    setup.configure("json", "info", stream)
    log = structlog.get_logger("steerway.engine")
    log.info("listed", node="web-1", message="two\nlines")
    try:
        int("boom")
    except ValueError:
        log.exception("failed")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "event": "listed",
        "level": "info",
        "logger": "steerway.engine",
        "node": "web-1",
        "message": "two\nlines",
    }
    assert "ValueError: invalid literal" in second["exception"]


def test_text_has_time_level_event_and_values() -> None:
    """Without colours if the output is no terminal."""
    stream = io.StringIO()
    setup.configure("text", "info", stream)
    structlog.get_logger("steerway.engine").warning("stream refused", node="web-1")
    (line,) = stream.getvalue().splitlines()
    assert line[10] == "T"
    for part in ("warning", "stream refused", "steerway.engine", "node=web-1"):
        assert part in line
    assert "\x1b" not in line


def test_other_libraries_use_the_same_format_from_warning_on() -> None:
    """Lower levels are dropped; warnings have the configured format, with their values."""
    stream = io.StringIO()
    setup.configure("json", "info", stream)
    logging.getLogger("watchfiles.main").info("2 changes detected")
    logging.getLogger("watchfiles.main").warning("slow %s", "client", extra={"peer": "a"})
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert (record["event"], record["logger"], record["peer"]) == ("slow client", "watchfiles.main", "a")


def test_warnings_that_any_http_client_can_cause_are_not_written() -> None:
    """uvicorn warns of each malformed request; its errors are written."""
    stream = io.StringIO()
    setup.configure("json", "info", stream)
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.error").error("the end")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "the end"


@pytest.mark.parametrize(("level", "lines"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_a_threshold(level: str, lines: int) -> None:
    """Lower levels are not written."""
    stream = io.StringIO()
    setup.configure("json", level, stream)
    log = structlog.get_logger("steerway")
    for severity in ("debug", "info", "warning", "error"):
        getattr(log, severity)("x")
    assert len(stream.getvalue().splitlines()) == lines


def test_configuring_again_replaces_the_set_up() -> None:
    """A second call does not duplicate lines."""
    first, second = io.StringIO(), io.StringIO()
    setup.configure("json", "info", first)
    log = structlog.get_logger("steerway")
    log.info("one")
    setup.configure("json", "info", second)
    log.info("two")
    assert len(first.getvalue().splitlines()) == len(second.getvalue().splitlines()) == 1
