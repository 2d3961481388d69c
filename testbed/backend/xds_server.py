"""xDS servers as tests see them, whichever library they are of: a process for each, as for each pod."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.client import grpc_client
from testbed.client.grpc_client import Library
from testbed.process.line_program import LineProgram
from testbed.process.process import Processes

_GRPCIO = Path(__file__).with_name("xds_server_program.py")
REPORTING: frozenset[Library] = frozenset({"grpc-go", "grpc-java", "grpc-js"})
"""Libraries that report their serving status to the program."""


@dataclass(frozen=True, slots=True)
class Status:
    """A serving status; `error` is the reason where the server does not serve."""

    serving: bool
    error: str


class XdsServer:
    """One server, whose name is the text of its answers. `statuses` has every serving status that the library has
    reported."""

    def __init__(self, program: "XdsProgram", name: str, address: str) -> None:
        self.program = program
        self.name = name
        self.address = address
        self.statuses: list[Status] = []
        self.blocked = 0
        self.closed = False
        self._send("serve", address=address)

    def wait_for_status(self, serving: bool) -> Status:
        """Wait until the newest status is this, of libraries that report it."""
        assert self.program.library in REPORTING, f"{self.program.library} reports no status"
        self.program.wait(
            lambda: self.statuses[-1:] and self.statuses[-1].serving is serving,
            f"a serving status of {serving}",
        )
        return self.statuses[-1]

    def wait_for_blocked(self, count: int) -> None:
        """Wait until so many calls of the method Block wait."""
        self.program.wait(lambda: self.blocked == count, f"{count} calls that wait")

    def release(self) -> None:
        """Answer the calls that wait."""
        self._send("release")
        self.blocked = 0

    def close(self) -> None:
        """Let calls in flight finish, and take no new ones; wait for that."""
        self._send("close")
        self.program.wait(lambda: self.closed, "its end")

    def take(self, stated: dict[str, Any]) -> None:
        """Note one line of the process about this server."""
        if "serving" in stated:
            self.statuses.append(Status(stated["serving"], stated["error"]))
        elif "blocked" in stated:
            self.blocked = stated["blocked"]
        else:
            self.closed = True

    def _send(self, what: str, **fields: str) -> None:
        self.program.send(do=what, server=self.name, **fields)


class XdsProgram(LineProgram):
    """One process of servers, which share the bootstrap file and with that their identity."""

    def __init__(
        self,
        processes: Processes,
        library: Library,
        bootstrap: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.library = library
        self.audits: list[dict[str, Any]] = []
        """The lines that grpc-go's audit logger writes (gRFC A59)."""
        self._servers: dict[str, XdsServer] = {}
        command = (
            (sys.executable, "-P", str(_GRPCIO)) if library == "grpcio" else grpc_client.program(library)
        )
        variables = {"GRPC_XDS_BOOTSTRAP": str(bootstrap), **(environment or {})}
        super().__init__(processes.start(f"{library} server", command, **variables))

    def serve(self, name: str, address: str) -> XdsServer:
        """A server at a free address; one of grpc-java listens on all addresses of the host."""
        server = self._servers[name] = XdsServer(self, name, address)
        return server

    @property
    def running(self) -> bool:
        return self._process.running

    def take(self, document: dict[str, Any]) -> None:
        """Give a line to the server that it is about."""
        if "grpc_audit_log" in document:
            self.audits.append(document["grpc_audit_log"])
        else:
            self._servers[document["server"]].take(document)
