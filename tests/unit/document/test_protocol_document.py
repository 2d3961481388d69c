"""docs/protocol.md names existing tests."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = {
    "protocol": ROOT / "rust/engine/tests/protocol",
    "engine": ROOT / "tests/unit/engine",
    "real": ROOT / "tests/real",
}
NAMED = sorted(set(re.findall(r"`(\w+)/([\w./]+)::(\w+)`", (ROOT / "docs/protocol.md").read_text())))


@pytest.mark.parametrize(("folder", "file", "name"), NAMED)
def test_a_named_test_exists(folder: str, file: str, name: str) -> None:
    defined = re.compile(rf"^ *(fn|def|async def) {name}\(", re.MULTILINE)
    assert defined.search((FOLDERS[folder] / file).read_text())


def test_every_clause_has_a_test() -> None:
    rows = [line for line in (ROOT / "docs/protocol.md").read_text().splitlines() if line.startswith("| ")]
    clauses = [line for line in rows if line != "| clause | tests |"]
    assert len(clauses) > 30
    assert [line for line in clauses if "::" not in line] == []
