"""A child process that speaks in lines: one to it, one from it, with a deadline for each."""

import contextlib
import os
import re
import selectors
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_END_SECONDS = 10.0
_ERROR_BYTES = 2000


class ChildError(Exception):
    """A child did not do its part; the text has the last lines of its standard error."""


class Child:
    """A context manager: leaving it closes the child's input, then terminates, then kills it."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self._name = Path(command[0]).name
        self._errors = os.memfd_create("standard-error")
        self._process = subprocess.Popen(
            [os.fspath(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C reaches only the driver, which ends its children in order
        )
        self._unread = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def write_line(self, line: str) -> None:
        """Write one line to its standard input."""
        assert self._process.stdin is not None
        try:
            os.write(self._process.stdin.fileno(), line.encode() + b"\n")
        except BrokenPipeError:
            raise self._error("ended early") from None

    def hear(self, pattern: re.Pattern[str], seconds: float) -> re.Match[str]:
        """The first line that `pattern` is found in; lines before it are dropped."""
        deadline = time.monotonic() + seconds
        while True:
            line, newline, rest = self._unread.partition(b"\n")
            if newline:
                self._unread = rest
                if match := pattern.search(line.decode(errors="replace")):
                    return match
            else:
                self._read(deadline, f"did not write {pattern.pattern!r} within {seconds:g} s")

    def _read(self, deadline: float, complaint: str) -> None:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise self._error(complaint)
        data = os.read(self._process.stdout.fileno(), 65536)
        if not data:
            raise self._error("ended early")
        self._unread += data

    def _error(self, complaint: str) -> ChildError:
        tail = max(0, os.fstat(self._errors).st_size - _ERROR_BYTES)
        words = os.pread(self._errors, _ERROR_BYTES, tail).decode(errors="replace").strip()
        return ChildError(f"{self._name} {complaint}" + (f": {words}" if words else ""))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        for insist in (None, self._process.terminate, self._process.kill):
            if insist:
                insist()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
                break
        self._process.stdout.close()
        os.close(self._errors)
