"""Go programs of the tests, built once for each state of their sources and kept outside of the checkout."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_SOURCES = (".go", ".mod", ".sum")


def cache() -> Path:
    """The folder for what is built once: `steerway` in the user's cache directory."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "steerway"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build(module: Path) -> Path:
    """The executable of the main package in the folder `module`; AssertionError with the compiler's words.

    Several test runs may ask at once: one builds, the others wait for it.
    """
    go = shutil.which("go")
    assert go is not None, "Go is needed to build the client of grpc-go: install Go 1.26 or newer"
    folder = cache() / "go" / f"{module.name}-{_fingerprint(module, go)}"
    program = folder / module.name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            unfinished = folder / "unfinished"
            command = [
                go,
                "build",
                "-mod=readonly",
                "-buildvcs=false",
                "-trimpath",
                "-o",
                str(unfinished),
                ".",
            ]
            done = subprocess.run(command, cwd=module, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"go build failed in {module}:\n{done.stderr}"
            unfinished.replace(program)
    return program


def _fingerprint(module: Path, go: str) -> str:
    """Changes with the sources, the dependencies and the compiler."""
    digest = hashlib.sha256(subprocess.check_output([go, "version"]))
    for path in _sources(module):
        digest.update(f"{path.relative_to(module)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _sources(module: Path) -> Iterator[Path]:
    found = sorted(path for path in module.rglob("*") if path.suffix in _SOURCES)
    assert found, f"{module} has no Go sources"
    yield from found
