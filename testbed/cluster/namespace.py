"""A Kubernetes namespace of one test: what it applies, what it waits for, and its accounts."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.cluster import kubeconfig
from testbed.cluster.api import api_version
from testbed.cluster.cluster import Cluster
from testbed.cluster.command import API_SERVER
from testbed.cluster.workload import PORT
from testbed.manifest import Endpoint, Manifest, service, slices
from testbed.process.deadline import until

_NUMBERS = itertools.count(1)
_GATEWAY = "gateway.networking.k8s.io"
POLICIES = {
    **dict.fromkeys(("grpcroutes", "httproutes", "referencegrants", "backendtlspolicies"), _GATEWAY),
    **dict.fromkeys(("trafficpolicies", "serverpolicies", "authorizationpolicies"), "steerway.io"),
}
"""What `--policies` reads, with the API group of each."""
_GROUPS = {"endpointslices": "discovery.k8s.io", **POLICIES}


class Namespace:
    """One namespace. `folder` takes the kubeconfigs of its accounts. `name` "": one of its own."""

    def __init__(self, cluster: Cluster, folder: Path, name: str = "") -> None:
        self.cluster = cluster
        self.api = cluster.api
        self.name = name or f"shop-{next(_NUMBERS)}"
        self.folder = folder
        self._accounts: list[Account] = []
        metadata = {"name": self.name}
        self.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def target(self, name: str = "backend") -> str:
        """What a gRPC client dials to reach a Service of this namespace."""
        return f"xds:///{name}.{self.name}:{PORT}"

    def publish(self, endpoints: Sequence[Endpoint | str], name: str = "backend") -> None:
        """Publish these as the endpoints of a headless Service with the one port `grpc`, as `Files.publish`."""
        wanted = slices(name, endpoints, "grpc", self.name)
        self.api.apply(service(name, {"grpc": PORT}, headless=True, namespace=self.name), *wanted)
        names = {manifest["metadata"]["name"] for manifest in wanted}
        for manifest in self.api.list("EndpointSlice", self.name):
            metadata = manifest["metadata"]
            if metadata["labels"]["kubernetes.io/service-name"] == name and metadata["name"] not in names:
                self.api.delete("EndpointSlice", self.name, metadata["name"])

    def create_pod(self, name: str, spec: Manifest, **metadata: Any) -> None:
        """Create a pod, once its service account and the root certificate for its token volume exist: controllers make
        them in a new namespace. It has the label `app` with its name; `metadata` are further fields."""
        account = spec.get("serviceAccountName", "default")
        until(lambda: self.api.exists("ServiceAccount", self.name, account), f"service account {account}")
        until(lambda: self.api.exists("ConfigMap", self.name, "kube-root-ca.crt"), "the root certificate")
        metadata = {"name": name, "namespace": self.name, "labels": {"app": name}, **metadata}
        self.api.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def pods(self, app: str) -> dict[str, str]:
        """Name and address (`IP:PORT`) of each pod of a workload that is ready and not about to go."""
        return {
            pod["metadata"]["name"]: f"{pod['status']['podIP']}:{PORT}"
            for pod in self.api.list("Pod", self.name)
            if pod["metadata"]["labels"]["app"] == app
            and "deletionTimestamp" not in pod["metadata"]
            and _ready(pod)
        }

    def wait_for_pods(self, app: str, count: int) -> dict[str, str]:
        """The pods of a workload, once exactly `count` of them are ready and none is left that goes."""

        def settled() -> dict[str, str] | None:
            listed = self.api.list("Pod", self.name)
            present = [pod for pod in listed if pod["metadata"]["labels"]["app"] == app]
            ready = self.pods(app)
            return ready if len(ready) == len(present) == count else None

        return until(settled, lambda: f"{count} ready pods of {app}, only {self.pods(app)}") or {}

    def account(self, name: str = "steerway") -> "Account":
        """A new service account that may do nothing yet."""
        self._accounts.append(Account(self, name))
        return self._accounts[-1]

    def delete(self) -> None:
        """Delete everything of the test; pods end in the background."""
        for account in self._accounts:
            account.revoke()
        self.api.delete("Namespace", "", self.name)


class Account:
    """A service account: its name, its permissions, and a kubeconfig with its token."""

    def __init__(self, namespace: Namespace, name: str) -> None:
        self._namespace = namespace
        self._api = namespace.api
        self._name = name
        self._everywhere: list[tuple[str, str]] = []
        self.create()

    def create(self) -> None:
        """Create it. Tokens of an account of the same name that was deleted are not valid for it."""
        metadata = {"name": self._name, "namespace": self._namespace.name}
        self._api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})

    def delete(self) -> None:
        """Delete it; its tokens are refused within seconds."""
        self._api.delete("ServiceAccount", self._namespace.name, self._name)

    def token(self, *audiences: str) -> str:
        """A token of it; without audiences it is for the API server."""
        return self._api.token(self._namespace.name, self._name, *audiences)

    def kubeconfig(self) -> Path:
        """A kubeconfig with a token of it; the context's namespace is its own."""
        file = self._namespace.folder / f"{self._name}.kubeconfig"
        certificate = self._namespace.cluster.commands.certificate
        user = {"token": self.token()}
        return kubeconfig.write(file, API_SERVER, certificate, user, self._namespace.name)

    def allow(self, *resources: str, everywhere: bool) -> None:
        """Let it get, list and watch these (`services`): in all namespaces, or in its own only."""
        prefix = "Cluster" if everywhere else ""
        namespace = {} if everywhere else {"namespace": self._namespace.name}
        for resource in resources:
            name = f"{self._namespace.name}-{self._name}-{resource}"
            metadata = {"name": name, **namespace}
            groups = [_GROUPS.get(resource, "")]
            rule = {"apiGroups": groups, "resources": [resource], "verbs": ["get", "list", "watch"]}
            role: Manifest = {"kind": f"{prefix}Role", "metadata": metadata, "rules": [rule]}
            subject = {"kind": "ServiceAccount", "name": self._name, "namespace": self._namespace.name}
            reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": f"{prefix}Role", "name": name}
            binding: Manifest = {
                "kind": f"{prefix}RoleBinding",
                "metadata": metadata,
                "roleRef": reference,
                "subjects": [subject],
            }
            for manifest in (role, binding):
                self._api.apply({"apiVersion": api_version(manifest["kind"]), **manifest})
            if everywhere:
                self._everywhere += [(manifest["kind"], name) for manifest in (role, binding)]

    def revoke(self) -> None:
        """Delete what it was allowed everywhere; the rest goes with the namespace."""
        for kind, name in self._everywhere:
            self._api.delete(kind, "", name)
        self._everywhere.clear()


def _ready(pod: Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
