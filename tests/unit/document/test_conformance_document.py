"""docs/conformance.md names existing tests, and every conformance test that is reproduced."""

import re
from pathlib import Path

from tests.support import capability_document
from tests.support.example.conformance import INVALID, ROUTED
from tests.support.example.conformance_http import MATCHED, REDIRECTED

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/conformance.md").read_text()
ROWS = [
    line
    for line in TEXT.partition(capability_document.HEADING)[0].splitlines()
    if line.startswith("| ") and "conformance test" not in line
]
TESTS = "".join(file.read_text() for file in (ROOT / "tests/real/conformance").glob("test_*.py"))


def test_named_tests_exist() -> None:
    """By the text after `test_`, or its end after `…`; other files by their names."""
    named = {name for row in ROWS for name in re.findall(r"`([…a-z_./]+)`", row)}
    for name in named:
        if name.endswith(".py"):
            assert (ROOT / "tests/real" / name).exists(), name
        else:
            pattern = rf"def test_\w*{name[1:]}\(" if name.startswith("…") else rf"def test_{name}\("
            assert re.search(pattern, TESTS), name
    assert len(named) > 10


def test_every_reproduced_conformance_test_has_a_row() -> None:
    """Under its own name; those by status share one."""
    names = {item.name.partition(",")[0] for item in (*ROUTED, *INVALID, *MATCHED, *REDIRECTED)}
    for name in names:
        assert re.sub(r"30[78]Redirect", "303Redirect", name) in TEXT, name
    assert len(names) > 20


def test_the_tables_of_clients_are_generated() -> None:
    """By `make capability-doc`."""
    assert capability_document.HEADING in TEXT
    assert capability_document.updated(TEXT) == TEXT
