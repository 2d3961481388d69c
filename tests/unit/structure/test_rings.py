"""`make test` runs each folder of tests."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_folder_of_tests_is_in_a_lane() -> None:
    makefile = (ROOT / "Makefile").read_text()
    lanes = "\n".join(
        re.findall(r"^(?:test|test-lane-\d|unit-\w+):.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    )
    folders = {file.relative_to(ROOT / "tests").parts[0] for file in (ROOT / "tests").rglob("test_*.py")}
    assert len(folders) > 4
    assert [name for name in sorted(folders) if not re.search(rf"tests/{name}\b", lanes)] == []


def test_folders_of_the_unit_tests_with_a_process_of_their_own_exist() -> None:
    (line,) = re.findall(
        r"^UNIT_IO := \$\(addprefix tests/unit/,(.*)\)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert [name for name in line.split() if not list((ROOT / "tests/unit" / name).rglob("test_*.py"))] == []
