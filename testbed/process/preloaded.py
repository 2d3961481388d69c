"""`steerway` as a child that is there in a fraction of the time: forked from a process that has imported its modules.

Where the start itself is the subject, with its time, memory or limits, the command is started instead.
"""

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from testbed.process import parent_death

MAX_REQUEST_BYTES = 1 << 17
_ROOT = Path(__file__).parents[2]
_PROGRAM = "testbed.process.preloaded_program"
_NETWORK = Path("/proc/thread-self/ns/net")


class Child:
    """A child of the preloaded process, as `subprocess.Popen` has its own: the part that `Process` uses."""

    def __init__(self, pid: int, status: int, streams: tuple[IO[str], IO[str], IO[str]]) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = streams
        self._status = status
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its return code, None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the code; TimeoutExpired when it goes on for longer."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("steerway", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _ended(self, seconds: float | None) -> int | None:
        if self._code is None and select.select([self._status], [], [], seconds)[0]:
            # Nothing is written when the preloaded process was killed, and the child with it.
            self._code = int(os.read(self._status, 16) or -signal.SIGKILL)
            os.close(self._status)
        return self._code


class Preloaded:
    """The process that forks, in the network namespace of the thread that starts it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            python = [sys.executable, "-S", parent_death.__file__, str(os.getpid()), sys.executable]
            self._process = subprocess.Popen(
                [*python, "-m", _PROGRAM, str(theirs.fileno())],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        atexit.register(self.close)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Run the command line `arguments`, the name of the program first."""
        pipes = [os.pipe() for _ in range(4)]
        (stdin, our_stdin), (our_stdout, stdout), (our_stderr, stderr), (our_status, status) = pipes
        request = json.dumps({"arguments": [*arguments], "environment": dict(environment)}).encode()
        assert len(request) < MAX_REQUEST_BYTES, f"{len(request)} bytes of environment and arguments"
        with self._lock:
            socket.send_fds(self._control, [request], [stdin, stdout, stderr, status])
            answer = self._control.recv(MAX_REQUEST_BYTES)
        for descriptor in (stdin, stdout, stderr, status):
            os.close(descriptor)
        assert answer, "the preloaded process has ended: its error output is above"
        streams = (
            os.fdopen(our_stdin, "w"),
            os.fdopen(our_stdout, errors="replace"),
            os.fdopen(our_stderr, errors="replace"),
        )
        return Child(json.loads(answer)["pid"], our_status, streams)

    def close(self) -> None:
        """End it, and the children that are left."""
        self._control.close()
        self._process.wait()


def start(arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
    """Start `steerway` in the network namespace of this thread."""
    return _preloaded(_NETWORK.stat().st_ino).start(arguments, environment)


@functools.cache
def _preloaded(_network: int) -> Preloaded:
    return Preloaded()
