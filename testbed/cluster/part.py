"""One process of the cluster: it writes to a log file, and its end is always SIGKILL.

On SIGTERM an API server with open watches drains for a minute, and nothing here has a state worth an orderly end.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from testbed.process import parent_death

_SHOWN_BYTES = 4000


class Part:
    """A running part. With `ends_with_parent` it dies with this process, however that ends."""

    def __init__(self, name: str, command: Sequence[str], log: Path, ends_with_parent: bool) -> None:
        self.name = name
        self._log = log
        tied = [sys.executable, "-S", parent_death.__file__, str(os.getpid())] if ends_with_parent else []
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [*tied, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def check(self) -> None:
        """AssertionError, with the end of its log, when it has ended."""
        code = self._child.poll()
        assert code is None, f"{self.name} ended with exit code {code}:\n{self.log()}"

    def log(self) -> str:
        """The end of what it wrote."""
        return self._log.read_bytes()[-_SHOWN_BYTES:].decode(errors="replace")

    def wrote(self, pattern: str) -> bool:
        """Whether a line of its log matches."""
        return re.search(pattern, self._log.read_text(errors="replace"), re.MULTILINE) is not None

    def stop(self) -> None:
        """Let it hang: its kernel accepts connections and answers keepalive, the process does nothing."""
        self._child.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End `stop`."""
        self._child.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it and wait. Killing it twice does no harm."""
        self._child.send_signal(signal.SIGKILL)
        self._child.wait()
