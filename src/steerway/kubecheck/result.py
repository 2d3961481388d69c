"""The result of a check: lines with a level, the fix, and where the guide describes it."""

import enum
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from steerway.kubecheck.context import Context

GUIDE = "guides/check.html"
"""Page of the documentation site; its headings are the names of the checks."""


class Level(enum.Enum):
    """The values are those of `--output json`."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """One line. `hint`: the fix. `manifest`: YAML that is a part of the fix; `kubectl apply` accepts it."""

    level: Level
    text: str
    hint: str = ""
    manifest: str = ""


def ok(text: str) -> Result:
    return Result(Level.OK, text)


def warning(text: str, hint: str, manifest: str = "") -> Result:
    return Result(Level.WARNING, text, hint, manifest)


def error(text: str, hint: str, manifest: str = "") -> Result:
    return Result(Level.ERROR, text, hint, manifest)


def skipped(text: str, hint: str = "") -> Result:
    return Result(Level.SKIPPED, text, hint)


Run = Callable[[Context], Awaitable[Sequence[Result]]]


@dataclass(frozen=True, slots=True)
class Check:
    """`name` is the anchor of a heading in the guide. `requires`: when one of these checks has
    failed, it does not run."""

    name: str
    run: Run
    requires: tuple[str, ...] = ()

    @property
    def link(self) -> str:
        return f"{GUIDE}#{self.name}"


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of one check. `blocked`: it did not run, because one that it requires has failed."""

    section: str
    check: Check
    results: tuple[Result, ...]
    blocked: bool = False

    @property
    def failed(self) -> bool:
        return any(result.level is Level.ERROR for result in self.results)
