"""The content of a file, entry by entry: each object, each thing ignored, each thing broken, with its line.

An *entry* is what an operator would point at: a Kubernetes object (also as an item of a List), a raw xDS
resource, a service of a mapping, or a document that cannot be named more closely. Entries carry values
only; `history.py` decides which objects stay when an entry breaks.
"""

import os
import pathlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from steerway.runtime import isolation
from steerway.runtime.isolation import isolated
from steerway.sources.files.document import Document
from steerway.sources.objects.core import Object, ObjectKey, XdsResource
from steerway.sources.policy.validation_error import Path, ValidationError, listed
from steerway.sources.store import Problem
from steerway.text import bounded

_MAX_TEXT = 1024
"""Bytes of a name, a reason or a hint: a file may hold a key of megabytes."""
_MAX_PATH = 1 << 16
"""Far more bytes than any path has, also escaped."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a file.

    `where` is `file:line` (the file alone when no line is to blame). `subject` names what the entry is about,
    known or not whether it is good: a broken entry without one may be about anything in its file. A mapping's
    service gives several objects under one subject. Neither `objects` nor `problem`: the entry is ignored; `remark`
    names what to write instead where its author may expect it to be read.
    """

    where: str
    kind: str
    name: str = ""
    subject: ObjectKey | None = None
    objects: tuple[Object, ...] = ()
    problem: Problem | None = None
    remark: str = ""
    keys: tuple[ObjectKey, ...] = field(default=(), repr=False, compare=False)
    """The keys of `objects`, computed once, because each look at the files asks for them."""

    def __post_init__(self) -> None:
        if len(self.keys) != len(self.objects):
            object.__setattr__(self, "keys", tuple([obj.key for obj in self.objects]))

    def moved(self, lines: int) -> "Entry":
        """The same entry of a document that stands so many lines further down, or up when negative."""
        # Called for each entry below a line that was inserted, so without `dataclasses.replace`, which is slow.
        objects, problem = self.objects, self.problem
        if any(isinstance(obj, XdsResource) for obj in objects):
            objects = tuple(
                msgspec.structs.replace(obj, where=_moved(obj.where, lines))
                if isinstance(obj, XdsResource)
                else obj
                for obj in objects
            )
        if problem is not None:
            problem = replace(problem, where=_moved(problem.where, lines))
        where = _moved(self.where, lines)
        return Entry(where, self.kind, self.name, self.subject, objects, problem, self.remark, self.keys)

    @property
    def ok(self) -> bool:
        return self.problem is None

    @property
    def ignored(self) -> bool:
        return self.problem is None and not self.objects


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: what a reader of documents needs to name lines and fill in the namespace."""

    file: str
    document: Document
    namespace: str

    def where(self, path: Path = ()) -> str:
        return f"{self.file}:{self.document.line_of(path)}"

    def attempt(
        self, read: "Callable[[Any, Path, Origin], Iterable[Entry]]", value: Any, path: Path
    ) -> "list[Entry]":
        """What `read` makes of the value at `path`; one broken entry where it fails unexpectedly."""
        with isolated("document", where=self.where(path)) as run:
            return list(read(value, path, self))
        return [self.broken(path, ValidationError((), f"internal error: {run.failure}", isolation.HINT))]

    def good(self, path: Path, subject: ObjectKey, *objects: Object, kind: str = "") -> Entry:
        return Entry(self.where(path), kind or subject.kind, shown(full_name(subject)), subject, objects)

    def ignored(self, path: Path, kind: str, name: str) -> Entry:
        return Entry(self.where(path), shown(kind), shown(name))

    def broken(
        self,
        path: Path,
        invalid: ValidationError,
        kind: str = "",
        subject: ObjectKey | None = None,
        *further: ValidationError,
    ) -> Entry:
        """An entry at `path` with a fault, and perhaps more; their own paths are relative to the entry."""
        about = f"{shown(str(subject))}: " if subject is not None else ""
        where = self.where((*path, *invalid.path))
        validation_errors = (invalid, *further)
        reason = listed(shown(str(fault)) for fault in validation_errors)
        hint = listed(shown(fault.hint) for fault in validation_errors)
        problem = Problem(where, f"{about}{reason}", hint, subject=subject)
        name = shown(full_name(subject)) if subject is not None else ""
        return Entry(where, shown(kind or (subject.kind if subject else "")), name, subject, problem=problem)


def shown(text: str) -> str:
    """Text that quotes a file, as one line for any terminal: bounded, with escapes for what does not print."""
    return bounded(text, _MAX_TEXT)


def path_text(path: pathlib.Path) -> str:
    """A path as one line of valid Unicode text: bytes of a name that are not UTF-8, and what does not print, are
    escaped."""
    return bounded(os.fsencode(path).decode(errors="backslashreplace"), _MAX_PATH)


def full_name(key: ObjectKey) -> str:
    """`namespace/name`, or the name alone for what has no namespace."""
    return f"{key.namespace}/{key.name}" if key.namespace else key.name


def _moved(where: str, lines: int) -> str:
    """`file:line`, with another line."""
    file, _, line = where.rpartition(":")
    return f"{file}:{int(line) + lines}"
