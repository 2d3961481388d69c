"""Go programs of the tests are built once, whoever asks, and a build that fails says what to do."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support import go_program
from tests.support.go_program import BuildError

_GO = """#!/bin/sh
[ "$1" = version ] && echo "go version {version}" && exit
echo built >> {log}
{work}
while [ "$1" != -o ]; do shift; done
cp {log} "$2"
"""


class Toolchain:
    """A command `go` in front of the real one, that does what a test says; `builds` counts its builds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "log"
        folder.mkdir()

    def install(self, work: str = "", version: str = "1") -> None:
        """`work` is what a build does first, as shell commands."""
        (self._folder / "go").write_text(_GO.format(work=work, log=self._log, version=version))
        (self._folder / "go").chmod(0o755)

    @property
    def builds(self) -> int:
        return len(self._log.read_text().splitlines()) if self._log.exists() else 0


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    """The toolchain, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    toolchain = Toolchain(tmp_path / "bin")
    toolchain.install()
    return toolchain


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A Go module."""
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "main.go").write_text("package main")
    return folder


def test_a_program_is_built_again_only_when_something_of_it_changed(go: Toolchain, module: Path) -> None:
    """Sources, flags, environment and compiler count."""
    first = go_program.build(module)
    assert go_program.build(module) == first
    assert go.builds == 1
    others = [go_program.build(module, ["-race"]), go_program.build(module, CGO_ENABLED="0")]
    (module / "main.go").write_text("package main // changed")
    others.append(go_program.build(module))
    go.install(version="2")
    others.append(go_program.build(module))
    assert len({first, *others}) == go.builds == 5
    assert all(program.exists() for program in (first, *others))


def test_of_two_builders_one_builds_and_the_other_waits(go: Toolchain, module: Path, tmp_path: Path) -> None:
    """The second says that it waits, and takes what the first made."""
    os.mkfifo(gate := tmp_path / "gate")
    go.install(f"read -r line < {gate}")
    waiting = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        builds = [pool.submit(go_program.build, module, (), lambda _line: waiting.set()) for _ in range(2)]
        assert waiting.wait(20)
        gate.write_text("go on\n")
        programs = {build.result(20) for build in builds}
    assert len(programs) == go.builds == 1


def test_a_missing_toolchain_is_named(module: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which program needs it, and what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="Go is needed to build module: install Go"):
        go_program.build(module)


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        ("go: example.test/a@v1: dial tcp: lookup proxy: no such host", "network and `go env GOPROXY`"),
        ("./main.go:1:1: syntax error", "syntax error$"),
    ],
)
def test_a_failed_build_leaves_nothing_and_tells_why(
    words: str, cure: str, go: Toolchain, module: Path
) -> None:
    """The compiler's words; when modules could not be fetched, also what to look at. The next build starts anew."""
    go.install(f"echo '{words}' >&2; exit 1")
    with pytest.raises(BuildError, match=cure):
        go_program.build(module)
    go.install()
    assert go_program.build(module).exists()
