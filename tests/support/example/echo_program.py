"""The clients and servers of examples/ in the hands of a test."""

import itertools
import re

from testbed.manifest import Endpoint
from testbed.process.example_program import Example
from testbed.process.process import Process, Processes

_LISTENING = re.compile(r"^listening on port (\d+)$")
_RESULT = re.compile(r"^(?:OK|code \d+|[A-Z]+(?:_[A-Z]+)+|[A-Z]{5,}) ")
CONSOLE = {
    "OTEL_METRICS_EXPORTER": "console",
    "OTEL_TRACES_EXPORTER": "console",
    "OTEL_METRIC_EXPORT_INTERVAL": "1000",
    # gRFC A72 in grpc-java.
    "GRPC_EXPERIMENTAL_ENABLE_OTEL_TRACING": "true",
}
"""Telemetry on standard output and standard error."""
# A small JVM that starts quickly.
_JVM = "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
_TERMINATED = {0, 143}
"""Exit codes after SIGTERM: a JVM ends with the latter however orderly."""


class Server:
    """A server of an example; it stops `drain_seconds` after SIGTERM."""

    def __init__(
        self, processes: Processes, example: Example, *options: str, drain: str = "1", **environment: str
    ) -> None:
        # Go's flags of time have a unit.
        suffix = "s" if example.language == "go" else ""
        arguments = [*options, "--drain", drain + suffix]
        if "--port" not in options:
            arguments += ["--port", "0"]
        self.process = _start(
            processes, f"{example.language} server", example.command(example.server, *arguments), environment
        )

    def wait_for_port(self) -> int:
        """The port that it listens on, once it does."""

        def port() -> int:
            matches = map(_LISTENING.match, self.process.lines)
            return next((int(match[1]) for match in matches if match), 0)

        return self.process.wait(port, "a line with its port")

    def endpoint(self, **conditions: bool) -> Endpoint:
        return Endpoint(f"127.0.0.1:{self.wait_for_port()}", **conditions)

    def ended(self) -> None:
        """Wait for its orderly end after SIGTERM."""
        code = self.process.ended(60)
        assert code in _TERMINATED, self.process.complaint(f"ended with exit code {code}")


class Client:
    """A client of an example: `results` has the line of each call."""

    def __init__(
        self, processes: Processes, example: Example, target: str, calls: int = 0, **environment: str
    ) -> None:
        command = example.command(example.client, target, str(calls))
        self.process = _start(processes, f"{example.language} client", command, environment)

    @property
    def results(self) -> list[str]:
        return [line for line in self.process.lines if _RESULT.match(line)]

    @property
    def ports(self) -> list[int]:
        """The port of the server that answered, for each call; AssertionError when one has failed."""
        failed = [line for line in self.results if not line.startswith("OK ")]
        assert not failed, self.process.complaint(f"has failed calls: {failed}")
        return [int(line.rpartition(":")[2]) for line in self.results]

    def wait_for_ports(self, *ports: int) -> None:
        """Wait until the next calls were answered by exactly these servers, a few times each."""
        begin = len(self.ports)
        newest = 4 * len(ports)

        def settled() -> bool:
            later = self.ports[begin:]
            return len(later) >= newest and set(later[-newest:]) == set(ports)

        self.process.wait(settled, f"answers of exactly {ports}")

    def ended(self) -> None:
        """Wait for its orderly end, after its calls or SIGTERM."""
        code = self.process.ended(60)
        assert code in _TERMINATED, self.process.complaint(f"ended with exit code {code}")


def output(process: Process) -> str:
    return "\n".join(itertools.chain(process.lines, process.errors))


def _start(processes: Processes, name: str, command: list[str], environment: dict[str, str]) -> Process:
    return processes.start(name, command, **{"JAVA_TOOL_OPTIONS": _JVM, **environment})
