"""Child processes of tests: their output is read as it comes, and none outlives its test.

A child dies with pytest, also when that is killed (`parent_death.py`): a test run leaves nothing behind.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from testbed.process import parent_death, preloaded
from testbed.process.deadline import PATIENCE_SECONDS

_END_SECONDS = 15.0
_SHOWN_LINES = 30
_DIVERTING = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy", "grpc_xds_", "steerway_")
"""Beginnings of variables that would lead loopback traffic elsewhere, or give a child settings that the test did not
(lower case)."""

_T = TypeVar("_T")


class Process:
    """A running child. Every line that it writes is kept: `lines` from standard output, `errors` from the other."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], forked: bool = False
    ) -> None:
        """`forked`: the command is an installed `steerway`, and its modules need not be imported for it again."""
        self.name = name
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._changed = threading.Condition()
        variables = {**_neutral(os.environ), **environment}
        self._child = preloaded.start(command, variables) if forked else _spawn(command, variables)
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=arguments, daemon=True)
            for arguments in ((self._child.stdout, self.lines), (self._child.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def wait(self, find: Callable[[], _T], what: str, seconds: float = PATIENCE_SECONDS) -> _T:
        """Ask `find` after each new line until its answer is true, and return that.

        AssertionError when the process ends before, or after the time, with what it wrote last.
        """
        end = time.monotonic() + seconds
        with self._changed:
            while not (answer := find()):
                if not any(reader.is_alive() for reader in self._readers):
                    raise AssertionError(self.complaint(f"ended without {what}"))
                if not self._changed.wait(end - time.monotonic()):
                    raise AssertionError(self.complaint(f"has not within {seconds:.0f} s: {what}"))
        return answer

    def write(self, line: str) -> None:
        """Send one line to its standard input."""
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def ended(self, seconds: float = _END_SECONDS) -> int:
        """Wait for its end and return the exit code; AssertionError when it goes on for longer than that."""
        try:
            code = self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.complaint(f"still runs after {seconds:.0f} s")) from None
        for reader in self._readers:
            reader.join()
        return code

    def end(self) -> None:
        """SIGTERM, then SIGKILL to it and its children, and wait. Ending it twice does no harm."""
        if self.running:
            self._child.terminate()
            try:
                self._child.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()

    def complaint(self, what: str) -> str:
        """`what` about this process, with the last lines that it wrote."""
        written = [*self.lines[-_SHOWN_LINES:], "-- standard error", *self.errors[-_SHOWN_LINES:]]
        return "\n    ".join([f"{self.name} {what}:", *written])

    def _read(self, stream: Iterable[str], retained: list[str]) -> None:
        for line in stream:
            with self._changed:
                retained.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


class Processes:
    """The processes of one test. Leaving the context ends all of them, the youngest first. With `preloaded`,
    `steerway serve` is forked from a process that has imported its modules."""

    def __init__(self, preloaded: bool = False) -> None:
        self._forks = preloaded
        self._started: list[Process] = []

    def start(self, name: str, command: Sequence[str], **environment: str) -> Process:
        """Start `command` (its first part an absolute path); `environment` is added to ours."""
        process = Process(name, command, environment)
        self._started.append(process)
        return process

    def serve(self, *options: str) -> Process:
        """Start `steerway serve`, forked where these are `preloaded`."""
        command = [installed("steerway"), "serve", *options]
        process = Process("steerway serve", command, {}, self._forks)
        self._started.append(process)
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._started):
            process.end()


def _spawn(command: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-S", parent_death.__file__, str(os.getpid()), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=variables,
        start_new_session=True,
    )


def installed(name: str) -> str:
    """The path of a command that is installed beside this interpreter."""
    path = Path(sys.executable).with_name(name)
    assert path.is_file(), f"{path} is missing: run make build"
    return str(path)


def _neutral(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if not key.lower().startswith(_DIVERTING)}
