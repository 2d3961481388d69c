"""The default namespace follows the namespaces that are watched."""

from pathlib import Path

import pytest

from steerway.config import Settings
from steerway.config.section.kubernetes import KubernetesSettings
from steerway.control.source import default_namespace

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: prod
contexts:
- {name: prod, context: {cluster: prod, user: prod, namespace: pay}}
clusters:
- {name: prod, cluster: {server: "https://10.0.0.1"}}
users:
- {name: prod, user: {}}
"""


def of(given: str | None = None, *watched: str, enabled: bool = True, environ: dict[str, str]) -> str:
    kubernetes = KubernetesSettings(enabled=enabled, namespaces=watched)
    return default_namespace(Settings(default_namespace=given, kubernetes=kubernetes), environ)


@pytest.mark.parametrize(
    ("given", "watched", "expected"),
    [
        (None, ("shop",), "shop"),
        (None, ("shop", "shop"), "shop"),
        (None, ("shop", "pay"), "default"),
        (None, ("all",), "default"),
        ("default", ("shop",), "default"),
        ("web", ("all",), "web"),
    ],
)
def test_one_watched_namespace_is_the_default(
    given: str | None, watched: tuple[str, ...], expected: str
) -> None:
    """The setting precedes it."""
    assert of(given, *watched, environ={"POD_NAMESPACE": "own"}) == expected


def test_without_a_list_it_is_the_own_namespace(tmp_path: Path) -> None:
    """That of the pod, else that of the kubeconfig; `default` without either."""
    config = tmp_path / "config"
    config.write_text(KUBECONFIG)
    assert of(environ={"POD_NAMESPACE": "shop", "KUBECONFIG": str(config)}) == "shop"
    assert of(environ={"KUBECONFIG": str(config)}) == "pay"
    assert of(environ={"KUBECONFIG": str(tmp_path / "none")}) == "default"


def test_files_alone_have_the_default_of_kubectl() -> None:
    """The pod of a control plane is rarely in the namespace of what it serves."""
    assert of(enabled=False, environ={"POD_NAMESPACE": "shop"}) == "default"
