"""The servers that are compared. A new one is one more entry in `CONTESTANTS`.

A server is a child process that prints where it listens and gets changes: by a line on its standard
input, or by files, as a user of `steerway serve` would.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import mesh
from bench.build import Programs
from bench.child import Child, ChildError
from bench.plan import Change, Plan
from bench.server import certificate

_LISTENING = re.compile(r"\blistening (?:on )?(\S+:\d+)")
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its address, the process to measure, how to change it, the authority of its TLS certificate."""

    pid: int
    address: str
    apply: Callable[[Change], None]
    authority: Path | None = None


Command = Callable[[Plan, Programs], list[str | Path]]
Start = Callable[[Plan, Programs], AbstractContextManager[Server]]


@dataclass(frozen=True, slots=True)
class Contestant:
    """`key` names it on the command line, `title` in tables. `raw`: its clients do not
    speak xDS. `go`: it is built with Go."""

    key: str
    title: str
    start: Start
    raw: bool = False
    go: bool = False


@contextmanager
def _obeying(command: list[str | Path]) -> Iterator[Server]:
    with Child(command) as child:
        address = child.hear(_LISTENING, _START_SECONDS)[1]
        yield Server(child.pid, address, lambda change: child.write_line(change.set_line))


def _plain(command: Command) -> Start:
    return lambda plan, programs: _obeying(command(plan, programs))


def _tls(command: Command, certificate_option: str, key_option: str) -> Start:
    @contextmanager
    def start(plan: Plan, programs: Programs) -> Iterator[Server]:
        with certificate.issue() as made:
            files: list[str | Path] = [certificate_option, made.certificate, key_option, made.key]
            with _obeying([*command(plan, programs), *files]) as server:
                yield replace(server, authority=made.authority)

    return start


def _engine(plan: Plan, _programs: Programs) -> list[str | Path]:
    sizes = ["--services", str(plan.services), "--endpoints", str(plan.endpoints)]
    return [sys.executable, "-m", "bench.server.engine_server", *sizes]


def _go_control_plane(cache: str) -> Command:
    def command(plan: Plan, programs: Programs) -> list[str | Path]:
        assert programs.go_control_plane is not None
        options = ["-cache", cache, "-services", str(plan.services), "-endpoints", str(plan.endpoints)]
        return [programs.go_control_plane, *options]

    return command


def _floor(plan: Plan, programs: Programs) -> list[str | Path]:
    return [programs.floor, "--bytes", str(mesh.update_bytes(plan.endpoints))]


def steerway_command() -> str | Path:
    """The product's program; ChildError when it is not installed."""
    beside = Path(sys.executable).with_name("steerway")
    command = beside if beside.is_file() else shutil.which("steerway")
    if command is None:
        raise ChildError("found no steerway command: install the package first (make build)")
    return command


@contextmanager
def _product(plan: Plan, _programs: Programs) -> Iterator[Server]:
    command = steerway_command()
    with tempfile.TemporaryDirectory(prefix="steerway-bench-") as folder:
        manifests = Manifests(Path(folder), plan)
        # All clients of a measurement have one address.
        loopback = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--max-connections-per-address", "0"]
        with Child([command, "serve", "--files", folder, "--log-level", "warning", *loopback]) as child:
            yield Server(child.pid, child.hear(_LISTENING, _START_SECONDS)[1], manifests.apply)


class Manifests:
    """One file per Service and one per EndpointSlice; a change replaces files whole, by renaming."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder = folder
        self._addresses = [mesh.first_addresses(service, plan.endpoints) for service in range(plan.services)]
        for service in range(plan.services):
            (folder / f"service-{service}.json").write_text(mesh.service_manifest(service))
            self._write(service)

    def apply(self, change: Change) -> None:
        for service in change.services:
            self._addresses[service][change.endpoint] = change.address
            self._write(service)

    def _write(self, service: int) -> None:
        new = self._folder / f".slice-{service}.new"
        new.write_text(mesh.slice_manifest(service, self._addresses[service]))
        new.replace(self._folder / f"slice-{service}.json")


ENGINE = "engine"
ENGINE_TLS = "engine-tls"
LINEAR_CACHE = "linearcache"
LINEAR_CACHE_TLS = "linearcache-tls"
SNAPSHOT = "snapshot"
SNAPSHOT_PER_NODE = "snapshot-per-node"
FLOOR = "floor"
_LINEAR = _go_control_plane("linear")
CONTESTANTS = (
    Contestant(ENGINE, "steerway, engine alone", _plain(_engine)),
    Contestant(ENGINE_TLS, "steerway, engine alone, TLS", _tls(_engine, "--certificate", "--key")),
    Contestant(LINEAR_CACHE, "go-control-plane LinearCache", _plain(_LINEAR), go=True),
    Contestant(
        LINEAR_CACHE_TLS, "go-control-plane LinearCache, TLS", _tls(_LINEAR, "-certificate", "-key"), go=True
    ),
    Contestant(
        SNAPSHOT,
        "go-control-plane SnapshotCache, one for all",
        _plain(_go_control_plane("snapshot")),
        go=True,
    ),
    Contestant(
        SNAPSHOT_PER_NODE,
        "go-control-plane SnapshotCache, one per node",
        _plain(_go_control_plane("snapshot-per-node")),
        go=True,
    ),
    Contestant(FLOOR, "raw TCP fan-out (floor)", _plain(_floor), raw=True),
    Contestant("product", "steerway serve, from files", _product),
)
"""In the order in which they take turns within a round."""
