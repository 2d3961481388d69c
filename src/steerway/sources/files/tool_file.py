"""Files that stand beside manifests and are for other tools: kustomize's and Helm's, and lists of JSON patches.

They are known by their names, a template by its folder and its actions, a patch by its form. Of a file known by its
name a document with a `kind` or `@type` is still read: `values-api.yaml` may well hold the Service `values-api`.
"""

import re
from pathlib import Path
from typing import Any

KUSTOMIZATION = "kustomization"
CHART = "Helm chart"
VALUES = "Helm values"
TEMPLATE = "Helm template"
PATCH = "JSON patch"

# kustomize: konfig.RecognizedKustomizationFileNames. Helm: chartutil.ChartfileName, ValuesfileName, SchemafileName;
# values of an environment are by custom in values-NAME.yaml.
_NAMES = (
    (re.compile(r"kustomization\.ya?ml|Kustomization"), KUSTOMIZATION),
    (re.compile(r"Chart\.yaml"), CHART),
    (re.compile(r"values([-_.].+)?\.(ya?ml|json)"), VALUES),
)
_TEMPLATES_DIRECTORY = "templates"
_ACTION = "{{"


def kind_by_name(path: Path) -> str:
    """What a file of another tool is, by its name; "" for one that has no known name."""
    return next((kind for pattern, kind in _NAMES if pattern.fullmatch(path.name)), "")


def is_template(path: Path, root: Path, text: str) -> bool:
    """Whether a file found below `root` is a template of a Helm chart, which is no YAML before it is rendered."""
    # Of the folders above the given path only its own counts.
    return _ACTION in text and _TEMPLATES_DIRECTORY in path.relative_to(root.parent.parent).parent.parts


def states_its_type(value: Any) -> bool:
    """Whether a document names its kind of Kubernetes object or its type of resource."""
    return isinstance(value, dict) and any(
        all(isinstance(value.get(key), str) for key in keys) for keys in (("apiVersion", "kind"), ("@type",))
    )


def is_patch(value: Any) -> bool:
    """Whether a document is a list of JSON patches (RFC 6902)."""
    return isinstance(value, list) and bool(value) and all(map(_is_operation, value))


def _is_operation(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("op", "path"))
