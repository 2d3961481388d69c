"""Tests use one generous deadline: a busy machine exceeds a short one."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDERS = ("tests", "testbed")
WAITS = ("timeout", "wait_for")
"""Functions of asyncio that end a wait; the limit is the last argument without a name."""


def limits(source: Path) -> list[tuple[str, int, ast.expr]]:
    """Path, line and limit of each wait in a file."""
    calls = (node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Call))
    return [
        (str(source.relative_to(ROOT)), call.lineno, call.args[-1])
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in WAITS and call.args
        if isinstance(call.func.value, ast.Name) and call.func.value.id == "asyncio"
    ]


def test_the_limit_of_a_wait_is_that_of_all_tests() -> None:
    """`PATIENCE_SECONDS`, which only ends a test that hangs."""
    results = [
        limit
        for folder in FOLDERS
        for source in sorted((ROOT / folder).rglob("*.py"))
        for limit in limits(source)
    ]
    assert len(results) > 20
    assert [(path, line) for path, line, limit in results if isinstance(limit, ast.Constant)] == []
