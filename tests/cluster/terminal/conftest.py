"""Replicas of steerway in pods, with the labels and the token of the chart, and users of the command line."""

import subprocess
import sys
from pathlib import Path

import pytest

from testbed.cluster.api import api_version
from testbed.cluster.namespace import POLICIES, Namespace
from testbed.manifest import Manifest
from testbed.process.deadline import PATIENCE_SECONDS
from testbed.process.process import installed

Rule = dict[str, list[str]]

LIST_PODS: Rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
PORT_FORWARD: Rule = {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]}
READ_SECRET: Rule = {
    "apiGroups": [""],
    "resources": ["secrets"],
    "resourceNames": ["steerway-admin"],
    "verbs": ["get"],
}
TOKEN = "0123456789abcdef0123"
_LABELS = {"app.kubernetes.io/name": "steerway", "app.kubernetes.io/instance": "steerway"}


class Installation:
    """Pods of steerway in a namespace. Their admin servers listen on the loopback interface of the pod."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self._api = namespace.api
        namespace.account().allow("services", "endpointslices", "pods", *POLICIES, everywhere=False)
        metadata = {"name": "steerway-admin", "namespace": namespace.name}
        self._api.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": TOKEN}}
        )

    def run(self, name: str, **spec: object) -> None:
        """Create a replica; `spec` is added to that of the pod."""
        container = {
            "name": "steerway",
            "image": "none",
            "command": [str(Path(sys.executable).with_name("steerway"))],
            "args": [
                "serve",
                "--kubernetes",
                f"--namespace={self.namespace.name}",
                "--admin-token-file=/etc/steerway/admin/token",
            ],
            "readinessProbe": {"periodSeconds": 1, "grpc": {"port": 18000}},
            "volumeMounts": [{"name": "admin-token", "mountPath": "/etc/steerway/admin"}],
        }
        volume = {"name": "admin-token", "secret": {"secretName": "steerway-admin"}}
        pod = {"serviceAccountName": "steerway", "containers": [container], "volumes": [volume], **spec}
        self.namespace.create_pod(name, pod, labels={"app": "steerway", **_LABELS})

    def user(self, name: str, *rules: Rule) -> Path:
        """The kubeconfig of a user with these rules in the namespace."""
        account = self.namespace.account(name)
        metadata = {"name": name, "namespace": self.namespace.name}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.namespace.name}
        role: Manifest = {"kind": "Role", "metadata": metadata, "rules": list(rules)}
        binding: Manifest = {
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": reference,
            "subjects": [subject],
        }
        for manifest in (role, binding):
            self._api.apply({"apiVersion": api_version(manifest["kind"]), **manifest})
        return account.kubeconfig()

    def command(self, user: Path, *arguments: str) -> list[str]:
        """The command line of a user."""
        scope = ["--kubeconfig", str(user), "--steerway-namespace", self.namespace.name]
        return [installed("steerway"), *arguments, *scope]

    def steerway(self, user: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as this user."""
        command = self.command(user, *arguments)
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)


@pytest.fixture
def installation(namespace: Namespace) -> Installation:
    """Without replicas; tests run theirs."""
    return Installation(namespace)
