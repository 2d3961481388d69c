"""The import graph of Python packages, read from their sources without importing them.

An edge goes from a file to each file that it imports, wherever the import stands: in a function and under
`TYPE_CHECKING`, too. `from package import name` leads to the module of that name, otherwise to the `__init__.py` of the
package. Not read: imports by `importlib`, and the implicit import of the packages around a module.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.structure.graph import Graph, count_by_folder


def files(root: Path, packages: Iterable[str]) -> list[str]:
    """The Python files of packages below `root`."""
    return sorted(
        path.relative_to(root).as_posix() for package in packages for path in (root / package).rglob("*.py")
    )


def graph(root: Path, packages: Iterable[str]) -> Graph:
    """The import graph of packages below `root`."""
    modules = {_module(file): file for file in files(root, packages)}
    return {
        file: {modules[target] for target in _targets(root / file, module, modules)} - {file}
        for module, file in modules.items()
    }


def folder_sizes(names: Iterable[str]) -> dict[str, int]:
    """How many files each folder has, without `__init__.py`."""
    return count_by_folder(name for name in names if not name.endswith("/__init__.py"))


def _targets(path: Path, module: str, modules: dict[str, str]) -> Iterator[str]:
    """The modules of `modules` that a file imports."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            for alias in node.names:
                name = f"{base}.{alias.name}"
                target = name if name in modules else base
                if target in modules:
                    yield target


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module behind `from`, without leading dots."""
    if node.level == 0:
        return node.module or ""
    parts = package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
