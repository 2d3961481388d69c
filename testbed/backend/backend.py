"""Backends as tests see them: open some, close some, end what is left open."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from testbed.process.process import Process, Processes

_PROGRAM = Path(__file__).with_name("backend_program.py")


@dataclass(frozen=True, slots=True)
class Call:
    """A call as a backend saw it."""

    method: str
    metadata: dict[str, str]

    @property
    def retries(self) -> int:
        """Which retry it is, 0 for the first attempt (gRFC A6)."""
        return int(self.metadata.get("grpc-previous-rpc-attempts", 0))


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

    def fail(self, address: str, code: grpc.StatusCode, count: int) -> None:
        """End the next `count` calls of a backend with this status."""
        self._do("fail", address, "fail", code=code.value[0], count=count)

    def block(self, address: str) -> None:
        """Let the calls of a backend wait from now on, until they are released or their clients end them."""
        self._do("block", address, "block")

    def release(self, address: str) -> None:
        """Answer the calls that wait, and all that come."""
        self._do("release", address, "release")

    def report(self, address: str, percent: int, errors: int = 0) -> None:
        """Let a backend report this load with each answer (ORCA, gRFC A51)."""
        self._do("report", address, "report", percent=percent, errors=errors)

    def calls(self, address: str) -> list[Call]:
        """The calls that came to a backend since this was last asked, each attempt of one."""
        return [Call(**call) for call in self._do("calls", address, "calls")]

    def end(self) -> None:
        """Close all that are open, and end their calls."""
        self._do("end", "", "end")

    def _do(self, what: str, address: str, answer: str, **numbers: int) -> Any:
        before = len(self._process.lines)
        self._process.write(json.dumps({"do": what, "address": address, **numbers}))
        lines = self._process.lines
        self._process.wait(lambda: len(lines) > before, f"{what} {address}")
        return json.loads(lines[before])[answer]
