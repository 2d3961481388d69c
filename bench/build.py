"""Builds the native programs of the benchmark; what is up to date is left as it is."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


class BuildError(Exception):
    """A tool is missing or a build failed; the text names the fix."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the programs. `go_control_plane` is None when it was not asked for."""

    fleet: Path
    floor: Path
    go_control_plane: Path | None


def build(go_control_plane: bool) -> Programs:
    """Build with Cargo, and with Go if go-control-plane takes part."""
    _run(
        ["cargo", "build", "--release", "--locked", "--quiet"],
        _HERE / "load",
        "install Rust (rustc and cargo)",
    )
    release = _HERE / "load" / "target" / "release"
    peer = _build_go(".", "bench-gocontrolplane") if go_control_plane else None
    return Programs(release / "fleet", release / "floor", peer)


def build_moves() -> Path:
    """The server of `bench.moves` on go-control-plane."""
    return _build_go("./moves", "bench-gocontrolplane-moves")


def _build_go(package: str, name: str) -> Path:
    program = _cache() / name
    command = ["go", "build", "-mod=readonly", "-buildvcs=false", "-o", os.fspath(program), package]
    hint = "install Go 1.26 or newer, or leave go-control-plane out with --only"
    _run(command, _HERE / "peers" / "gocontrolplane", hint)
    return program


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "steerway"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(command: list[str], folder: Path, hint: str) -> None:
    if shutil.which(command[0]) is None:
        raise BuildError(f"{command[0]} is needed: {hint}")
    done = subprocess.run(command, cwd=folder, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command[:2])} failed in {folder}:\n{done.stderr.strip()}")
