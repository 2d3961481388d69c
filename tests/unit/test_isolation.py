"""Isolation: what fails stays in its part, is counted every time and logged within limits."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from steerway import isolation, telemetry
from steerway.isolation import LOG_SECONDS, Reports, isolated


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the reports see, and none logged before."""
    now = [0.0]
    monkeypatch.setattr(isolation, "_REPORTS", Reports(lambda: now[0]))
    return now


def fail(error: Exception, **about: Any) -> str:
    with isolated("test", **about) as run:
        raise error
    return run.failure


def count() -> float:
    return telemetry.REGISTRY.get_sample_value("steerway_internal_errors_total", {"part": "test"}) or 0.0


def test_an_error_ends_its_part_only() -> None:
    """A success has no failure."""
    assert fail(ValueError("no")) == "ValueError('no')"
    with isolated("test") as run:
        pass
    assert run.failure == ""


def test_what_ends_the_process_is_not_kept() -> None:
    """Cancellation, SystemExit and Ctrl-C go through."""
    with pytest.raises(KeyboardInterrupt), isolated("test"):
        raise KeyboardInterrupt


def test_every_error_is_counted_and_a_few_are_logged(now: list[float]) -> None:
    """One line for a part at a time, with how many were left out; another part is not kept silent by it."""
    before = count()
    with capture_logs() as lines:
        for _ in range(5):
            fail(ValueError("no"), object="Service a/b")
        now[0] += LOG_SECONDS
        fail(KeyError("k"), object="Service a/c")
        with isolated("other"):
            raise ValueError
    assert count() == before + 6
    assert [(line["part"], line["object"], line["suppressed"]) for line in lines[:2]] == [
        ("test", "Service a/b", 0),
        ("test", "Service a/c", 4),
    ]
    assert [line["part"] for line in lines[2:]] == ["other"]
    assert lines[0]["error"] == "ValueError('no')"
    assert "test_isolation.py" in lines[0]["at"]
    assert "\n" not in str(lines)


def test_what_is_quoted_is_bounded_text() -> None:
    """An error may quote the input: all of it, or half a character."""
    with capture_logs() as lines:
        failure = fail(ValueError("x" * 10_000), where="y" * 10_000)
    assert len(failure) == len(lines[0]["where"]) == 300
    with capture_logs():
        assert fail(ValueError("\ud800"), where="\udfff") == "ValueError('\\ud800')"
