"""`kubectl steerway`: the program as a plugin of a real kubectl."""

import os
import sys
from pathlib import Path

import pytest

from testbed.cluster.cluster import Cluster
from testbed.helm.tools import ToolError, Tools
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.terminal.conftest import Installation

pytestmark = NEEDS_CLUSTER


@pytest.fixture
def kubectl(helmbox: Path, cluster: Cluster, tmp_path: Path) -> Tools:
    """kubectl as an administrator of the cluster, with the plugin in PATH."""
    tools = Tools(helmbox, tmp_path / "home", cluster.commands.kubeconfig)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    tools.environment = {**tools.environment, "PATH": path}
    return tools


def test_the_plugin_queries_the_cluster_of_kubectl(installation: Installation, kubectl: Tools) -> None:
    """Its replicas are found in any namespace, by their labels."""
    with pytest.raises(ToolError, match=r"no pod with the labels app.kubernetes.io/name=steerway"):
        kubectl.run("kubectl", "steerway", "status")
    installation.run("steerway-a")
    installation.namespace.wait_for_pods("steerway", 1)
    assert kubectl.run("kubectl", "steerway", "problems", "-o", "json").strip() == '{\n  "items": []\n}'
