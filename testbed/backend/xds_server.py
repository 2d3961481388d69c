"""xDS servers as tests see them, whichever library they are of: a process for each, as for each pod."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from testbed.client import grpc_client
from testbed.client.grpc_client import Library
from testbed.process.process import Processes

_GRPCIO = Path(__file__).with_name("xds_server_program.py")
REPORTING: frozenset[Library] = frozenset({"grpc-go", "grpc-java", "grpc-js"})
"""Libraries that report their serving status to the program."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Status:
    """A serving status; `error` is the reason where the server does not serve."""

    serving: bool
    error: str


class XdsServer:
    """One process with one server, whose name is the text of its answers. `statuses` has every serving status that the
    library has reported."""

    def __init__(
        self,
        processes: Processes,
        library: Library,
        name: str,
        address: str,
        bootstrap: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """It serves on `address`, which must be a free one; grpc-java serves on all addresses of the host."""
        self.library = library
        self.name = name
        self.address = address
        self.statuses: list[Status] = []
        self.audits: list[dict[str, Any]] = []
        """The lines that grpc-go's audit logger writes (gRFC A59)."""
        self.blocked = 0
        self._closed = False
        self._read = 0
        command = (
            (sys.executable, "-P", str(_GRPCIO)) if library == "grpcio" else grpc_client.program(library)
        )
        variables = {"GRPC_XDS_BOOTSTRAP": str(bootstrap), **(environment or {})}
        self._process = processes.start(f"{library} server {name}", command, **variables)
        self._send("serve", address=address)

    def wait_for_status(self, serving: bool) -> Status:
        """Wait until the newest status is this, of libraries that report it."""
        assert self.library in REPORTING, f"{self.library} reports no status"
        self.wait(
            lambda: self.statuses[-1:] and self.statuses[-1].serving is serving,
            f"a serving status of {serving}",
        )
        return self.statuses[-1]

    def wait_for_blocked(self, count: int) -> None:
        """Wait until so many calls of the method Block wait."""
        self.wait(lambda: self.blocked == count, f"{count} calls that wait")

    def release(self) -> None:
        """Answer the calls that wait."""
        self._send("release")

    def close(self) -> None:
        """Let calls in flight finish, and take no new ones; wait for that."""
        self._send("close")
        self.wait(lambda: self._closed, "its end")

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
            self._take(json.loads(lines[self._read]))
            self._read += 1

    def _take(self, stated: dict[str, Any]) -> None:
        if "grpc_audit_log" in stated:
            self.audits.append(stated["grpc_audit_log"])
        elif "serving" in stated:
            self.statuses.append(Status(stated["serving"], stated["error"]))
        elif "blocked" in stated:
            self.blocked = stated["blocked"]
        else:
            self._closed = self._closed or stated["closed"]

    def _send(self, what: str, **fields: str) -> None:
        self._process.write(json.dumps({"do": what, "server": self.name, **fields}))
