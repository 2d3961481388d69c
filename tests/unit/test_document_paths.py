"""Paths in the documents exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASES = (
    "",
    "src/steerway",
    "rust",
    "rust/engine",
    "rust/engine/src",
    "rust/engine/tests",
    "rust/server/src",
    "tests",
    "tests/unit",
)
"""Folders that a path may be relative to."""
EXAMPLES = {"manifests/mapping.yaml"}
PATH = re.compile(r"`((?:[\w.-]+/)+[\w-]+\.(?:py|pyi|rs|toml|md|sh|proto|go|java|js|yaml))(?:::\w+)?`")


def test_paths_exist() -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    named = {
        (document.name, path)
        for document in documents
        for path in PATH.findall(document.read_text())
        if path not in EXAMPLES
    }
    assert len(documents) > 40
    assert len(named) > 60
    missing = [
        (document, path)
        for document, path in sorted(named)
        if not any((ROOT / base / path).exists() for base in BASES)
    ]
    assert missing == []
