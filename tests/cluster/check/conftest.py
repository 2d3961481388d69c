"""One installation with every feature, for the tests of a module."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from testbed.certificate import Authority, Certified
from testbed.cluster.cluster import Cluster
from testbed.helm.tools import Tools
from tests.cluster.check.checker import Checker
from tests.cluster.install.conftest import tools
from tests.cluster.install.installed import RUN, Installed, create_namespace
from tests.support.chart.kustomize_base import CHART

__all__ = ["tools"]

_NUMBERS = itertools.count(1)
SECRET = "steerway-tls"
_VALUES = {
    **RUN,
    "crds": {"enabled": False},
    "injection": {"enabled": True},
    "admin": {"exposed": True},
    "tls": {"secretName": SECRET, "plaintext": True, "clientCertificates": True},
}


class Release:
    """The release `steerway` in a namespace of its own."""

    def __init__(self, tools: Tools, cluster: Cluster, namespace: str, folder: Path) -> None:
        self.tools = tools
        self.namespace = namespace
        self.installed = Installed(tools, namespace)
        self.checker = Checker(cluster.commands.kubeconfig, namespace)
        self._values = folder / "values.yaml"
        self._values.write_text(yaml.safe_dump(_VALUES))
        self._authority = Authority()

    def helm(self, verb: str, *options: str) -> str:
        """`helm install` or `upgrade`."""
        fixed = (f"--namespace={self.namespace}", f"--values={self._values}", "--wait")
        return self.tools.helm(verb, "steerway", str(CHART), *fixed, *options)

    def kubectl(self, *arguments: str) -> str:
        return self.installed.kubectl(*arguments)

    def apply(self, manifest: str) -> None:
        """Apply YAML as the fix of a check."""
        self.tools.run(
            "kubectl", "apply", "--server-side", "--force-conflicts", "--filename=-", stdin=manifest
        )

    def patch(self, kind: str, name: str, operations: list[dict[str, object]]) -> None:
        self.kubectl("patch", kind, name, "--type=json", f"--patch={json.dumps(operations)}")

    def issued(self, **valid: object) -> Certified:
        """A certificate of the xDS server."""
        name = f"steerway.{self.namespace}"
        return self._authority.issue(name, f"{name}.svc", **valid)  # type: ignore[arg-type]

    def store(self, issued: Certified) -> None:
        """Write the Secret of the xDS server."""
        data = {
            "tls.crt": issued.certificate.decode(),
            "tls.key": issued.key.decode(),
            "ca.crt": self._authority.certificate.decode(),
        }
        metadata = {"name": SECRET, "namespace": self.namespace}
        self.apply(
            json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
        )


@pytest.fixture(scope="module")
def release(
    helmbox: Path,
    cluster: Cluster,
    kinds: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Release]:
    """Installed with every feature, and ready."""
    folder = tmp_path_factory.mktemp("check")
    own = Tools(helmbox, folder / "home", cluster.commands.kubeconfig)
    with cluster.network.entered():
        created = Release(own, cluster, f"check-{next(_NUMBERS)}", folder)
        create_namespace(own, created.namespace)
        created.store(created.issued())
        created.helm("install")
    yield created
    with cluster.network.entered():
        created.tools.helm("uninstall", "steerway", f"--namespace={created.namespace}")
        cluster.api.delete("Namespace", "", created.namespace)
