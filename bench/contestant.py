"""The servers that are compared. A new one is one more entry in `CONTESTANTS`.

A server is a child process that prints where it listens and is told of changes: by a line on its standard
input, or by files, as a user of `steerway serve` would.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import mesh
from bench.build import Programs
from bench.child import Child, ChildError
from bench.plan import Change, Plan

_LISTENING = re.compile(r"\blistening (?:on )?(\S+:\d+)")
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it is, whom to measure, how to change it."""

    pid: int
    address: str
    apply: Callable[[Change], None]


@dataclass(frozen=True, slots=True)
class Contestant:
    """`key` names it on the command line, `title` in tables. `raw`: its clients do not
    speak xDS. `go`: it is built with Go."""

    key: str
    title: str
    start: Callable[[Plan, Programs], AbstractContextManager[Server]]
    raw: bool = False
    go: bool = False


@contextmanager
def _obeying(command: list[str | Path]) -> Iterator[Server]:
    with Child(command) as child:
        address = child.hear(_LISTENING, _START_SECONDS)[1]
        yield Server(child.pid, address, lambda change: child.say(change.set_line))


def _engine(plan: Plan, _programs: Programs) -> AbstractContextManager[Server]:
    return _obeying([sys.executable, "-m", "bench.engine_server", str(plan.services), str(plan.endpoints)])


def _go_control_plane(cache: str) -> Callable[[Plan, Programs], AbstractContextManager[Server]]:
    def start(plan: Plan, programs: Programs) -> AbstractContextManager[Server]:
        assert programs.go_control_plane is not None
        options = ["-cache", cache, "-services", str(plan.services), "-endpoints", str(plan.endpoints)]
        return _obeying([programs.go_control_plane, *options])

    return start


def _floor(plan: Plan, programs: Programs) -> AbstractContextManager[Server]:
    return _obeying([programs.floor, "--bytes", str(mesh.update_bytes(plan.endpoints))])


@contextmanager
def _product(plan: Plan, _programs: Programs) -> Iterator[Server]:
    beside = Path(sys.executable).with_name("steerway")
    command = beside if beside.is_file() else shutil.which("steerway")
    if command is None:
        raise ChildError("found no steerway command: install the package first (make build)")
    with tempfile.TemporaryDirectory(prefix="steerway-bench-") as folder:
        manifests = Manifests(Path(folder), plan)
        loopback = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
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
LINEAR_CACHE = "linearcache"
SNAPSHOT = "snapshot"
SNAPSHOT_PER_NODE = "snapshot-per-node"
FLOOR = "floor"
CONTESTANTS = (
    Contestant(ENGINE, "steerway, engine alone", _engine),
    Contestant(LINEAR_CACHE, "go-control-plane LinearCache", _go_control_plane("linear"), go=True),
    Contestant(
        SNAPSHOT, "go-control-plane SnapshotCache, one for all", _go_control_plane("snapshot"), go=True
    ),
    Contestant(
        SNAPSHOT_PER_NODE,
        "go-control-plane SnapshotCache, one per node",
        _go_control_plane("snapshot-per-node"),
        go=True,
    ),
    Contestant(FLOOR, "raw TCP fan-out (floor)", _floor, raw=True),
    Contestant("product", "steerway serve, from files", _product),
)
"""In the order in which they take turns within a round."""
