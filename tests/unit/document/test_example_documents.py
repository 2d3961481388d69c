"""The READMEs of examples/ are short and alike, and what the examples depend on is pinned."""

import json
import re
from typing import get_args

import pytest

from testbed import markdown
from testbed.process.example_program import FOLDER, Language

LANGUAGES: tuple[Language, ...] = get_args(Language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_readme_fits_on_a_page(language: Language) -> None:
    readme = FOLDER / language / "README.md"
    text = readme.read_text()
    assert len(text.splitlines()) <= 60
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["Dependencies", "From DNS to xDS", "Build", "Run", "Limits"]
    run = markdown.blocks(readme, "sh", "Run")[0].text
    assert [" dns:///" in run, " xds:///" in run, "GRPC_XDS_BOOTSTRAP=" in run] == [True, True, True]


def test_packages_of_node_are_pinned_without_addresses() -> None:
    lock = json.loads((FOLDER / "node/package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert len(packages) > 50
    assert [name for name, package in packages.items() if "resolved" in package] == []
    direct = json.loads((FOLDER / "node/package.json").read_text())["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in direct} == direct


def test_packages_of_python_are_pinned() -> None:
    lines = (FOLDER / "python/requirements.txt").read_text().splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert len(packages) > 10
    assert [line for line in packages if not re.fullmatch(r"[\w-]+==[\w.]+", line)] == []
