"""Paths and links in the documents exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCUMENTS = [
    file for folder in ("*.md", "docs/**/*.md", "examples/**/*.md") for file in sorted(ROOT.glob(folder))
]
BASES = (
    "",
    "src/steerway",
    "rust",
    "rust/engine",
    "rust/engine/src",
    "rust/engine/tests",
    "rust/server/src",
    "tests",
    "tests/real",
    "tests/unit",
)
"""Folders that a path may be relative to, beside that of the document."""
PATH = re.compile(r"`((?:[\w.-]+/)+[\w-]+\.(?:py|pyi|rs|toml|md|sh|proto|go|java|js|yaml))(?:::\w+)?`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
CODE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", CODE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_paths_exist() -> None:
    named = {(document, path) for document in DOCUMENTS for path in PATH.findall(document.read_text())}
    assert len(DOCUMENTS) > 40
    assert len(named) > 60
    assert [
        (document.name, path)
        for document, path in sorted(named)
        if not any((ROOT / base / path).exists() for base in (*BASES, document.parent))
    ] == []


def test_links_lead_to_files_and_headings() -> None:
    broken = []
    links = 0
    for document in DOCUMENTS:
        for file, anchor in LINK.findall(CODE.sub("", document.read_text())):
            links += 1
            target = (document.parent / file) if file else document
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append((document.name, f"{file}#{anchor}"))
    assert links > 150
    assert broken == []
