"""Isolation of parts: an unexpected error of one part is counted and logged, and the other parts go on.

A *part* is what can fail by itself: a document, an object, a service, an answer, a batch. An error that steerway raises
on purpose is handled where it is expected; this is for all others, which are defects. The caller keeps the last good
state of the part, and gives a problem where a user can see one.
"""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import ParamSpec, TypeVar

import structlog

from steerway import telemetry

_P = ParamSpec("_P")
_R = TypeVar("_R")

log = structlog.get_logger()

LOG_SECONDS = 10.0
"""Shortest time between two log lines for one part: an input that fails may come many times in a second."""
HINT = "report this as a defect of steerway, with the log line internal_error"
_MAX_TEXT = 300
"""Characters of an error in a log line or a problem: it may quote the input."""
_MAX_FRAMES = 6


class Isolated:
    """`with isolated("service", object=...) as run:` suppresses an Exception; `run.failure` describes it then.

    `failure` is "" after a success. It is valid Unicode text and at most 300 characters long.
    """

    __slots__ = ("_about", "_part", "_passes", "failure")

    def __init__(self, part: str, passes: tuple[type[Exception], ...], about: dict[str, object]) -> None:
        self._part = part
        self._passes = passes
        self._about = about
        self.failure = ""

    def __enter__(self) -> "Isolated":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, self._passes):
            return False
        self.failure = _described(error)
        _REPORTS.add(self._part, self.failure, error, self._about)
        return True


def isolated(part: str, *passes: type[Exception], **about: object) -> Isolated:
    """Isolate a part. `part` is a value of the metric's label, one of few; errors of the types `passes` are expected,
    and go through; `about` names the object in the log."""
    return Isolated(part, passes, about)


def or_else(part: str, function: Callable[_P, _R], fallback: Callable[_P, _R]) -> Callable[_P, _R]:
    """`function`, isolated as a part; where it fails, what `fallback` returns for the same arguments."""

    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with isolated(part):
            return function(*args, **kwargs)
        return fallback(*args, **kwargs)

    return call


def _described(error: Exception) -> str:
    text = repr(error)
    text = text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"
    return text.encode(errors="backslashreplace").decode()


@dataclass(slots=True)
class _Silence:
    """Since when a part is not logged (seconds of the clock), and how many lines were left out since."""

    since: float
    suppressed: int = 0


class Reports:
    """Counts every error; logs the first of a part, and then one line in `LOG_SECONDS` with the number left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._silent: dict[str, _Silence] = {}

    def add(self, part: str, failure: str, error: Exception, about: dict[str, object]) -> None:
        """Note one error."""
        telemetry.INTERNAL_ERRORS.labels(part).inc()
        now, silence = self._clock(), self._silent.get(part)
        if silence is not None and now < silence.since + LOG_SECONDS:
            silence.suppressed += 1
            return
        suppressed = silence.suppressed if silence is not None else 0
        self._silent[part] = _Silence(now)
        named = {key: _cut(value) for key, value in about.items()}
        log.error(
            "internal_error", part=part, error=failure, at=_frames(error), suppressed=suppressed, **named
        )


_REPORTS = Reports()


def _cut(value: object) -> str:
    return str(value)[:_MAX_TEXT].encode(errors="backslashreplace").decode()


def _frames(error: Exception) -> str:
    """The innermost frames, outermost first, in one line: `catalog.py:120 _rebuild > service.py:31 build`."""
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
