"""The table of values in the chart's README, from the comments in values.yaml.

A comment that starts with `# -- ` describes the value below it, with its key as a dotted path; further comment lines
go on with it. Values below a described mapping are a part of it.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

_MARK = "# -- "


class Value(NamedTuple):
    """One value: its dotted path, its default, and its description ("" without one)."""

    path: str
    default: Any
    description: str


def values(text: str) -> Iterator[Value]:
    """The described values of a values.yaml, and each other value that is no mapping."""
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        assert isinstance(root, yaml.MappingNode)
        yield from _walk(loader, root, "", text.splitlines())
    finally:
        loader.dispose()


def table(text: str) -> str:
    """The values as a table of Markdown."""
    rows = ["| value | default | |", "|---|---|---|"]
    for value in values(text):
        default = json.dumps(value.default, ensure_ascii=False).replace("|", "\\|")
        rows.append(f"| `{value.path}` | `{default}` | {value.description.replace('|', chr(92) + '|')} |")
    return "\n".join(rows) + "\n"


def _walk(loader: yaml.SafeLoader, node: yaml.MappingNode, prefix: str, lines: list[str]) -> Iterator[Value]:
    for key_node, value_node in node.value:
        path = f"{prefix}{key_node.value}"
        description = _description(lines, key_node.start_mark.line)
        if isinstance(value_node, yaml.MappingNode) and value_node.value and not description:
            yield from _walk(loader, value_node, f"{path}.", lines)
        else:
            yield Value(path, loader.construct_object(value_node, deep=True), description)


def _description(lines: list[str], line: int) -> str:
    """The comment above a line (from 0), without its marks."""
    start = line
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    comment = [text.strip() for text in lines[start:line]]
    first = next((index for index, text in enumerate(comment) if text.startswith(_MARK)), None)
    if first is None:
        return ""
    return " ".join(
        [comment[first].removeprefix(_MARK), *(text.lstrip("# ") for text in comment[first + 1 :])]
    )
