"""Go programs of the tests, built once for each state of their sources and kept outside of the checkout."""

import collections
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

_SOURCES = (".go", ".mod", ".sum")
_PROGRESS_SECONDS = 20.0
_KEPT_LINES = 40
_NETWORK = ("dial tcp", "no such host", "i/o timeout", "proxyconnect", "connection refused", "TLS handshake")

Say = Callable[[str], None]


class BuildError(AssertionError):
    """Go is missing or the build failed; the text says what to do."""


def say_on_stderr(line: str) -> None:
    """Tell people that a long build goes on."""
    print(line, file=sys.stderr, flush=True)


def cache() -> Path:
    """The folder for what is built once: `steerway` in the user's cache directory."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "steerway"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build(module: Path, flags: Sequence[str] = (), say: Say = say_on_stderr, **environment: str) -> Path:
    """The executable of the main package in the folder `module`.

    `flags` are further flags of `go build`, `environment` is added to ours. Several test runs may ask at once: one
    builds, the others wait for it. Raises BuildError, with the compiler's words.
    """
    go = shutil.which("go")
    if go is None:
        raise BuildError(f"Go is needed to build {module.name}: install Go 1.26 or newer")
    folder = cache() / f"{module.name}-{_fingerprint(module, go, flags, environment)}"
    program = folder / module.name
    if program.exists():
        return program
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        _lock(lock, lambda: say(f"{module.name}: another process builds it; waiting"))
        if not program.exists():
            unfinished = folder / "unfinished"
            fixed = ["-mod=readonly", "-buildvcs=false", "-trimpath", "-v", "-o", str(unfinished)]
            _run([go, "build", *fixed, *flags, "."], module, {**os.environ, **environment}, say)
            unfinished.replace(program)
    return program


def _lock(lock: IO[str], on_wait: Callable[[], None]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        on_wait()
        fcntl.flock(lock, fcntl.LOCK_EX)


def _run(command: list[str], module: Path, environment: dict[str, str], say: Say) -> None:
    """Run `go build -v`, which names each module that it fetches and each package that it compiles."""
    begin = told = time.monotonic()
    fetched = compiled = 0
    newest: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
    with subprocess.Popen(command, cwd=module, env=environment, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        try:
            for line in child.stderr:
                newest.append(line.rstrip())
                fetched, compiled = (
                    (fetched + 1, compiled) if line.startswith("go: downloading") else (fetched, compiled + 1)
                )
                now = time.monotonic()
                if now - told >= _PROGRESS_SECONDS:
                    told = now
                    say(f"{module.name}: {now - begin:.0f} s, {fetched} modules fetched, {compiled} packages")
        except BaseException:
            child.terminate()
            raise
    if child.returncode:
        raise BuildError(_complaint(module, list(newest)))


def _complaint(module: Path, newest: list[str]) -> str:
    text = "\n".join(newest)
    cure = ""
    if any(sign in text for sign in _NETWORK):
        cure = "\nGo modules could not be fetched: check this machine's network and `go env GOPROXY`"
    return f"go build failed in {module}:\n{text}{cure}"


def _fingerprint(module: Path, go: str, flags: Sequence[str], environment: dict[str, str]) -> str:
    """Changes with the sources, the dependencies, the compiler and how it is called."""
    digest = hashlib.sha256(subprocess.check_output([go, "version"]))
    digest.update(repr((list(flags), sorted(environment.items()))).encode())
    for path in _sources(module):
        digest.update(f"{path.relative_to(module)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _sources(module: Path) -> Iterator[Path]:
    found = sorted(path for path in module.rglob("*") if path.suffix in _SOURCES)
    assert found, f"{module} has no Go sources"
    yield from found
