"""Starts `steerway` by forking: this process has imported all modules of `steerway serve`, which is most of its start.

Run as `python -m testbed.process.preloaded_program DESCRIPTOR` with one end of a pair of SOCK_SEQPACKET sockets. A
request is a JSON object and four descriptors::

    {"arguments": [...], "environment": {...}} + standard input, output, error output, status  → {"pid": 40001}

The child is what `steerway ARGUMENTS` would be: in a session of its own, with these arguments and this environment.
When it ends its return code is written to `status` as a number, negative for a signal. All children end with this
process, which ends with the socket.
"""

import json
import os
import selectors
import signal
import socket
import sys

import steerway.app  # noqa: F401
from steerway.cli import main
from testbed.process import parent_death
from testbed.process.preloaded import MAX_REQUEST_BYTES

_DESCRIPTORS = 4


class Children:
    """The running children: their descriptors (pidfd_open(2)), numbers and where to write how they ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._running: dict[int, tuple[int, int]] = {}

    def serve(self) -> list[str] | None:
        """Answer requests until the socket ends: None. In a child the answer is what it shall run."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._control:
                    self._reap(key.fd)
                    continue
                message, descriptors, _, _ = socket.recv_fds(self._control, MAX_REQUEST_BYTES, _DESCRIPTORS)
                if not message:
                    return None
                if arguments := self._start(json.loads(message), descriptors):
                    return arguments

    def _start(self, request: dict[str, object], descriptors: list[int]) -> list[str] | None:
        *streams, status = descriptors
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            self._leave(status)
            return _become(request, streams, parent)
        for stream in streams:
            os.close(stream)
        watched = os.pidfd_open(pid)
        self._running[watched] = pid, status
        self._selector.register(watched, selectors.EVENT_READ)
        self._control.send(json.dumps({"pid": pid}).encode())
        return None

    def _reap(self, watched: int) -> None:
        pid, status = self._running.pop(watched)
        _, code = os.waitpid(pid, 0)
        os.write(status, str(os.waitstatus_to_exitcode(code)).encode())
        self._selector.unregister(watched)
        os.close(watched)
        os.close(status)

    def _leave(self, status: int) -> None:
        """Close in a child what belongs to its parent."""
        self._selector.close()
        self._control.close()
        os.close(status)
        for watched, (_, other) in self._running.items():
            os.close(watched)
            os.close(other)


def _become(request: dict[str, object], streams: list[int], parent: int) -> list[str]:
    os.setsid()
    parent_death.tie(parent)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    arguments, environment = request["arguments"], request["environment"]
    assert isinstance(arguments, list)
    assert isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)
    return arguments


if __name__ == "__main__":
    # Ctrl-C in a terminal is for the tests, which end this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    given = Children(socket.socket(fileno=int(sys.argv[1]))).serve()
    if given is not None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = given
        sys.exit(main())
