"""A piece of a file that the words lint reads: an identifier, or a text in its place."""

import re
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The kinds of fragments. The value is what a message calls it."""

    IDENTIFIER = "an identifier"
    KEYWORD = "a keyword argument"
    PATH = "a file name"
    DOCSTRING = "a docstring"
    COMMENT = "a comment"
    STRING = "a string"
    PROSE = "prose"

    @property
    def is_name(self) -> bool:
        return self in (Kind.IDENTIFIER, Kind.KEYWORD, Kind.PATH)


@dataclass(frozen=True, slots=True)
class Fragment:
    """`line` is the line of the first character, from 1. `last_line` bounds the line of a match in `text`:
    a string of one line in the source may contain line breaks."""

    kind: Kind
    line: int
    text: str
    last_line: int

    def line_at(self, offset: int) -> int:
        return min(self.line + self.text.count("\n", 0, offset), self.last_line)


_KEY = re.compile(r"-{0,2}[A-Za-z_][A-Za-z0-9_]*(?:[-._/][A-Za-z0-9_]+)*")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def is_key(text: str) -> bool:
    """Whether a string is a key, a flag or a name, not a sentence."""
    return _KEY.fullmatch(text) is not None


def snake_case(name: str) -> str:
    """The words of a name in any spelling: `HTTPRoute`, `http-route` and `_http_route` are `http_route`."""
    return "_".join(part.lower() for part in _PARTS.findall(name))
