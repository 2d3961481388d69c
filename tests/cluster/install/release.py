"""The chart with `values-mtls.yaml`: control plane, webhook and signer of this checkout, in pods."""

from pathlib import Path

import yaml

from steerway.signer.authority.bundle import bundle_name
from testbed.cluster.cluster import Cluster
from testbed.helm.tools import Tools
from testbed.manifest import Manifest
from tests.cluster.check.checker import Checker
from tests.cluster.install.installed import RUN, create_namespace
from tests.support.chart.kustomize_base import CHART


class Release:
    """One release in the namespace `name`, with a signer name of its own, for the pods of labeled namespaces. Kinds of
    policies are not its own; `settings` are further sections."""

    def __init__(
        self,
        tools: Tools,
        cluster: Cluster,
        folder: Path,
        name: str,
        trust_domain: str,
        **settings: Manifest,
    ) -> None:
        self._tools = tools
        self._name = name
        self.checker = Checker(cluster.commands.kubeconfig, name)
        self._api = cluster.api
        self._signer = f"steerway.io/{name}"
        self._values = folder / "values.yaml"
        identity = {"signer_name": self._signer, "trust_domain": trust_domain}
        values = {
            **RUN,
            "crds": {"enabled": False},
            "replicas": 1,
            "signer": {"replicas": 1},
            "settings": {"identity": identity, **settings},
        }
        self._values.write_text(yaml.safe_dump(values))

    def install(self) -> None:
        create_namespace(self._tools, self._name)
        files = (CHART / "values-mtls.yaml", self._values)
        options = [f"--namespace={self._name}", "--wait", *(f"--values={file}" for file in files)]
        self._tools.helm("install", "steerway", str(CHART), *options)

    def remove(self) -> None:
        self._tools.helm("uninstall", "steerway", f"--namespace={self._name}")
        self._api.delete("Namespace", "", self._name)
        self._api.delete("ClusterTrustBundle", "", bundle_name(self._signer))

    def scale_signer(self, replicas: int) -> None:
        self._api.scale("Deployment", self._name, "steerway-signer", replicas)

    def has_signer(self) -> bool:
        """Whether a pod of the signer is there, also one that ends."""
        pods = self._api.list("Pod", self._name)
        return any("signer" in pod["metadata"]["name"] for pod in pods)
