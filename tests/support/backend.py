"""Backends as tests see them: open some, close some; what is left open ends with the test."""

import json
import sys
from pathlib import Path

from tests.support.process import Process, Processes

_PROGRAM = Path(__file__).with_name("backend_program.py")


class Backends:
    """Real gRPC servers on loopback, named by their address (`127.0.0.1:40001`, `[::1]:40002`)."""

    def __init__(self, processes: Processes) -> None:
        self._process: Process = processes.start("backends", [sys.executable, "-P", str(_PROGRAM)])

    def open(self, count: int, host: str = "127.0.0.1") -> list[str]:
        """Open `count` backends on free ports of `host` and return their addresses."""
        return [self._do("open", f"{host}:0", "open") for _ in range(count)]

    def reopen(self, address: str) -> None:
        """Open a backend at an address that was closed."""
        assert self._do("open", address, "open") == address

    def close(self, *addresses: str) -> None:
        """Stop these as a server stops on SIGTERM, and return when no call is left in them."""
        for address in addresses:
            self._do("close", address, "closed")

    def _do(self, what: str, address: str, answer: str) -> str:
        before = len(self._process.lines)
        self._process.write(json.dumps({"do": what, "address": address}))
        lines = self._process.lines
        self._process.wait(lambda: len(lines) > before, f"{what} {address}")
        result: str = json.loads(lines[before])[answer]
        return result
