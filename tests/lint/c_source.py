"""Fragments of Rust, Go, Java, JavaScript, TypeScript and C++: identifiers, strings, comments.

`///` and `//!` of Rust are docs.

A lexer, no parser: it does not distinguish a declaration from a use, so that every identifier counts.
"""

import re
from collections.abc import Iterator

from tests.lint.fragment import Fragment, Kind

_STRING = r'"(?:\\.|[^"\\])*"'
_IDENTIFIER = r"(?P<identifier>[A-Za-z_]\w*)"
_COMMENT = r"(?P<line>//[^\n]*)|(?P<block>/\*)"
# In their order: `'a'` before `'a`, and a number with its suffix before an identifier.
_RUST = (
    _COMMENT,
    r'(?:b|c)?r(?P<hashes>\#*)"(?P<raw>.*?)"(?P=hashes)',
    rf"[bc]?(?P<string>{_STRING})",
    r"b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^\\'\n])'",
    r"'[A-Za-z_]\w*",
    r"\d\w*(?:\.\d\w*)?",
    rf"(?:r\#)?{_IDENTIFIER}",
)
_OTHERS = (
    _COMMENT,
    r"`(?P<raw>[^`]*)`",
    rf"(?P<string>{_STRING}|'(?:\\.|[^'\\\n])*')",
    r"\d\w*(?:\.\d\w*)?",
    _IDENTIFIER,
)
_LEXERS = {
    suffix: re.compile("|".join(parts), re.DOTALL)
    for suffix, parts in (
        (".rs", _RUST),
        (".go", _OTHERS),
        (".java", _OTHERS),
        (".js", _OTHERS),
        (".ts", _OTHERS),
        (".tsx", _OTHERS),
        (".cc", _OTHERS),
    )
}
SUFFIXES = frozenset(_LEXERS)
_BLOCK = re.compile(r"/\*|\*/")
_ESCAPE = re.compile(r"\\\s*\n\s*")


def fragments(source: str, suffix: str) -> Iterator[Fragment]:
    """All fragments of a file of one of `SUFFIXES`. Comments on lines that follow each other are one fragment."""
    comments: list[Fragment] = []
    for fragment in _tokens(source, suffix):
        if fragment.kind not in (Kind.COMMENT, Kind.DOCSTRING):
            yield fragment
            continue
        if comments and (comments[-1].kind, comments[-1].last_line + 1) != (fragment.kind, fragment.line):
            yield _joined(comments)
            comments = []
        comments.append(fragment)
    if comments:
        yield _joined(comments)


def _joined(comments: list[Fragment]) -> Fragment:
    first, last = comments[0], comments[-1]
    return Fragment(first.kind, first.line, "\n".join(part.text for part in comments), last.last_line)


def _tokens(source: str, suffix: str) -> Iterator[Fragment]:
    lexer = _LEXERS[suffix]
    offset, line = 0, 1
    while token := lexer.search(source, offset):
        line += source.count("\n", offset, token.start())
        end = token.end() if token["block"] is None else _block_end(source, token.start(), suffix == ".rs")
        last_line = line + source.count("\n", token.start(), end)
        if token["line"] is not None:
            text = token["line"]
            is_doc = suffix == ".rs" and re.match(r"//[/!](?!/)", text) is not None
            yield Fragment(Kind.DOCSTRING if is_doc else Kind.COMMENT, line, text.lstrip("/!"), line)
        elif token["block"] is not None:
            yield Fragment(Kind.COMMENT, line, source[token.start() : end], last_line)
        elif token["raw"] is not None:
            yield Fragment(Kind.STRING, line, token["raw"], last_line)
        elif token["string"] is not None:
            text = _ESCAPE.sub("\n", token["string"][1:-1])
            yield Fragment(Kind.STRING, line, text, last_line)
        elif token["identifier"] is not None:
            yield Fragment(Kind.IDENTIFIER, line, token["identifier"], line)
        offset, line = end, last_line


def _block_end(source: str, start: int, nested: bool) -> int:
    """The offset behind a block comment; those of Rust nest."""
    depth = 0
    for mark in _BLOCK.finditer(source, start):
        if mark[0] == "/*":
            depth = depth + 1 if nested else 1
        else:
            depth -= 1
            if not depth:
                return mark.end()
    return len(source)
