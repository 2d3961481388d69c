"""The parts of a test on a real API server: one cluster for all tests, and for each a namespace and what it starts.

Every test runs inside of the cluster's network namespace as a whole, see `network.py`.
"""

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Client, Library, program
from testbed.cluster import kubeconfig, network
from testbed.cluster.build import build
from testbed.cluster.cluster import Cluster
from testbed.cluster.command import API_SERVER, SERVER_NAME
from testbed.cluster.forwarder import Forwarder
from testbed.cluster.gateway_crds import gateway_crds, install, policy_crds
from testbed.cluster.namespace import Namespace
from testbed.cluster.network import Network
from testbed.cluster.workload import PORT
from testbed.helm import tools
from testbed.process.control_plane import ControlPlane, Steer
from testbed.process.process import Processes
from tests.support.progress import past_capture

Connect = Callable[..., Client]
Open = Callable[..., list[str]]

# The first test waits until the cluster is built, which takes minutes once and is no part of any test's time.
NEEDS_CLUSTER = [pytest.mark.needs("kubernetes"), pytest.mark.timeout(300, func_only=True)]
"""The marks of every module of tests here."""
IMAGE = "test/box"
"""An image with a root file system of its own: one static program, which waits for SIGTERM."""
_NAMES = "steerway-test-"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with kinds of their own come last here: with them an API server that was killed, and its controllers, take
    longer to come back."""
    indices = [index for index, item in enumerate(items) if Path(__file__).parent in item.path.parents]
    ordered = sorted((items[index] for index in indices), key=lambda item: "kinds" in _fixtures(item))
    for index, item in zip(indices, ordered, strict=True):
        items[index] = item


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


@pytest.fixture(scope="session")
def box(request: pytest.FixtureRequest) -> Path:
    """The kubebox program."""
    return build(past_capture(request.config))


@pytest.fixture(scope="session")
def grpc_go() -> str:
    """The client in grpc-go. It is built before a test is inside of the cluster's network, where no module proxy is."""
    return program("grpc-go")[0]


@pytest.fixture(scope="session")
def helmbox(request: pytest.FixtureRequest) -> Path:
    """The program of Helm, kustomize and kubectl. It is built before a test is inside of the cluster's network, where
    no module proxy is."""
    return tools.build(past_capture(request.config))


@pytest.fixture(scope="session")
def images(box: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Root file systems by image name; other images have this machine's files."""
    root = tmp_path_factory.mktemp("image") / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy(box, root / "bin" / "box")
    config = {
        "User": "65532:65532",
        "Entrypoint": ["/bin/box", "pause"],
        "Env": ["PATH=/bin", "MODE=test"],
        "WorkingDir": "/bin",
    }
    root.with_name("root.json").write_text(json.dumps({"config": config}))
    return {IMAGE: root}


@pytest.fixture(scope="session")
def cluster(
    box: Path, images: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """The cluster of this test run. Those of runs that were killed have died with them; their names go here."""
    for stale in network.named(_NAMES):
        if not Path(f"/proc/{stale.name.removeprefix(_NAMES)}").exists():
            stale.delete()
    own = Network(f"{_NAMES}{os.getpid()}")
    running = Cluster(box, tmp_path_factory.mktemp("cluster"), own, ends_with_parent=True, images=images)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(autouse=True)
def inside(cluster: Cluster) -> Iterator[None]:
    """Everything of the test happens in the cluster's network namespace, the other fixtures of the test included."""
    with cluster.network.entered():
        yield


@pytest.fixture(scope="session")
def kinds(cluster: Cluster) -> None:
    """The Gateway API's experimental channel and our kinds, from here on: an API server takes a minute to forget
    some kind. They are fetched before anything is inside of the cluster's network."""
    definitions = [*gateway_crds(), *policy_crds()]
    with cluster.network.entered():
        install(cluster.api, definitions)


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Every process of the test; all are ended with it."""
    with Processes(preloaded=True) as started:
        yield started


@pytest.fixture
def namespace(cluster: Cluster, tmp_path: Path) -> Iterator[Namespace]:
    """A Kubernetes namespace of the test's own."""
    created = Namespace(cluster, tmp_path)
    yield created
    created.delete()


@pytest.fixture
def forwarder() -> Iterator[Forwarder]:
    """The way from steerway to the API server; see `linked`."""
    with Forwarder(API_SERVER.removeprefix("https://")) as forwarding:
        yield forwarding


@pytest.fixture
def linked(cluster: Cluster, forwarder: Forwarder, tmp_path: Path) -> Path:
    """A kubeconfig that leads through `forwarder`."""
    server, user = f"https://{forwarder.address}", {"token": cluster.token}
    certificate = cluster.commands.certificate
    return kubeconfig.write(
        tmp_path / "linked.kubeconfig", server, certificate, user, server_name=SERVER_NAME
    )


@pytest.fixture(scope="session")
def backend_process(cluster: Cluster) -> Iterator[Backends]:
    """The process of the backends of all tests."""
    with Processes() as started:
        with cluster.network.entered():
            opened = Backends(started)
        yield opened


@pytest.fixture
def open_backends(backend_process: Backends) -> Iterator[Open]:
    """Opens real gRPC servers on pod addresses: `open_backends(3)`, `open_backends(1, "fd00:10::%x")`. Those that are
    left open end with the test."""
    numbers = itertools.count(1)

    def start(count: int, pattern: str = "10.244.200.%d") -> list[str]:
        hosts = [pattern % next(numbers) for _ in range(count)]
        addresses = [f"[{host}]:{PORT}" if ":" in host else f"{host}:{PORT}" for host in hosts]
        for address in addresses:
            backend_process.reopen(address)
        return addresses

    yield start
    backend_process.end()


@pytest.fixture
def steer(cluster: Cluster, processes: Processes) -> Iterator[Steer]:
    """Starts steerway on the API server: `steer("--namespace", "shop", kubeconfig=FILE)`; by default on everything."""
    running: list[ControlPlane] = []

    def start(*options: str, kubeconfig: Path = cluster.commands.kubeconfig) -> ControlPlane:
        scope = options if "--namespace" in options else (*options, "--namespace", "all")
        source = ["--kubernetes", "--kubeconfig", str(kubeconfig), *scope]
        running.append(ControlPlane(processes, source))
        return running[-1]

    yield start
    for plane in running:
        plane.close()


@pytest.fixture
def connect(processes: Processes, namespace: Namespace, tmp_path: Path) -> Connect:
    """Starts a client in the test's namespace: `connect(plane)`, or with `grpc_go` `connect(plane, "grpc-go")`. Clients
    have the `node_id` that is given, or one each."""
    numbers = itertools.count(1)

    def start(plane: ControlPlane, library: Library = "grpcio", zone: str = "", node_id: str = "") -> Client:
        file = tmp_path / f"bootstrap-{next(numbers)}.json"
        locality = ["--namespace", namespace.name, *(["--zone", zone] if zone else [])]
        locality += ["--node-id", node_id] if node_id else []
        return Client(processes, library, plane.bootstrap(file, *locality))

    return start
