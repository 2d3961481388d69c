"""A namespace whose pods have certificates, and pods of it as clients."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed.client.grpc_client import Channel, Client, Library
from testbed.cluster.api import api_version
from testbed.cluster.cluster import Cluster
from testbed.cluster.namespace import Namespace
from testbed.cluster.workload import PORT
from testbed.helm.tools import Tools
from testbed.manifest import service
from testbed.process.deadline import until
from testbed.process.process import Processes, installed
from tests.cluster.injection.client_pod import LABEL
from tests.cluster.injection.conftest import label
from tests.cluster.install.release import Release
from tests.cluster.kubelet.conftest import IDLE, Pod, container

MESH, TRUST_DOMAIN = "mesh", "mesh.example"
_TARGET = f"xds:///backend:{PORT}"
"""The namespace of the short name is that of the bootstrap."""
_ADMIN = "http://127.0.0.1:18001/api/v1"

Dial = Callable[..., Channel]


class Shop:
    """The namespace; its Service `backend` is for pods with this label."""

    def __init__(self, namespace: Namespace, tools: Tools) -> None:
        self.namespace = namespace
        self.tools = tools
        ports, selector = {"grpc": PORT}, {"app": "backend"}
        namespace.api.apply(
            service("backend", ports, headless=True, namespace=namespace.name, selector=selector)
        )

    def identity(self, account: str) -> str:
        """The SPIFFE ID of a service account of the namespace."""
        return f"spiffe://{TRUST_DOMAIN}/ns/{self.namespace.name}/sa/{account}"

    def policy(self, kind: str, name: str, **spec: object) -> None:
        metadata = {"name": name, "namespace": self.namespace.name}
        manifest = {"apiVersion": api_version(kind), "kind": kind, "metadata": metadata, "spec": spec}
        self.namespace.api.apply(manifest)

    def start_pod(self, account: str, certificates: str) -> Pod:
        """Start an idle pod of the account; it has the name of the account."""
        self.namespace.account(account)
        spec = {
            "containers": [container(*IDLE)],
            "serviceAccountName": account,
            "terminationGracePeriodSeconds": 0,
        }
        annotations = {"steerway.io/inject-certificates": certificates}
        self.namespace.create_pod(account, spec, annotations=annotations)
        return Pod(self.namespace, account).wait_until_ready()

    def accepted(self) -> set[str]:
        """The identities of servers that clients with a certificate provider accept, all of which are exact: those of
        each variant of the Cluster that has TLS."""
        name = f"backend.{self.namespace.name}.svc.cluster.local:{PORT}"
        script = (
            f"import urllib.request as r; print(r.urlopen('{_ADMIN}/resources/cds/{name}').read().decode())"
        )
        written = self._execute(sys.executable, "-c", script)
        bodies = [variant["body"] or {} for variant in json.loads(written)["variants"]]
        contexts = [body["transport_socket"]["typed_config"] for body in bodies if "transport_socket" in body]
        validations = [context["common_tls_context"]["validation_context"] for context in contexts]
        return {match["exact"] for context in validations for match in context["match_subject_alt_names"]}

    def allowed(self, account: str) -> bool:
        """Whether servers accept a call of this account, as `steerway explain` reports it."""
        caller = f"{self.namespace.name}/{account}"
        question = (self.namespace.target(), "steerway.test.Backend/Name", "--from", caller)
        document = json.loads(self._execute(installed("steerway"), "explain", *question, "--output=json"))
        return bool(document["access"]["allowed"])

    def _execute(self, *command: str) -> str:
        """What a command writes in the pod of steerway."""
        options = ("deployment/steerway", f"--namespace={MESH}", "--")
        return self.tools.run("kubectl", "exec", *options, *command)


@pytest.fixture(scope="module")
def shop(
    helmbox: Path,
    cluster: Cluster,
    kinds: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop]:
    """One installation and its namespace for the tests of a module."""
    folder = tmp_path_factory.mktemp("mesh")
    tools = Tools(helmbox, folder / "home", cluster.commands.kubeconfig)
    release = Release(tools, cluster, folder, MESH, TRUST_DOMAIN)
    with cluster.network.entered():
        release.install()
        namespace = Namespace(cluster, folder)
        label(namespace, "enabled")
        until(lambda: _is_injected(namespace), "an injected pod")
    yield Shop(namespace, tools)
    with cluster.network.entered():
        namespace.delete()
        release.remove()


@pytest.fixture
def dial(processes: Processes, shop: Shop) -> Dial:
    """A client in a pod of the account, which starts unless it runs: `dial("web")`, with `grpc_go` `dial("web",
    "grpc-go")`, without certificates `dial("old", certificates="disabled")`."""

    def start(account: str, library: Library = "grpcio", certificates: str = "enabled") -> Channel:
        if not shop.namespace.api.exists("Pod", shop.namespace.name, account):
            shop.start_pod(account, certificates)
        command = ("exec", "--stdin", account, f"--namespace={shop.namespace.name}", "--")
        launcher = (str(shop.tools.box), "kubectl", *command)
        client = Client(processes, library, None, dict(shop.tools.environment), launcher)
        return client.dial(_TARGET, xds_credentials=True)

    return start


def _is_injected(namespace: Namespace) -> bool:
    metadata = {"generateName": "dry-", "namespace": namespace.name, "labels": {LABEL: "enabled"}}
    spec = {"containers": [{"name": "client", "image": "none"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    made = namespace.api.create(pod, dry_run=True)
    return "steerway.io/injected" in made["metadata"].get("annotations", {})
