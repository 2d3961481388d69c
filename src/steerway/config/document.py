"""The settings file: YAML, read with the line of each key. Keys of k8s-xds are accepted too.

Maps each value to its setting and its location in the file. It does not check the value.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from steerway.config.name import nearest
from steerway.config.setting import PREFIXES, SETTINGS

ALIASES = {
    "nodeId": "identifier",
    "maxConcurrentStreams": "max_concurrent_streams",
    "managementServer.port": "listen",
    "upstreamServices": "upstream_services",
}
"""Keys of the `app.yaml` of k8s-xds, and the setting that each sets."""

_BOOLEAN = "tag:yaml.org,2002:bool"
_STRING = "tag:yaml.org,2002:str"
_ALIAS_PREFIXES = frozenset(alias.rpartition(".")[0] for alias in ALIASES if "." in alias)


class Given(NamedTuple):
    """A value and its origin. `where` names the location and the key, variable or flag; `text`: the value is a string
    that represents any type, as in the environment."""

    value: Any
    where: str
    text: bool = False


class _Key(NamedTuple):
    """One key of the file: its dotted path, its line (from 1) and its value."""

    path: str
    line: int
    value: Any


def read(path: Path, errors: list[str]) -> dict[str, Given]:
    """The settings in a file, by name. Appends errors in the file to `errors`.

    A key without a value (`upstreamServices:`) counts as not given.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        errors.append(f"{path}: cannot read the settings file: {reason}")
        return {}
    try:
        keys = list(_keys(text, path, errors))
    except yaml.YAMLError as error:
        errors.append(_syntax_error(path, error))
        return {}
    given: dict[str, Given] = {}
    first: dict[str, _Key] = {}
    for key in keys:
        setting = ALIASES.get(key.path, key.path)
        if (other := first.setdefault(setting, key)) is not key:
            same = "is given twice" if other.path == key.path else f"means the same as {other.path}"
            errors.append(f"{path}:{key.line}: {key.path} {same} (line {other.line}): keep one of them")
        elif key.value is not None:
            where = f"{path}:{key.line}: {key.path}"
            if key.path != "managementServer.port":
                given[setting] = Given(key.value, where)
            elif type(key.value) is int and 0 <= key.value <= 65535:
                given[setting] = Given(f"0.0.0.0:{key.value}", where)  # k8s-xds listens on every interface
            else:
                errors.append(f"{where} must be a port from 0 to 65535, not {key.value!r}")
    return given


def _keys(text: str, path: Path, errors: list[str]) -> Iterator[_Key]:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return
        if not isinstance(root, yaml.MappingNode):
            errors.append(
                f"{path}:{root.start_mark.line + 1}: the settings file must be a mapping of keys to values"
            )
            return
        yield from _walk(loader, root, "", path, errors)
    finally:
        loader.dispose()


def _walk(
    loader: yaml.SafeLoader, node: yaml.MappingNode, prefix: str, path: Path, errors: list[str]
) -> Iterator[_Key]:
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        name = prefix + str(loader.construct_object(key_node, deep=True))
        if name in SETTINGS or name in ALIASES:
            if SETTINGS[ALIASES.get(name, name)].base is not bool:
                _take_words(value_node)
            yield _Key(name, line, loader.construct_object(value_node, deep=True))
        elif name not in PREFIXES and name not in _ALIAS_PREFIXES:
            errors.append(
                f"{path}:{line}: unknown key {name}{nearest(name, [*SETTINGS, *ALIASES, *PREFIXES])}"
            )
        elif isinstance(value_node, yaml.MappingNode):
            yield from _walk(loader, value_node, f"{name}.", path, errors)
        elif loader.construct_object(value_node, deep=True) is not None:
            errors.append(f"{path}:{line}: {name} must be a mapping of keys to values")


def _take_words(value: yaml.Node) -> None:
    """Read `off`, `on`, `yes` and `no` as words. YAML 1.1 reads them as booleans, YAML 1.2 does not."""
    nodes, visited = [value], set()
    while nodes:
        node = nodes.pop()
        if id(node) in visited:  # an alias of a node that contains it
            continue
        visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            nodes += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif node.tag == _BOOLEAN and node.value.lower() not in ("true", "false"):
            node.tag = _STRING


def _syntax_error(path: Path, error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{path}:{error.problem_mark.line + 1}: not valid YAML: {error.problem or error.context}"
    return f"{path}: not valid YAML: {str(error).splitlines()[0]}"
