"""Become another command that the kernel kills when the demo dies, even by SIGKILL.

Run by its path (`python -S parent_death.py PARENT_PID COMMAND ARGUMENT…`), never imported by the demo: a
`preexec_fn` would run Python between fork and exec of a process that has gRPC threads, which can deadlock.
The parent-death signal survives exec (prctl(2), PR_SET_PDEATHSIG). Other systems than Linux have no such
signal; there the command merely runs.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tie(parent: int) -> None:
    """Let the kernel kill this process when its parent, which has this number, dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call above: the signal would never be sent
            sys.exit(1)


def main(arguments: list[str]) -> None:
    """Tie this process to the parent named first, then replace it by the command that follows."""
    parent, *command = arguments
    tie(int(parent))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
