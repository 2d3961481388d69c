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
from testbed.process.deadline import until
from testbed.process.process import Processes
from tests.cluster.conftest import Open
from tests.cluster.injection.client_pod import LABEL, Clients

DEPLOY = Path(__file__).parents[3] / "deploy" / "injection"
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
        self._account.allow("namespaces", "services", "pods", "nodes", "endpointslices", everywhere=True)
        self._everywhere: set[tuple[str, str]] = set()
        self.planes: list[ControlPlane] = []
        self.server = f"steerway.{namespace.name}.svc.cluster.local:{XDS}"

    def manifests(self, name: str) -> list[Manifest]:
        """The objects of a file of `deploy/injection`, in the namespace of this installation."""
        text = (DEPLOY / name).read_text().replace("steerway-system", self.namespace.name)
        documents = [document for document in yaml.safe_load_all(text) if document]
        assert documents
        return documents

    def allow_token_reviews(self) -> None:
        """Let steerway verify the tokens of clients."""
        name = f"{self.namespace.name}-token-reviews"
        group = "rbac.authorization.k8s.io"
        rule = {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
        subject = {"kind": "ServiceAccount", "name": "steerway", "namespace": self.namespace.name}
        role = {"kind": "ClusterRole", "rules": [rule]}
        reference = {"apiGroup": group, "kind": "ClusterRole", "name": name}
        binding = {"kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]}
        for manifest in (role, binding):
            self.api.apply({"apiVersion": f"{group}/v1", "metadata": {"name": name}, **manifest})
            self._everywhere.add((str(manifest["kind"]), name))

    def install(self, *files: str) -> None:
        """Apply files of `deploy/injection`."""
        self.apply(*(manifest for file in files for manifest in self.manifests(file)))

    def apply(self, *manifests: Manifest) -> None:
        """Apply objects, as Helm does."""
        for manifest in manifests:
            self.api.apply(manifest, manager="helm", force=False)
            if "namespace" not in manifest["metadata"]:
                self._everywhere.add((manifest["kind"], manifest["metadata"]["name"]))

    def start(self, count: int, *options: str) -> None:
        """Start replicas behind the Service, as this account; without `options` for plaintext clients."""
        hosts = [_ADDRESS % (index + 1) for index in range(count)]
        source = ["--kubernetes", "--kubeconfig", str(self._account.kubeconfig()), "--namespace", "all"]
        source += [
            "--no-policies",
            "--drain-seconds",
            "0",
            *(options or ("--injection-servers", self.server)),
        ]
        for host in hosts:
            addresses = ["--injection-listen", f"{host}:{WEBHOOK}", "--listen", f"{host}:{XDS}"]
            self.planes.append(ControlPlane(self._processes, [*source, *addresses]))
        for plane in self.planes:
            until(plane.ready, "a replica that is ready")
        ports = {"xds": XDS, "injection": WEBHOOK}
        self.api.apply(service("steerway", ports, namespace=self.namespace.name))
        for name, port in ports.items():
            endpoints = [f"{host}:{port}" for host in hosts]
            self.api.apply(*slices("steerway", endpoints, name, self.namespace.name))

    def bundles(self) -> set[str]:
        """The distinct values of `caBundle`."""
        configuration = self.api.get("MutatingWebhookConfiguration", "", "steerway-injection")
        return {webhook["clientConfig"].get("caBundle", "") for webhook in configuration["webhooks"]}

    def uninstall(self, kind: str) -> None:
        """Delete a cluster-wide object."""
        for item in [item for item in self._everywhere if item[0] == kind]:
            self.api.delete(kind, "", item[1])
            self._everywhere.discard(item)

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
def clients(namespace: Namespace, open_backends: Open) -> Clients:
    """Pods that call two backends in the test's namespace."""
    addresses = open_backends(2)
    namespace.publish(addresses)
    return Clients(namespace, addresses)


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


def metric(plane: ControlPlane, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    text = httpx.get(f"{plane.admin}/metrics", trust_env=False).text
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    lines = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines if all(label in line for label in wanted))
