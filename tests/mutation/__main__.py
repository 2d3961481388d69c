"""`make mutants`: which mutations the tests notice, and which survive. Exit code 1 when one survives.

`python -m tests.mutation [AREA] [--only TEXT]`: those of one list (`catalog`, `engine` and so on), or whose description
holds a text. Each is applied to one copy of the tree, whose tests must pass before.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path

from tests.mutation.mutation import ROOT, Mutation, mutations

_MOST_SECONDS = 900
"""A mutated program that never ends is noticed, too."""
_PARTS = ("src", "tests", "docs", "deploy", "bench", "rust", "pyproject.toml", "README.md", "Makefile")
_LEFT_OUT = shutil.ignore_patterns("target", "__pycache__", ".hypothesis", "node_modules")
_FAILED = {"pytest": 1, "cargo": 101}
"""The exit code of a run in which a test failed. Others: it could not run."""


class Result(Enum):
    KILLED = "killed"
    SURVIVED = "SURVIVED"
    BROKEN = "BROKEN"
    """The tests could not run with it: it is no program."""


class Tree:
    """A copy of the product, to mutate. Compiled Rust is kept beside that of the product."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._environment = os.environ | {
            "PYTHONPATH": str(root / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CARGO_TARGET_DIR": str(ROOT / "rust" / "target" / "mutation"),
        }
        for part in _PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, root / part, ignore=_LEFT_OUT)
            else:
                shutil.copy(source, root)

    def result(self, mutation: Mutation) -> Result:
        """What the tests of a mutation make of it. The tree is as before afterwards."""
        path = self._root / mutation.path
        original = path.read_text()
        path.write_text(mutation.mutated(self._root))
        try:
            if mutation.native:
                if self._cargo("--no-run") != 0:
                    return Result.BROKEN
                # Most are noticed by a table; the models take most of the time.
                quick = _result(self._cargo("--", "--skip", "model"), "cargo")
                return quick if quick is Result.KILLED else _result(self._cargo(), "cargo")
            return _result(self._pytest(mutation.tests), "pytest")
        finally:
            path.write_text(original)

    def passes(self, wanted: Iterable[Mutation]) -> bool:
        """Whether all tests pass without a mutation: a test that fails anyway notices nothing."""
        tests = {test for mutation in wanted for test in mutation.tests}
        native = any(mutation.native for mutation in wanted)
        return (not tests or self._pytest(sorted(tests)) == 0) and (not native or self._cargo() == 0)

    def _pytest(self, tests: Sequence[str]) -> int:
        # Fixed examples: what a random one notices today may survive tomorrow.
        options = ("-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=1")
        return self._run([sys.executable, "-m", "pytest", *options, *tests])

    def _cargo(self, *options: str) -> int:
        manifest = str(self._root / "rust" / "Cargo.toml")
        return self._run(
            ["cargo", "test", "--locked", "--manifest-path", manifest, "-p", "steerway-engine", *options]
        )

    def _run(self, command: list[str]) -> int:
        try:
            done = subprocess.run(
                command,
                cwd=self._root,
                env=self._environment,
                capture_output=True,
                timeout=_MOST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _FAILED["cargo" if command[0] == "cargo" else "pytest"]
        return done.returncode


def _result(code: int, tool: str) -> Result:
    if code == 0:
        return Result.SURVIVED
    return Result.KILLED if code == _FAILED[tool] else Result.BROKEN


def main() -> int:
    """Run, print one line per mutation and the score; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("area", nargs="?", default="", help="one list, such as catalog")
    parser.add_argument("--only", default="", help="mutations whose description holds this text")
    chosen = parser.parse_args()
    wanted = [each for each in mutations(chosen.area) if chosen.only in str(each)]
    with tempfile.TemporaryDirectory(prefix="steerway-mutation-") as folder:
        tree = Tree(Path(folder))
        print(f"{len(wanted)} mutations; their tests run without one first", flush=True)
        if not tree.passes(wanted):
            print("the tests fail without a mutation: run them alone and correct them", file=sys.stderr)
            return 2
        counts: Counter[Result] = Counter()
        for mutation in wanted:
            result = tree.result(mutation)
            counts[result] += 1
            print(f"{result.value:<8} {mutation}", flush=True)
    print(f"score: {counts[Result.KILLED]} of {len(wanted)} killed")
    return 0 if counts[Result.KILLED] == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
