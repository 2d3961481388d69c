"""An API server without PodCertificateRequest, as before Kubernetes 1.37: the installation and the check report it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from testbed.cluster.cluster import Cluster
from testbed.helm.tools import Tools
from tests.cluster.check.checker import Checker
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.install.installed import RUN
from tests.support.chart.kustomize_base import CHART

pytestmark = [*NEEDS_CLUSTER, pytest.mark.needs("go")]

NAMESPACE = "steerway-system"
# Without the gate, too: the Node authorizer would wait for the kind, and the API server for it.
_OFF = (
    "--runtime-config=certificates.k8s.io/v1/podcertificaterequests=false",
    "--feature-gates=PodCertificateRequest=false",
)


@pytest.fixture
def older(cluster: Cluster, box: Path, tmp_path: Path) -> Iterator[Cluster]:
    """An API server without nodes."""
    folder = tmp_path / "older"
    folder.mkdir()
    network = cluster.network
    running = Cluster(box, folder, network, ends_with_parent=True, guest=True, api_server_options=_OFF)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_the_absent_kind_is_reported(older: Cluster, helmbox: Path, tmp_path: Path) -> None:
    """By the notes of the chart, and by the check with the fix."""
    kubeconfig = older.commands.kubeconfig
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({**RUN, "crds": {"enabled": False}}))
    notes = Tools(helmbox, tmp_path / "home", kubeconfig).helm(
        "install",
        "steerway",
        str(CHART),
        f"--namespace={NAMESPACE}",
        "--create-namespace",
        f"--values={CHART / 'values-mtls.yaml'}",
        f"--values={values}",
    )
    assert "The API server does not serve PodCertificateRequest" in notes
    checker = Checker(kubeconfig, NAMESPACE)
    (failure,) = checker.failures("pod-certificates")
    assert "does not serve PodCertificateRequest of certificates.k8s.io/v1" in failure.text
    assert "injection.certificates to false" in failure.hint
    (result,) = checker.results("signer")
    assert result.text == "signer: not checked, since pod-certificates failed"
