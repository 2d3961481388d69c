"""The fenced blocks of a Markdown document, so that tests run what a reader would paste."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^ *```(\w*)(?: (.+))?$")


@dataclass(frozen=True, slots=True)
class Block:
    """`words` are what follows the language, which readers do not see; `heading` is the nearest above."""

    heading: str
    language: str
    words: tuple[str, ...]
    text: str


def blocks(document: Path, language: str, heading: str | None = None) -> list[Block]:
    """The blocks in a language, in their order; with `heading` those of one section.

    AssertionError when there is none, so that no test passes because it finds nothing.
    """
    matching = [
        block
        for block in _blocks(document.read_text())
        if block.language == language and heading in (None, block.heading)
    ]
    assert matching, f"{document} has no block of {language}" + (f" below {heading!r}" if heading else "")
    return matching


def _blocks(text: str) -> list[Block]:
    result: list[Block] = []
    heading = ""
    lines = iter(text.splitlines(keepends=True))
    for line in lines:
        if opening := _FENCE.match(line):
            content = []
            for inner in lines:
                if inner.strip() == "```":
                    break
                content.append(inner)
            words = tuple((opening[2] or "").split())
            result.append(Block(heading, opening[1], words, "".join(content)))
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
    return result
