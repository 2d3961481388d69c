"""A JSON patch (RFC 6902) of a pod that only adds: to lists that exist, or in place of absent ones."""

from collections.abc import Mapping
from typing import Any

Operation = dict[str, Any]


class Patch:
    """Collects operations in the order of their application."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def extend(self, parent: Mapping[str, Any], path: str, key: str, items: list[dict[str, Any]]) -> None:
        """Append to the list `key` of the object `parent`, which is at `path`."""
        if not items:
            return
        if not parent.get(key):
            self._add(f"{path}/{key}", items)
        else:
            for item in items:
                self._add(f"{path}/{key}/-", item)

    def set_all(self, parent: Mapping[str, Any], path: str, key: str, entries: Mapping[str, str]) -> None:
        """Set entries of the map `key` of the object `parent`, which is at `path`."""
        if not entries:
            return
        if not parent.get(key):
            self._add(f"{path}/{key}", dict(entries))
        else:
            for name, value in entries.items():
                self._add(f"{path}/{key}/{_escaped(name)}", value)

    def _add(self, path: str, value: object) -> None:
        self.operations.append({"op": "add", "path": path, "value": value})


def _escaped(key: str) -> str:
    """RFC 6901, section 3."""
    return key.replace("~", "~0").replace("/", "~1")
