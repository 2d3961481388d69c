"""Messages to users name only what an installed program has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[3] / "src" / "steerway"
_OF_THE_CHECKOUT = re.compile(
    r"\b(docs|deploy|tests|testbed|examples|src)/|\.md\b|\bmake [a-z]+-|CONTRIBUTING|README"
)


def texts(tree: ast.AST) -> Iterator[ast.Constant]:
    """String literals that are not docstrings: of modules, classes, functions and attributes."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node


def test_no_message_names_a_file_of_the_repository() -> None:
    """A wheel has no docs folder: hints name a command, a flag or a setting."""
    scanned, pointing = 0, []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in texts(ast.parse(path.read_text("utf-8"))):
            scanned += 1
            if _OF_THE_CHECKOUT.search(str(node.value)):
                pointing.append(f"{path.relative_to(SOURCE)}:{node.lineno}: {node.value}")
    assert scanned > 5000
    assert pointing == []
