"""Sources by settings."""

from pathlib import Path

from steerway.config import KubernetesSettings, Settings
from steerway.control.local_cluster import LocalCluster
from steerway.control.source import local_sources
from steerway.sources.objects.core import ObjectKey
from steerway.sources.store import ObjectStore


def test_files_precede_the_api_server(tmp_path: Path) -> None:
    """The store prefers the source that was registered first; it waits for both."""
    store = ObjectStore()
    settings = Settings(files=(tmp_path,), kubernetes=KubernetesSettings(enabled=True))
    assert [source.name for source in local_sources(settings, store)] == ["files", "kubernetes"]
    assert store.unsynced == ["files", "kubernetes"]


def test_a_cluster_of_files_has_no_api_server(tmp_path: Path) -> None:
    """All of its namespaces are known."""
    cluster = LocalCluster(Settings(files=(tmp_path,)))
    assert (cluster.api_server, cluster.status()) == ("", [])
    assert cluster.absence(ObjectKey("Service", "shop", "backend")) == "does not exist"
