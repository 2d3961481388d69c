"""steerway with its webhook, installed from the manifests of `deploy/injection`."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest
import yaml

from testbed.cluster.cluster import Cluster
from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest, service, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.process import Processes

DEPLOY = Path(__file__).parents[3] / "deploy" / "injection"
LABEL = "steerway.io/inject"
WEBHOOK, XDS = 18443, 18000
_ADDRESS = "10.244.202.%d"

Create = Callable[..., Manifest]


class Mesh:
    """The namespace of steerway, with its account, and the replicas that run there."""

    def __init__(self, namespace: Namespace, processes: Processes) -> None:
        self.namespace = namespace
        self.api = namespace.api
        self._processes = processes
        self._account = namespace.account()
        self._account.allow("services", "pods", "nodes", "endpointslices", everywhere=True)
        self._everywhere: set[tuple[str, str]] = set()
        self.planes: list[ControlPlane] = []
        self.server = f"steerway.{namespace.name}.svc.cluster.local:{XDS}"

    def manifests(self, name: str) -> list[Manifest]:
        """The objects of a file of `deploy/injection`, in the namespace of this installation."""
        text = (DEPLOY / name).read_text().replace("mesh-system", self.namespace.name)
        documents = [document for document in yaml.safe_load_all(text) if document]
        assert documents
        return documents

    def install(self, *files: str) -> None:
        """Apply files of `deploy/injection`, as Helm does."""
        for manifest in (manifest for file in files for manifest in self.manifests(file)):
            self.api.apply(manifest, manager="helm", force=False)
            if "namespace" not in manifest["metadata"]:
                self._everywhere.add((manifest["kind"], manifest["metadata"]["name"]))

    def start(self, count: int) -> None:
        """Start replicas behind the Service, as this account."""
        hosts = [_ADDRESS % (index + 1) for index in range(count)]
        source = ["--kubernetes", "--kubeconfig", str(self._account.kubeconfig()), "--namespace", "all"]
        source += ["--no-policies", "--injection-servers", self.server]
        for host in hosts:
            addresses = ["--injection-listen", f"{host}:{WEBHOOK}", "--listen", f"{host}:{XDS}"]
            self.planes.append(ControlPlane(self._processes, [*source, *addresses]))
        ports = {"xds": XDS, "injection": WEBHOOK}
        self.api.apply(service("steerway", ports, namespace=self.namespace.name))
        for name, port in ports.items():
            endpoints = [f"{host}:{port}" for host in hosts]
            self.api.apply(*slices("steerway", endpoints, name, self.namespace.name))

    def bundles(self) -> set[str]:
        """The distinct values of `caBundle`."""
        configuration = self.api.get("MutatingWebhookConfiguration", "", "steerway-injection")
        return {webhook["clientConfig"].get("caBundle", "") for webhook in configuration["webhooks"]}

    def remove(self) -> None:
        """Delete what is not in the namespace, and the namespace."""
        for plane in self.planes:
            plane.close()
        for kind, name in self._everywhere:
            self.api.delete(kind, "", name)
        self.namespace.delete()


@pytest.fixture(scope="module")
def mesh(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """One installation for the tests of a module, which installs webhook or policy."""
    with Processes() as processes:
        with cluster.network.entered():
            created = Mesh(Namespace(cluster, tmp_path_factory.mktemp("mesh")), processes)
        yield created
        with cluster.network.entered():
            created.remove()


@pytest.fixture
def create(namespace: Namespace) -> Create:
    """Creates a pod in the test's namespace, which is a dry run unless it has a command."""

    def pod(
        *command: str,
        label: str = "",
        annotations: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Manifest:
        variables = [{"name": key, "value": value} for key, value in (env or {}).items()]
        container = {"name": "client", "image": "none", "env": variables, "command": list(command)}
        metadata = {
            "generateName": "client-",
            "namespace": namespace.name,
            "labels": {"app": "client", **({LABEL: label} if label else {})},
            "annotations": dict(annotations or {}),
        }
        spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        return namespace.api.create(manifest, dry_run=not command)

    return pod


def variables(pod: Manifest) -> dict[str, str]:
    """The names and values of the variables of its container."""
    (container,) = pod["spec"]["containers"]
    return {variable["name"]: variable.get("value", "") for variable in container.get("env", [])}


def label(namespace: Namespace, value: str) -> None:
    """Set the label of a namespace."""
    namespace.api.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace.name, "labels": {LABEL: value}},
        },
        manager="label",
    )


def metric(plane: ControlPlane, name: str) -> float:
    """The sum of a metric's samples."""
    text = httpx.get(f"{plane.admin}/metrics", trust_env=False).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name}{{"))
