"""The site of the documentation has every page in its navigation."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def test_every_page_is_in_the_navigation() -> None:
    """Decisions by their list; add a page to `nav` of zensical.toml, and a guide to docs/index.md, too."""
    settings = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
    listed = list(_files(settings["nav"]))
    assert len(listed) == len(set(listed))
    pages = {str(page.relative_to(DOCS)) for page in PAGES if not page.name[0].isdigit()}
    assert len(pages) > 15
    assert set(listed) == pages
    home = (DOCS / "index.md").read_text()
    assert [page for page in sorted(pages) if f"({page})" not in home and page != "index.md"] == []


def _files(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        for value in entry.values():
            if isinstance(value, str):
                yield value
            else:
                yield from _files(value)
