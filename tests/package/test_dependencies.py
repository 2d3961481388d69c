"""What is declared, pinned and installed agrees: pyproject.toml, constraints.txt, the image, the wheel."""

import ast
import re
import sys
import tomllib
import zipfile
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.audit.advisory import pins
from tests.package.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pinned(path: str) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in pins((ROOT / path).read_text()).items()}


def declared(*extras: str) -> list[Requirement]:
    lines = [*PROJECT["dependencies"]]
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def test_every_declared_dependency_is_pinned_with_hashes() -> None:
    """Within its bounds; `make constraints` writes both files."""
    for path, requirements in (
        ("constraints.txt", declared("dev", "demo")),
        ("deploy/image/requirements.txt", declared()),
    ):
        versions = pinned(path)
        assert len(versions) > 20
        wrong = [
            str(requirement)
            for requirement in requirements
            if (version := versions.get(canonicalize_name(requirement.name))) is None
            or Version(version) not in requirement.specifier
        ]
        assert wrong == [], f"run make constraints: {path}"
        packages = re.split(r"\n(?=[A-Za-z])", (ROOT / path).read_text())[1:]
        assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []


def test_the_image_has_the_versions_that_are_tested() -> None:
    image, tested = pinned("deploy/image/requirements.txt"), pinned("constraints.txt")
    assert image == {name: tested[name] for name in image}


def test_every_import_is_declared() -> None:
    """A package that another one happens to install may disappear with it."""
    names = {canonicalize_name(requirement.name) for requirement in declared("top")}
    owners = packages_distributions()
    imported: dict[str, Path] = {}
    for file in (ROOT / "src/steerway").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            imported |= {module.partition(".")[0]: file for module in modules}
    third = set(imported) - set(sys.stdlib_module_names) - {"steerway", "udpa", "validate"}
    assert len(third) > 8
    undeclared = {
        module: str(imported[module])
        for module in third
        if not {canonicalize_name(owner) for owner in owners.get(module, [])} & names
    }
    assert undeclared == {}


def test_the_wheel_is_complete(wheel: Path) -> None:
    """Types, license, both commands, one version, and a description without links into a checkout."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("METADATA"))
        (commands,) = (archive.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    assert {"steerway/py.typed", "steerway/_engine.pyi", "steerway/_engine.abi3.so"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    page = {name for name in names if name.startswith("steerway/admin/static/")}
    assert {Path(name).suffix for name in page} == {".html", ".css", ".js"}, "run make page"
    assert not [name for name in names if name.startswith(("tests", "testbed", "bench", "demo"))]
    for command in ("steerway", "kubectl-steerway"):
        assert f"{command}=steerway.cli:main" in commands.replace(" ", "")
    version = tomllib.loads((ROOT / "rust/Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert f"\nVersion: {version}\n" in metadata
    assert distribution("steerway").version == version, "run make build"
    assert re.findall(r"\]\((?!https:)[^)]*\)", metadata) == []
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text(), (
        "the release has no entry in CHANGELOG.md"
    )
