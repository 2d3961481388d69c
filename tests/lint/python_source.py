"""Fragments of Python: names where they are bound, keyword arguments, docstrings, strings and comments.

Names are read where they are bound, not where they are used: the project does not choose the names of libraries.
"""

import ast
import io
import tokenize
from collections.abc import Iterator

from tests.lint.fragment import Fragment, Kind


def fragments(source: str) -> Iterator[Fragment]:
    """All fragments of a module. Raises SyntaxError."""
    tree = ast.parse(source)
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            kind = Kind.DOCSTRING if id(node) in docstrings else Kind.STRING
            yield Fragment(kind, node.lineno, node.value, node.end_lineno or node.lineno)
        elif isinstance(node, ast.keyword) and node.arg:
            yield Fragment(Kind.KEYWORD, node.lineno, node.arg, node.lineno)
        else:
            for line, name in _bound(node):
                yield Fragment(Kind.IDENTIFIER, line, name, line)
    yield from _comments(source)


def _bound(node: ast.AST) -> Iterator[tuple[int, str]]:
    """The names that a node binds, with their lines."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.lineno, node.name
        case ast.arg():
            yield node.lineno, node.arg
        case ast.Name(ctx=ast.Store()):
            yield node.lineno, node.id
        case ast.Attribute(ctx=ast.Store()):
            yield node.lineno, node.attr
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield node.lineno, name
        case ast.MatchMapping(rest=str(name)):
            yield node.lineno, name
        case ast.alias(asname=str(name)):
            yield node.lineno, name


def _comments(source: str) -> Iterator[Fragment]:
    """Comments; those on lines of their own that follow each other are one fragment."""
    first = last = 0
    texts: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, column = token.start
        alone = not token.line[:column].strip()
        if texts and not (alone and line == last + 1):
            yield Fragment(Kind.COMMENT, first, "\n".join(texts), last)
            texts = []
        if not texts:
            first = line
        texts.append(token.string.lstrip("#"))
        last = line
    if texts:
        yield Fragment(Kind.COMMENT, first, "\n".join(texts), last)
