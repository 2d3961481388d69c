"""An installation in the cluster: what it has, and what it leaves."""

import sys
from pathlib import Path

from testbed.helm.tools import Tools
from testbed.process.deadline import until

RUN = {
    "command": [str(Path(sys.executable).with_name("steerway"))],
    # The interpreter of a checkout may be readable by its owner only.
    "podSecurityContext": {"runAsNonRoot": False, "runAsUser": 0, "runAsGroup": 0},
}
"""Values that run this checkout in place of the image."""


class Installed:
    """The pods of the Deployment `steerway`."""

    def __init__(self, tools: Tools, namespace: str) -> None:
        self._tools = tools
        self._namespace = f"--namespace={namespace}"

    def kubectl(self, *arguments: str) -> str:
        return self._tools.run("kubectl", self._namespace, *arguments)

    def address(self) -> str:
        """The address of the Service."""
        return self.kubectl("get", "service", "steerway", "--output=jsonpath={.spec.clusterIP}")

    def addresses(self) -> list[str]:
        """The addresses of the pods that are ready."""
        path = "{.items[*].endpoints[?(@.conditions.ready==true)].addresses[0]}"
        selector = "--selector=kubernetes.io/service-name=steerway"
        return self.kubectl("get", "endpointslices", selector, f"--output=jsonpath={path}").split()

    def pods(self) -> set[str]:
        selector = "--selector=app.kubernetes.io/name=steerway"
        return set(self.kubectl("get", "pods", selector, "--output=name").split())

    def wait_for_rollout(self) -> None:
        self.kubectl("rollout", "status", "deployment/steerway", "--timeout=100s")


def create_namespace(tools: Tools, name: str) -> None:
    """Create a namespace, and wait for what controllers create in each."""
    tools.run("kubectl", "create", "namespace", name)
    listed = ("get", "serviceaccounts,configmaps", f"--namespace={name}", "--output=name")
    own = {"serviceaccount/default", "configmap/kube-root-ca.crt"}
    until(
        lambda: own <= set(tools.run("kubectl", *listed).split()),
        lambda: f"{own} in the namespace {name}",
    )


def kinds_of(tools: Tools) -> str:
    """Every kind that can be listed, apart from Events, which come and go by themselves."""
    names = tools.run("kubectl", "api-resources", "--verbs=list", "--output=name").split()
    return ",".join(sorted({*names} - {"events", "events.events.k8s.io"}))


def objects(tools: Tools, kinds: str) -> set[str]:
    """Every object of the cluster: kind, namespace and name. Without the Leases of nodes, which come late."""
    template = "{range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}{'\\n'}{end}"
    listed = tools.run("kubectl", "get", kinds, "--all-namespaces", f"--output=jsonpath={template}")
    return {item for item in listed.splitlines() if "/kube-node-lease/" not in item}
