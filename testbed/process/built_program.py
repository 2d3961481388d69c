"""Programs of the tests in other languages, built once for each state of their sources, outside of the checkout.

What a language needs is a `Recipe` (`go_program`, `java_program`, `node_program`); this module knows no compiler.
"""

import collections
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_PROGRESS_SECONDS = 20.0
_KEPT_LINES = 40

Progress = Callable[[str], None]


class BuildError(AssertionError):
    """A tool is missing or the build failed; the text names the fix."""


@dataclass(frozen=True)
class Tool:
    """A command that a build needs. `install` is the package and version to install when it is missing; `version` are
    the arguments that print its version, where that makes a difference to the program."""

    name: str
    install: str
    version: tuple[str, ...] = ()

    def path(self, program: str) -> str:
        """Where it is installed. BuildError when it is not."""
        executable = shutil.which(self.name)
        if executable is None:
            raise BuildError(f"{self.name} is needed to build {program}: install {self.install}")
        return executable


@dataclass(frozen=True)
class Recipe:
    """How the folder `source` becomes a program.

    `patterns` are globs of the files that the program is made of. `command` gives the command that makes the program,
    an executable or a folder, at the path that it gets; `in_copy`: the command runs in that path, a copy of the
    sources, instead of in `source`. `options` are what else of the command makes another program. `network` are words
    of a failure to fetch dependencies, `hint` names what to check then.
    """

    source: Path
    tools: tuple[Tool, ...]
    patterns: tuple[str, ...]
    command: Callable[[Path], Sequence[str]]
    network: tuple[str, ...]
    hint: str
    in_copy: bool = False
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.source.name


def progress_on_stderr(line: str) -> None:
    """Report that a long build goes on."""
    print(line, file=sys.stderr, flush=True)


def cache() -> Path:
    """The folder for what is built once: `steerway` in the user's cache directory."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "steerway"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build(recipe: Recipe, write_line: Progress = progress_on_stderr) -> Path:
    """The program of a recipe. Several test runs may ask at once: one builds, the others wait for it.

    Raises BuildError, with the output of the failed command.
    """
    folder = cache() / f"{recipe.name}-{_fingerprint(recipe)}"
    program = folder / recipe.name
    if program.exists():
        return program
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        _lock(lock, lambda: write_line(f"{recipe.name}: another process builds it; waiting"))
        if not program.exists():
            unfinished = folder / "unfinished"
            _remove(unfinished)
            if recipe.in_copy:
                _copy(recipe, unfinished)
            _run(recipe, unfinished, write_line)
            unfinished.replace(program)
    return program


def _lock(lock: IO[str], on_wait: Callable[[], None]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        on_wait()
        fcntl.flock(lock, fcntl.LOCK_EX)


def _remove(path: Path) -> None:
    """Remove what a build that was ended has left."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _copy(recipe: Recipe, folder: Path) -> None:
    for path in _sources(recipe):
        copied = folder / path.relative_to(recipe.source)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)


def _run(recipe: Recipe, unfinished: Path, write_line: Progress) -> None:
    """Run the command; now and then, report its newest line."""
    begin = reported = time.monotonic()
    newest: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
    command = [*recipe.command(unfinished)]
    with subprocess.Popen(
        command,
        cwd=unfinished if recipe.in_copy else recipe.source,
        env={**os.environ, **recipe.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                newest.append(line.rstrip())
                now = time.monotonic()
                if now - reported >= _PROGRESS_SECONDS:
                    reported = now
                    write_line(f"{recipe.name}: {now - begin:.0f} s, {newest[-1]}")
        except BaseException:
            child.terminate()
            raise
    if child.returncode:
        raise BuildError(_complaint(recipe, Path(command[0]).name, list(newest)))


def _complaint(recipe: Recipe, tool: str, newest: list[str]) -> str:
    text = "\n".join(newest)
    hint = f"\n{recipe.hint}" if any(sign in text for sign in recipe.network) else ""
    return f"{tool} failed in {recipe.source}:\n{text}{hint}"


def _fingerprint(recipe: Recipe) -> str:
    """Changes with the sources, the dependencies, the tools and how they are called."""
    digest = hashlib.sha256()
    for tool in recipe.tools:
        path = tool.path(recipe.name)
        if tool.version:
            digest.update(subprocess.check_output([path, *tool.version], stderr=subprocess.STDOUT))
    digest.update(repr((list(recipe.options), sorted(recipe.environment.items()))).encode())
    for path in _sources(recipe):
        digest.update(f"{path.relative_to(recipe.source)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _sources(recipe: Recipe) -> Iterator[Path]:
    paths = sorted({path for pattern in recipe.patterns for path in recipe.source.glob(pattern)})
    assert paths, f"{recipe.source} has no {' or '.join(recipe.patterns)}"
    yield from paths
