"""`steerway serve` as tests see it: started, asked, stopped, killed and started again at the same address."""

import re
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from steerway.cli import cli
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.process.process import Process, Processes, installed

_LISTENING = re.compile(r"listening on (\S+)")
_PLAINTEXT = re.compile(r"listening on (\S+) without TLS")
_ADMIN = re.compile(r"admin on (\S+)")
_REST = re.compile(r"REST discovery on (\S+)")


class ControlPlane:
    """One replica. `options` are flags of `steerway serve` beside the two addresses; `open_files` is its limit of open
    files (None: that of the tests)."""

    def __init__(self, processes: Processes, options: Sequence[str], open_files: int | None = None) -> None:
        self._processes = processes
        self._open_files = open_files
        self._options = options
        self._http = httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS)
        self.start("127.0.0.1:0")

    def start(self, address: str) -> None:
        """Start the process and wait until it has logged its addresses."""
        options = ("--listen", address, "--admin", "127.0.0.1:0", *self._options)
        self.process: Process = (
            self._processes.serve(*options) if self._open_files is None else self._start_limited(options)
        )
        self.address = self._announced(_LISTENING)
        self.admin = self._announced(_ADMIN)

    def stop(self) -> None:
        """SIGTERM, and wait for its orderly end."""
        self.process.signal(signal.SIGTERM)
        code = self.process.ended()
        assert code == 0, self.process.complaint(f"ended with exit code {code}")

    def kill(self) -> None:
        """End it without notice."""
        self.process.signal(signal.SIGKILL)
        self.process.ended()

    def restart(self) -> None:
        """Start it again where it listened before."""
        self.start(self.address)

    def get(self, path: str) -> Any:
        """The JSON answer of the admin server; the body of an error status, too."""
        return self._http.get(f"{self.admin}{path}").json()

    def ready(self) -> bool:
        return bool(self.get("/readyz")["ready"])

    def problems(self) -> list[dict[str, str]]:
        problems: list[dict[str, str]] = self.get("/api/v1/problems")["problems"]
        return problems

    def wait_for_problem(self, where: str, reason: str) -> dict[str, str]:
        """Wait until a problem is reported whose place ends with `where` and whose reason contains `reason`."""

        def matching() -> dict[str, str] | None:
            return next(
                (p for p in self.problems() if p["where"].endswith(where) and reason in p["reason"]), None
            )

        return until(matching, lambda: f"a problem at {where} with {reason!r}, only {self.problems()}") or {}

    def wait_for_no_problem(self) -> None:
        """Wait until no problem is left."""
        until(lambda: not self.problems(), lambda: f"no problem any more: {self.problems()}")

    def streams(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Every client stream; with `kind` (`eds`) only those that asked for this type, and only that of them."""
        streams: list[dict[str, Any]] = self.get("/api/v1/streams" + (f"?type={kind}" if kind else ""))[
            "streams"
        ]
        return streams

    def assert_no_nack(self) -> None:
        """No client has refused anything that it was sent, since the process started."""
        refused = [
            (stream["node"], part["nack"]["message"])
            for stream in self.streams()
            for part in stream["types"]
            if part["nack"]
        ]
        assert not refused, refused
        assert not self.metric("steerway_nacks_total")

    def resources(self, kind: str) -> list[dict[str, Any]]:
        """What is served of one type, with what is known to be absent."""
        resources: list[dict[str, Any]] = self.get(f"/api/v1/resources?type={kind}")["resources"]
        return resources

    def bodies(self, kind: str, name: str) -> list[dict[str, Any]]:
        """The variants of one resource that are served now, in protobuf's JSON mapping."""
        variants = self.get(f"/api/v1/resources/{kind}/{name}").get("variants", [])
        return [variant["body"] for variant in variants if variant["body"]]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of a metric that have these labels."""
        families = text_string_to_metric_families(self._http.get(f"{self.admin}/metrics").text)
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def bootstrap(self, file: Path, *options: str, before: Sequence[str] = (), server: str = "") -> Path:
        """Write the file that `steerway bootstrap` prints for clients of this server, at `server` instead of `address`,
        which try the servers `before` first.

        The command runs in this process: tests make hundreds of these files.
        """
        addresses = (*before, server or self.address)
        servers = [part for address in addresses for part in ("--server", address)]
        printed = CliRunner().invoke(cli, ["bootstrap", *servers, *options])
        assert printed.exit_code == 0, printed.output
        file.write_text(printed.stdout)
        return file

    def close(self) -> None:
        self._http.close()

    def plaintext_address(self) -> str:
        """`HOST:PORT` of the address without TLS, which `options` asked for."""
        return self._announced(_PLAINTEXT)

    def rest_address(self) -> str:
        """`http://HOST:PORT` of REST discovery, which `options` asked for."""
        return self._announced(_REST)

    def _start_limited(self, options: Sequence[str]) -> Process:
        limited = ["/bin/sh", "-c", f'ulimit -n {self._open_files}; exec "$@"', "sh"]
        return self._processes.start("steerway serve", [*limited, installed("steerway"), "serve", *options])

    def _announced(self, pattern: re.Pattern[str]) -> str:
        def find() -> str | None:
            return next((match[1] for line in self.process.lines if (match := pattern.search(line))), None)

        return self.process.wait(find, f"a line like {pattern.pattern!r}") or ""


Steer = Callable[..., ControlPlane]
"""Starts a control plane with the given options; tests get it as a fixture."""
