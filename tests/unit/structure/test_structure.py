"""The folders and the import graph of the Python code."""

from pathlib import Path

import pytest

from tests.structure.graph import Graph, across_folders, circles
from tests.structure.python_modules import files, folder_sizes, graph

ROOT = Path(__file__).parents[3]
TREES = {
    "product": (ROOT / "src", ["steerway"], 250, 600),
    "programs": (ROOT, ["testbed", "demo", "bench"], 90, 180),
    "tests": (ROOT, ["tests"], 300, 150),
}
"""Root, packages, and the least numbers of files and imports that a scan must see."""

MAX_FILES_IN_FOLDER = 15
LARGE_FOLDERS: dict[str, str] = {}
"""Folders with more files, each with the reason."""
MAX_FILES_IN_CIRCLE = 3
MAX_LINES_OF_APP = 200


@pytest.mark.parametrize("tree", TREES)
def test_a_scan_sees_the_files(tree: str) -> None:
    root, packages, least, least_imports = TREES[tree]
    imports = graph(root, packages)
    written = sum(1 for package in packages for _ in (root / package).rglob("*.py"))
    assert len(imports) == written >= least
    assert sum(len(targets) for targets in imports.values()) >= least_imports


@pytest.mark.parametrize("tree", TREES)
def test_circles_are_small_and_in_one_folder(tree: str) -> None:
    root, packages, *_ = TREES[tree]
    components = circles(graph(root, packages))
    assert [nodes for nodes in components if len(nodes) > MAX_FILES_IN_CIRCLE] == []
    assert across_folders(components) == []


def test_a_folder_has_few_files() -> None:
    sizes = {
        folder: size
        for root, packages, *_ in TREES.values()
        for folder, size in folder_sizes(files(root, packages)).items()
    }
    assert len(sizes) > 35
    assert {folder for folder, size in sizes.items() if size > MAX_FILES_IN_FOLDER} == {*LARGE_FOLDERS}


def test_app_is_short() -> None:
    """It constructs, runs and drains; connections of stages are in `control`."""
    lines = (ROOT / "src/steerway/app.py").read_text().splitlines()
    assert 50 < len(lines) <= MAX_LINES_OF_APP


def write(root: Path, sources: dict[str, str]) -> Graph:
    for name, code in sources.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(code)
    return graph(root, ["pkg"])


def test_a_circle_is_reported(tmp_path: Path) -> None:
    """Imports in functions and under TYPE_CHECKING count."""
    imports = write(
        tmp_path,
        {
            "pkg/__init__.py": "",
            "pkg/a.py": "import os\nfrom pkg.b import B\n",
            "pkg/b.py": "def f():\n    from pkg import c as other\n",
            "pkg/c.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import d\n",
            "pkg/d.py": "import pkg.a\n",
            "pkg/e.py": "from pkg import a\n",
        },
    )
    assert imports["pkg/e.py"] == {"pkg/a.py"}
    assert circles(imports) == [["pkg/a.py", "pkg/b.py", "pkg/c.py", "pkg/d.py"]]
    assert across_folders(circles(imports)) == []


def test_a_circle_across_folders_is_reported(tmp_path: Path) -> None:
    """The `__init__.py` of a package is in it when a name is imported from the package."""
    imports = write(
        tmp_path,
        {
            "pkg/__init__.py": "",
            "pkg/low/__init__.py": "from pkg.low.part import Part\n",
            "pkg/low/part.py": "from ..high import whole\n",
            "pkg/high/__init__.py": "",
            "pkg/high/whole.py": "from pkg.low import Part\n",
        },
    )
    circle = ["pkg/high/whole.py", "pkg/low/__init__.py", "pkg/low/part.py"]
    assert circles(imports) == [circle]
    assert across_folders([circle]) == [circle]


def test_imports_in_one_direction_are_no_circle(tmp_path: Path) -> None:
    imports = write(
        tmp_path,
        {
            "pkg/__init__.py": "",
            "pkg/a.py": "from pkg.b import B\nfrom pkg.c import C\n",
            "pkg/b.py": "from pkg.c import C\n",
            "pkg/c.py": "import typing\n",
        },
    )
    assert imports["pkg/a.py"] == {"pkg/b.py", "pkg/c.py"}
    assert circles(imports) == []


def test_a_folder_of_sixteen_files_is_counted(tmp_path: Path) -> None:
    write(tmp_path, {"pkg/__init__.py": "", **{f"pkg/many/m{number}.py": "" for number in range(16)}})
    assert folder_sizes(files(tmp_path, ["pkg"])) == {"pkg/many": 16}
