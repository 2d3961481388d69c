"""Programs of the tests that read commands from standard input and report on standard output, a JSON line for each."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from testbed.process.process import Process

_T = TypeVar("_T")


class LineProgram(ABC):
    """One such process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._read = 0

    def send(self, **command: object) -> None:
        self._process.write(json.dumps(command))

    def end(self) -> None:
        """End the process."""
        self._process.end()

    def wait(self, find: Callable[[], _T], what: str) -> _T:
        """Ask `find` after each new line until its answer is true."""

        def look() -> _T:
            self.read()
            return find()

        return self._process.wait(look, what)

    def read(self) -> None:
        """Take what the process has written since the last time."""
        lines = self._process.lines
        while self._read < len(lines):
            document: dict[str, Any] = json.loads(lines[self._read])
            self._read += 1
            self.take(document)

    @abstractmethod
    def take(self, document: dict[str, Any]) -> None:
        """Note one line of the process."""
