"""Application of a JSON patch (RFC 6902): `add`, `replace` and `test`."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any


class PatchError(ValueError):
    """A path does not exist, or a test fails."""


def patched(manifest: Mapping[str, Any], operations: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A changed copy. Raises PatchError."""
    result = copy.deepcopy(dict(manifest))
    for operation in operations:
        _apply(result, operation)
    return result


def _apply(document: dict[str, Any], operation: Mapping[str, Any]) -> None:
    path = operation["path"]
    # RFC 6901, section 4.
    *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
    try:
        target: Any = document
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        key: Any = int(last) if isinstance(target, list) and last != "-" else last
        match operation["op"]:
            case "test":
                if target[key] != operation["value"]:
                    raise PatchError(f"test of {path} failed")
            case "add" if isinstance(target, list):
                target.insert(len(target) if key == "-" else key, copy.deepcopy(operation["value"]))
            case "replace" if key not in target:
                raise PatchError(f"{path} does not exist")
            case "add" | "replace":
                target[key] = copy.deepcopy(operation["value"])
            case other:
                raise PatchError(f"operation {other} is not supported")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise PatchError(f"{path}: {error}") from None
