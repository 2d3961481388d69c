"""The kustomize bases: rendered from the chart as it is, and accepted by kustomize."""

from pathlib import Path

import pytest
import yaml

from testbed.helm.tools import Tools
from tests.chart.conftest import NEEDS_HELM, Render, Rendering, manifests
from tests.support.chart.kustomize_base import BASES, FOLDER, render

pytestmark = NEEDS_HELM


def build(tools: Tools, folder: Path) -> Rendering:
    return Rendering(manifests(tools.run("kustomize", "build", str(folder))))


@pytest.mark.parametrize("name", BASES)
def test_a_base_is_up_to_date(name: str, tools: Tools) -> None:
    """`make chart` writes it."""
    present = {path.name: path.read_text() for path in (FOLDER / name).iterdir()}
    assert present == render(tools, name)


def test_there_are_no_other_bases() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(BASES)


@pytest.mark.parametrize(
    ("name", "values"), [("base", ""), ("namespaced", "namespaced"), ("tls", "tls"), ("mtls", "mtls")]
)
def test_a_base_has_the_objects_of_the_chart(name: str, values: str, tools: Tools, render: Render) -> None:
    """But nothing about Helm."""

    def plain(rendering: Rendering) -> dict[tuple[str, str], object]:
        result: dict[tuple[str, str], object] = {}
        for manifest in rendering:
            metadata = manifest["metadata"]
            metadata.pop("annotations", None)
            for label in ("helm.sh/chart", "app.kubernetes.io/managed-by"):
                metadata["labels"].pop(label, None)
            if manifest["kind"] == "CustomResourceDefinition":
                del metadata["labels"]
            result[manifest["kind"], metadata["name"]] = manifest
        return result

    built = build(tools, FOLDER / name)
    assert "Helm" not in yaml.safe_dump_all(built)
    assert plain(built) == plain(render(values))


def test_an_overlay_changes_namespace_image_and_replicas(tools: Tools, tmp_path: Path) -> None:
    """What most overlays do; the subjects of bindings follow the namespace."""
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "mesh",
        "resources": [str(Path("..") / ".." / "base")],
        "images": [{"name": "steerway", "newName": "example.com/steerway", "newTag": "1"}],
        "replicas": [{"name": "steerway", "count": 3}],
    }
    folder = tmp_path / "overlays" / "mesh"
    folder.mkdir(parents=True)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    (tmp_path / "base").symlink_to(FOLDER / "base")
    built = build(tools, folder)
    assert built.container()["image"] == "example.com/steerway:1"
    assert built.of("Deployment")["spec"]["replicas"] == 3
    (subject,) = built.of("ClusterRoleBinding", "steerway-system:steerway")["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "steerway", "namespace": "mesh"}
    namespaces = {item["metadata"].get("namespace", "") for item in built}
    assert namespaces == {"mesh", ""}
