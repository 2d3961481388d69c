"""Isolation: a failure stays in its part, is counted every time and logged within limits."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
import structlog
from structlog.testing import capture_logs

from steerway import telemetry
from steerway.catalog.model.mesh import ServiceId
from steerway.log.limit import LogLimiter
from steerway.runtime import isolation
from steerway.runtime.isolation import isolated
from steerway.text import MAX_TEXT


def fail(error: Exception, **about: Any) -> str:
    with isolated("service", **about) as run:
        raise error
    return run.failure


def count(metric: str = "steerway_internal_errors_total", **labels: str) -> float:
    return telemetry.REGISTRY.get_sample_value(metric, labels or {"part": "service"}) or 0.0


class World:
    """The lines that a limiter with its own clock admits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[dict[str, Any]] = []
        limiter = LogLimiter(lambda: self.now)
        structlog.configure(processors=[limiter, self._collect])

    def _collect(self, _logger: Any, _method: str, event: Any) -> Any:
        self.lines.append(dict(event))
        raise structlog.DropEvent


@pytest.fixture
def world() -> Iterator[World]:
    yield World()
    structlog.reset_defaults()


def test_an_error_ends_its_part_only() -> None:
    """A success has no failure."""
    assert fail(ValueError("no")) == "ValueError('no')"
    with isolated("service") as run:
        pass
    assert run.failure == ""


def test_exceptions_that_end_the_process_are_raised() -> None:
    """Cancellation, SystemExit and Ctrl-C."""
    with pytest.raises(KeyboardInterrupt), isolated("service"):
        raise KeyboardInterrupt


def test_every_error_is_counted_and_a_few_are_logged(world: World) -> None:
    """One line per part at a time, with the number of dropped lines; other parts are logged."""
    before, suppressed = count(), count("steerway_log_lines_suppressed_total", event="internal_error")
    for number in range(5):
        fail(ValueError("no"), object=ServiceId("a", "b"), peer=f"10.0.0.{number}:1")
    world.now += 10
    fail(KeyError("k"), object="Service a/c")
    with isolated("object"):
        raise ValueError
    assert count() == before + 6
    assert count("steerway_log_lines_suppressed_total", event="internal_error") == suppressed + 4
    first, second, other = world.lines
    assert [(line["part"], line["object"], line.get("suppressed")) for line in (first, second)] == [
        ("service", "a/b", None),
        ("service", "Service a/c", 4),
    ]
    assert other["part"] == "object"
    assert first["error"] == "ValueError('no')"
    assert "test_isolation.py" in first["at"]
    assert "\n" not in str(world.lines)


def test_quoted_text_is_bounded(world: World) -> None:
    """An error may quote the whole input, or a lone surrogate."""
    failure = fail(ValueError("x" * 10_000), where="y" * 10_000)
    assert len(failure.encode()) == len(world.lines[0]["where"].encode()) == MAX_TEXT
    assert fail(ValueError("\ud800"), where="\udfff") == "ValueError('\\ud800')"


def test_frames_of_a_dropped_line_are_not_read() -> None:
    """`at` is a function, which the limiter calls for written lines."""
    with capture_logs() as lines:
        fail(ValueError("no"))
    assert callable(lines[0]["at"])


def test_every_part_has_a_counter_from_the_start() -> None:
    """An alert on its increase needs the 0 before the first error."""
    for part in get_args(isolation.Part):
        assert (
            telemetry.REGISTRY.get_sample_value("steerway_internal_errors_total", {"part": part}) is not None
        )
