"""A copy of the product to mutate, and the result of its tests."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path

from tests.mutation.mutation import ROOT, Mutation

_MOST_SECONDS = 300
"""Many times what any tests of a mutation take."""
_PARTS = ("src", "tests", "docs", "deploy", "bench", "rust", "pyproject.toml", "README.md", "Makefile")
_LEFT_OUT = shutil.ignore_patterns("target", "__pycache__", ".hypothesis", "node_modules")
_FAILED = {"pytest": 1, "cargo": 101}
"""The exit code of a run in which a test failed. Others: it could not run."""
_TARGET = ROOT / "rust" / "target" / "mutation"


class Result(Enum):
    KILLED = "killed"
    ENDLESS = "endless"
    """The tests did not end, which is noticed, too."""
    SURVIVED = "SURVIVED"
    BROKEN = "BROKEN"
    """The tests could not run with it: it is no program."""

    @property
    def noticed(self) -> bool:
        return self in (Result.KILLED, Result.ENDLESS)


class Tree:
    """A copy of the product. Compiled Rust is kept beside that of the product, for one tree at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._environment = os.environ | {
            "PYTHONPATH": str(root / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CARGO_TARGET_DIR": str(_TARGET),
            "CARGO_PROFILE_TEST_DEBUG": "0",
            # Only the failure counts, not its smallest example.
            "PROPTEST_MAX_SHRINK_ITERS": "0",
        }
        root.mkdir()
        for part in _PARTS:
            source = ROOT / part
            if source.is_dir():
                # New modification times: cargo would reuse the mutation that an earlier run compiled.
                shutil.copytree(source, root / part, ignore=_LEFT_OUT, copy_function=shutil.copy)
            else:
                shutil.copy(source, root)

    def result(self, mutation: Mutation) -> Result:
        """The result of a mutation's tests. The tree is restored afterwards."""
        path = self._root / mutation.path
        original = path.read_text()
        path.write_text(mutation.mutated(self._root))
        try:
            return self._native() if mutation.native else self._python(mutation.tests)
        finally:
            path.write_text(original)

    def passes(self, wanted: Iterable[Mutation]) -> bool:
        """Whether all tests pass without a mutation: a test that always fails detects nothing."""
        tests = {test for mutation in wanted if not mutation.native for test in mutation.tests}
        native = any(mutation.native for mutation in wanted)
        return (not tests or self._pytest(sorted(tests)) == 0) and (not native or self._cargo() == 0)

    def _python(self, tests: Sequence[str]) -> Result:
        return _result(self._pytest(tests), "pytest")

    def _native(self) -> Result:
        if self._cargo("--no-run") != 0:
            return Result.BROKEN
        # Table tests detect most; the models take most of the time.
        quick = _result(self._cargo("--", "--skip", "model"), "cargo")
        return quick if quick.noticed else _result(self._cargo("model"), "cargo")

    def _pytest(self, tests: Sequence[str]) -> int | None:
        # Fixed examples: random ones would make the result vary.
        options = ("-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=1", "--hypothesis-profile=first")
        return self._run([sys.executable, "-m", "pytest", *options, *tests])

    def _cargo(self, *options: str) -> int | None:
        manifest = str(self._root / "rust" / "Cargo.toml")
        package = ("-p", "steerway-engine", "--lib", "--tests")
        return self._run(["cargo", "test", "--locked", "--manifest-path", manifest, *package, *options])

    def _run(self, command: list[str]) -> int | None:
        """The exit code; None after a timeout, which ends all child processes."""
        process = subprocess.Popen(
            command,
            cwd=self._root,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait(_MOST_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _result(code: int | None, tool: str) -> Result:
    if code is None:
        return Result.ENDLESS
    if code == 0:
        return Result.SURVIVED
    return Result.KILLED if code == _FAILED[tool] else Result.BROKEN
