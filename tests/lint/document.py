"""Fragments of Markdown, and the comments of files in which `#` begins one.

Code in Markdown is left out: it quotes names and output, which are checked where they are written.
"""

import re
from collections.abc import Iterator

from tests.lint.fragment import Fragment, Kind

HASH_SUFFIXES = frozenset({".toml", ".yaml", ".yml", ".sh", ".importlinter"})
HASH_NAMES = frozenset({"Makefile", ".importlinter", "Dockerfile"})
_FENCE = re.compile(
    r"^[ >]*(?P<mark>`{3,}|~{3,}).*?(?:^[ >]*(?P=mark)`*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_CODE = re.compile(r"(?P<mark>`+)(?!`).+?(?<!`)(?P=mark)(?!`)", re.DOTALL)
_TARGET = re.compile(r"(?<=\])\([^)\s]*\)|^\[[^\]]+\]: \S+|https?://\S+", re.MULTILINE)
_PARAGRAPH = re.compile(r"(?:[^\n]*\S[^\n]*(?:\n|\Z))+")
_HASH = re.compile(
    r"""(?: "(?:\\.|[^"\\\n])*" | (?<!\w)'[^'\n]*'    # a string
          | "(?![^"\n]*") | (?<=\w)' | '(?![^'\n]*')  # a quote that begins none
          | [^#"'\n] )*?
        (?:(?<=\s)|^) \#+ (?P<text>[^\n]*)""",
    re.VERBOSE,
)


def prose(source: str) -> Iterator[Fragment]:
    """The paragraphs of a Markdown document, without code and link targets."""
    for part in (_FENCE, _CODE, _TARGET):
        source = part.sub(_blank, source)
    for paragraph in _PARAGRAPH.finditer(source):
        line = source.count("\n", 0, paragraph.start()) + 1
        yield Fragment(Kind.PROSE, line, paragraph[0], line + paragraph[0].count("\n"))


def hash_comments(source: str) -> Iterator[Fragment]:
    """Comments that begin with `#`, line by line."""
    for number, line in enumerate(source.splitlines(), 1):
        if "#" in line and (comment := _HASH.match(line)):
            yield Fragment(Kind.COMMENT, number, comment["text"], number)


def _blank(code: re.Match[str]) -> str:
    """As many characters, and as many lines, as the code has. `x` is no word of the list; spaces would join phrases."""
    return re.sub(r"\S", "x", code[0])
