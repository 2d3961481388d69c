"""The kustomize bases, rendered from the chart: what they have in common with it is written once, in the chart."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from testbed.helm.tools import Tools

CHART = Path(__file__).parents[3] / "deploy" / "chart"
FOLDER = CHART.parent / "kustomize"
NAMESPACE = "steerway-system"
_HEAD = "# Rendered from the chart by `make chart`: change deploy/chart instead.\n"
# Facts about Helm, which has no part in a cluster that kustomize deploys to.
_OF_HELM = re.compile(
    r"^# Source: .*\n|^ *(?:helm\.sh/chart|app\.kubernetes\.io/managed-by):.*\n", re.MULTILINE
)


class Base(NamedTuple):
    """A base: the files of values that it is rendered with, and the bases or files beside its own objects."""

    values: tuple[str, ...] = ()
    options: Mapping[str, str] = {}
    beside: tuple[str, ...] = ()


BASES = {
    "base": Base(beside=("../../crds",)),
    "namespaced": Base(values=("values-namespaced.yaml",)),
    "tls": Base(values=("values-tls.yaml",), beside=("../../crds",)),
    "mtls": Base(values=("values-mtls.yaml",), beside=("../../crds",)),
}


def render(tools: Tools, name: str) -> dict[str, str]:
    """The files of a base, by name: a file for each object, and the list of them."""
    base = BASES[name]
    arguments = [f"--values={CHART / values}" for values in base.values]
    # The definition is a base of its own, which several installations share.
    arguments.append("--set=crds.enabled=false")
    rendered = tools.helm("template", "steerway", str(CHART), f"--namespace={NAMESPACE}", *arguments)
    files: dict[str, str] = {}
    for document in re.split(r"^---\n", _OF_HELM.sub("", rendered), flags=re.MULTILINE):
        manifest = yaml.safe_load(document)
        if manifest is not None:
            files.setdefault(_file(manifest), "")
            files[_file(manifest)] += f"---\n{document.strip()}\n"
    files = {file: _HEAD + text.removeprefix("---\n") for file, text in files.items()}
    resources = [*base.beside, *sorted(files)]
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "resources": resources,
    }
    return {**files, "kustomization.yaml": _HEAD + yaml.safe_dump(kustomization, sort_keys=False)}


def _file(manifest: Mapping[str, object]) -> str:
    """Roles are beside their bindings."""
    kind = str(manifest["kind"]).removeprefix("Cluster")
    return f"{kind.removesuffix('Binding').lower()}.yaml"
