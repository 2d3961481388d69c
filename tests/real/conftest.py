"""The real parts that a test puts together: backends, manifest files, steerway, and clients of gRPC libraries."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Client, Library
from testbed.manifest import NAMESPACE, Files
from testbed.process.control_plane import ControlPlane, Steer
from testbed.process.process import Processes

Serve = Callable[..., list[str]]
Connect = Callable[..., Client]


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Every process of the test; all are ended with it."""
    with Processes(preloaded=True) as started:
        yield started


@pytest.fixture(scope="session")
def backend_process() -> Iterator[Backends]:
    """The process of the backends of all tests."""
    with Processes() as started:
        yield Backends(started)


@pytest.fixture
def backends(backend_process: Backends) -> Iterator[Backends]:
    """Real gRPC servers on loopback; those that are left open end with the test."""
    yield backend_process
    backend_process.end()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """The directory of manifests."""
    directory = tmp_path / "manifests"
    directory.mkdir()
    return Files(directory)


@pytest.fixture
def serve(backends: Backends, files: Files) -> Serve:
    """Publishes Services with a backend each and returns the backends: `a, b = serve("a", "b", namespace="shop")`."""

    def publish(*names: str, namespace: str = NAMESPACE) -> list[str]:
        addresses = backends.open(len(names))
        for name, address in zip(names, addresses, strict=True):
            files.publish([address], name, namespace)
        return addresses

    return publish


@pytest.fixture
def steer(request: pytest.FixtureRequest, processes: Processes, files: Files) -> Iterator[Steer]:
    """Starts steerway on the directory of manifests: `steer("--unsubscribe-grace-seconds", "1")`.

    Whatever the test was about, gRPC clients have refused nothing.
    """
    running: list[ControlPlane] = []

    def start(*options: str, open_files: int | None = None) -> ControlPlane:
        running.append(ControlPlane(processes, ["--files", str(files.directory), *options], open_files))
        return running[-1]

    yield start
    for plane in running:
        if "connect" in request.fixturenames and plane.process.running:
            plane.assert_no_nack()
    for plane in running:
        plane.close()


def _built(library: Library, part: str) -> object:
    """The parameter of a client that its first test builds, which takes up to minutes once."""
    return pytest.param(library, marks=[pytest.mark.needs(part), pytest.mark.timeout(900)])


GRPC_GO = _built("grpc-go", "go")
GRPC_JAVA = _built("grpc-java", "java")
GRPC_JS = _built("grpc-js", "node")


def by(*libraries: object) -> pytest.MarkDecorator:
    """Run the test with clients of these libraries instead of with the two that every test of `connect` runs with."""
    return pytest.mark.parametrize("connect", libraries, indirect=True)


EVERY_LIBRARY = by("grpcio", GRPC_GO, GRPC_JAVA, GRPC_JS)


@pytest.fixture(params=["grpcio", GRPC_GO])
def connect(request: pytest.FixtureRequest, processes: Processes, tmp_path: Path) -> Connect:
    """Starts a client of steerway, in the namespace of the manifests; the test runs once for each library.

    The client keeps what disappears (gRFC A53), as the bootstrap asks it to, unless `keeps_deleted` is false.
    `before` are addresses of servers that it tries first.
    """
    library: Library = request.param
    numbers = itertools.count()

    def start(
        plane: ControlPlane,
        *options: str,
        keeps_deleted: bool = True,
        before: Sequence[str] = (),
        **environment: str,
    ) -> Client:
        file = tmp_path / f"bootstrap-{next(numbers)}.json"
        bootstrap = plane.bootstrap(file, "--namespace", NAMESPACE, *options, before=before)
        if not keeps_deleted:
            content = json.loads(file.read_text())
            for server in content["xds_servers"]:
                server["server_features"].remove("ignore_resource_deletion")
            file.write_text(json.dumps(content))
        return Client(processes, library, bootstrap, environment)

    return start
