"""The guides of docs/guides as tests see them: their blocks of YAML, and their tables."""

import re
from pathlib import Path
from typing import Any

import yaml

from testbed.manifest import Files

FOLDER = Path(__file__).parents[3] / "docs" / "guides"
NAMES = ("authorization", "canary", "from-dns", "policies", "retries", "safety", "subsets", "zones")
"""Those that have manifests as examples. envoy.md has bootstrap files, which the tests of Envoy start it with."""
_BLOCK = re.compile(r"^```yaml(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text()


def blocks(name: str, info: str = "") -> list[str]:
    """The fenced blocks of YAML with this word in their info string; without one, whole manifests."""
    return [body for word, body in _BLOCK.findall(text(name)) if word == info]


def documents(name: str, block: int = 0) -> list[dict[str, Any]]:
    """The manifests of a block."""
    return list(yaml.safe_load_all(blocks(name)[block]))


def publish(files: Files, name: str, block: int = 0) -> None:
    """Put a block into the directory of manifests, as a reader would."""
    files.write_text(f"{name}-{block}.yaml", blocks(name)[block])


def table(name: str, heading: str) -> dict[str, list[str]]:
    """The first table behind a heading: the first cell of each row, without code marks, and the others."""
    (behind,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text(name), re.MULTILINE | re.DOTALL)
    lines = re.search(r"(?:^\|.*\n)+", behind, re.MULTILINE)
    assert lines is not None, heading
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in lines[0].splitlines()]
    return {row[0].strip("`"): row[1:] for row in rows[2:]}
