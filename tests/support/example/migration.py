"""The guides for a move from another control plane: their manifests before and after, and their commands."""

import re
import shlex

from tests.support.example import guide

NAMES = tuple(sorted(path.stem for path in guide.FOLDER.glob("from-*.md") if path.stem != "from-dns"))
BEFORE = "before"
"""The word behind the language of manifests of the other control plane."""
RBAC = "rbac"
"""The word of permissions, which only an API server reads."""


def commands(name: str) -> list[list[str]]:
    """The arguments of each `$ steerway …` in a guide, without a redirection of the output."""
    lines = re.findall(r"^\$ steerway (.*?)(?: > \S+)?$", guide.text(name), re.MULTILINE)
    return [shlex.split(line) for line in lines]
