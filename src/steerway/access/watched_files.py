"""A few small files that belong together (certificate and key, a list of tokens), read again when they change.

They are looked at once a second rather than watched: a stat of three files costs nothing, works on every file system,
and sees through the symlinks that kubelet swaps when it renews a mounted Secret (`..data`), where a watch would have to
follow them. What a look finds counts when a second one finds the same files, so that a certificate is not joined with
the key of its successor. Content that cannot be used is a problem; what was good before stays in use.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import structlog

from steerway.runtime.daemon_thread import in_daemon_thread
from steerway.runtime.isolation import isolated
from steerway.sources.store import Problem

log = structlog.get_logger()

LOOK_SECONDS = 1.0
"""Time between two looks."""
MAX_BYTES = 1024 * 1024
"""Largest file that is read; a chain of certificates is a few KiB."""

_Stamp: TypeAlias = tuple[tuple[int, int, int, int] | None, ...]


class ContentError(ValueError):
    """The content of a file cannot be used: `where` is the file (and line), `hint` is the fix."""

    def __init__(self, where: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{where}: {reason}" + (f" ({hint})" if hint else ""))
        self.problem = Problem(where, reason, hint)


class WatchedFiles:
    """Gives the content of `paths` to `take`, all at once, whenever one of them has changed.

    `take` gets one item of bytes per path and raises ContentError when it cannot use them.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        take: Callable[[Sequence[bytes]], None],
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._paths = tuple(paths)
        self._take = take
        self._look_seconds = look_seconds
        self._taken: _Stamp | None = None
        self.problem: Problem | None = None
        """Why the present content is not in use; None when it is."""

    def load(self) -> None:
        """Read for the first time. ContentError when a file cannot be read or used."""
        stamp, contents = _read(self._paths)
        self._take(contents)
        self._taken = stamp

    async def run(self) -> None:
        """Follow changes until cancelled."""
        while True:
            await asyncio.sleep(self._look_seconds)
            with isolated("credentials", files=self._paths):
                await self.look()

    async def look(self) -> None:
        """Look once, and take what is new."""
        try:
            # What could not be used is tried again each time: a certificate may only not be valid yet.
            known = None if self.problem else self._taken
            changed = await in_daemon_thread(partial(_changed, self._paths, known), "credentials")
            if changed is None:
                return
            self._taken, contents = changed
            self._take(contents)
        except ContentError as error:
            if error.problem != self.problem:
                problem = self.problem = error.problem
                log.warning(
                    "file_not_taken",
                    where=problem.where,
                    reason=problem.reason,
                    hint=problem.hint,
                    kept="the last good",
                )
            return
        self.problem = None
        log.info("file_taken", files=[str(path) for path in self._paths])


def _changed(paths: Sequence[Path], known: _Stamp | None) -> tuple[_Stamp, list[bytes]] | None:
    """The content, if it changed and is complete; None otherwise."""
    if _stamp(paths) == known:
        return None
    return _read(paths)


def _read(paths: Sequence[Path]) -> tuple[_Stamp, list[bytes]]:
    """The content of all files as they were at one moment. ContentError when there is none."""
    for _ in range(10):
        before = _stamp(paths)
        contents = [_content(path) for path in paths]
        if _stamp(paths) == before:
            return before, contents
    raise ContentError(str(paths[0]), "is written all the time", "replace it by renaming a finished file")


def _stamp(paths: Sequence[Path]) -> _Stamp:
    """What changes when a file does: device, inode, size and time, of what symlinks lead to."""
    return tuple(map(_stamp_of, paths))


def _stamp_of(path: Path) -> tuple[int, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        raise ContentError(str(path), reason, "check that the path exists and may be read") from None
    if len(content) > MAX_BYTES:
        raise ContentError(str(path), f"is larger than {MAX_BYTES // 1024} KiB", "give the right file")
    return content
