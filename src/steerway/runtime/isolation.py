"""Isolation of parts: an unexpected error of one part is counted and logged, and the other parts go on.
`steerway.log.limit` limits the lines of each part.

A *part* is what can fail by itself: a document, an object, a service, an answer, a batch. An error that steerway raises
on purpose is handled where it is expected; this is for all others, which are defects. The caller keeps the last good
state of the part, and gives a problem where a user can see one.
"""

import traceback
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Literal, ParamSpec, TypeAlias, TypeVar, get_args

import structlog

from steerway import telemetry
from steerway.text import bounded

Part: TypeAlias = Literal[
    "absent names",
    "answer",
    "batch",
    "call",
    "certificate_request",
    "client",
    "commit",
    "credentials",
    "demand",
    "document",
    "engine_event",
    "event",
    "file",
    "finding",
    "http_connection",
    "http_request",
    "informer",
    "injection",
    "injection_certificate",
    "listener",
    "object",
    "reporter",
    "resource",
    "service",
    "signer",
    "status",
    "trace",
    "watch",
    "window",
]
"""The values of the metric's label `part`."""

# Alerts compare a counter with its value before: the first error needs a 0 before it.
for _part in get_args(Part):
    telemetry.INTERNAL_ERRORS.labels(_part)

_P = ParamSpec("_P")
_R = TypeVar("_R")

log = structlog.get_logger()

HINT = "report this as a defect of steerway, with the log line internal_error"
_MAX_FRAMES = 6


class Isolated:
    """`with isolated("service", object=...) as run:` suppresses an Exception; `run.failure` describes it then.

    `failure` is "" after a success. It is a text of `MAX_TEXT` bytes at most (`steerway.text`): it may quote the input.
    """

    __slots__ = ("_about", "_part", "_passes", "failure")

    def __init__(self, part: Part, passes: tuple[type[Exception], ...], about: dict[str, object]) -> None:
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
        self.failure = bounded(repr(error))
        _report(self._part, self.failure, error, self._about)
        return True


def isolated(part: Part, *passes: type[Exception], **about: object) -> Isolated:
    """Isolate a part. Errors of the types `passes` are expected,
    and go through; `about` names the object in the log."""
    return Isolated(part, passes, about)


def or_else(part: Part, function: Callable[_P, _R], fallback: Callable[_P, _R]) -> Callable[_P, _R]:
    """`function`, isolated as a part; where it fails, what `fallback` returns for the same arguments."""

    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with isolated(part):
            return function(*args, **kwargs)
        return fallback(*args, **kwargs)

    return call


def _report(part: Part, failure: str, error: Exception, about: dict[str, object]) -> None:
    """Count and log one error."""
    telemetry.INTERNAL_ERRORS.labels(part).inc()
    # The frames of a line that is left out are not looked up.
    log.error("internal_error", part=part, error=failure, at=partial(_frames, error), **about)


def _frames(error: Exception) -> str:
    """The innermost frames, outermost first, in one line: `catalog.py:120 _rebuild > service.py:31 build`."""
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
