"""Circles in the import graph of files, whatever their language, and the folders that they cross."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

Graph = dict[str, set[str]]
"""For each file the files that it imports; names are relative to a root, such as `steerway/app.py`."""


def circles(imports: Graph) -> list[list[str]]:
    """Sets of more than one node that all reach one another, the largest first."""
    reached = {node: _reachable(imports, node) for node in imports}
    components = {
        tuple(sorted({node, *(other for other in reached[node] if node in reached[other])}))
        for node in imports
    }
    return sorted((list(nodes) for nodes in components if len(nodes) > 1), key=len, reverse=True)


def across_folders(components: Iterable[list[str]]) -> list[list[str]]:
    """Circles with files in more than one folder."""
    return [nodes for nodes in components if len({folder_of(node) for node in nodes}) > 1]


def count_by_folder(names: Iterable[str]) -> dict[str, int]:
    """How many files each folder has."""
    return dict(Counter(map(folder_of, names)))


def folder_of(file: str) -> str:
    """The path of the folder; `.` for the root."""
    return Path(file).parent.as_posix()


def _reachable(imports: Graph, start: str) -> set[str]:
    reached: set[str] = set()
    pending = [start]
    while pending:
        for target in imports[pending.pop()] - reached:
            reached.add(target)
            pending.append(target)
    return reached
