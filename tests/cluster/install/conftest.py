"""Helm, kustomize and kubectl on the cluster, and what each test installs."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.cluster.cluster import Cluster
from testbed.cluster.gateway_crds import install
from testbed.helm.prometheus_crds import prometheus_crds
from testbed.helm.tools import Tools

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def definitions(cluster: Cluster) -> None:
    """The kinds of the Prometheus Operator. They are fetched before anything is inside of the cluster's network."""
    fetched = prometheus_crds()
    with cluster.network.entered():
        install(cluster.api, fetched)


@pytest.fixture
def tools(helmbox: Path, cluster: Cluster, tmp_path: Path) -> Tools:
    """The tools, as an administrator of the cluster."""
    return Tools(helmbox, tmp_path / "home", cluster.commands.kubeconfig)


@pytest.fixture
def release_namespace(cluster: Cluster) -> Iterator[str]:
    """The name of a namespace for a release, which the test creates (or not)."""
    name = f"mesh-{next(_NUMBERS)}"
    yield name
    if any(item["metadata"]["name"] == name for item in cluster.api.list("Namespace")):
        cluster.api.delete("Namespace", "", name)
