"""Programs in other languages are built once for all callers, and a failed build has a hint."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.process import go_program, java_program, node_program
from testbed.process.built_program import BuildError, Progress


@dataclass(frozen=True)
class Language:
    """`builder` is the building tool, which makes the program with the shell commands `make`;
    `versioned` is the tool whose version counts, and `asked` its argument for that.
    """

    name: str
    build: Callable[..., Path]
    sources: tuple[str, ...]
    builder: str
    make: str
    versioned: str
    asked: str
    others: tuple[str, ...] = ()
    unfetched: str = ""
    hint: str = ""

    def __str__(self) -> str:
        return self.name


GO = Language(
    "go",
    go_program.build,
    ("main.go",),
    "go",
    'while [ "$1" != -o ]; do shift; done; cp {log} "$2"',
    "go",
    "version",
    unfetched="go: example.test/a@v1: dial tcp: lookup proxy: no such host",
    hint="network and `go env GOPROXY`",
)
JAVA = Language(
    "java",
    java_program.build,
    ("pom.xml", "src/main/java/Client.java"),
    "mvn",
    'for word; do case $word in -Dout=*) mkdir -p "${{word#-Dout=}}/classes";; esac; done',
    "java",
    "-version",
    others=("javac",),
    unfetched="[ERROR] Could not transfer artifact io.example:a:jar:1",
    hint="network and Maven's settings.xml",
)
NODE = Language(
    "node",
    node_program.build,
    ("client.js", "package.json", "package-lock.json"),
    "npm",
    "[ -e client.js ] && [ -e package-lock.json ] && mkdir node_modules",
    "node",
    "--version",
    unfetched="npm error code ENOTFOUND",
    hint="network and `npm config get registry`",
)
LANGUAGES = [GO, JAVA, NODE]
_BUILDER = """#!/bin/sh
[ "$1" = version ] && echo "version {version}" && exit
echo built >> {log}
{work}
{make}
"""
_VERSIONED = """#!/bin/sh
[ "$1" = {asked} ] && echo "version {version}" >&2
"""


class Toolchain:
    """Scripted tools of a language, found before the real ones; `builds` counts their builds."""

    def __init__(self, language: Language, folder: Path) -> None:
        self.language = language
        self._folder = folder
        self._log = folder / "log"
        folder.mkdir()

    def install(self, work: str = "", version: str = "1") -> None:
        """`work` is run at the start of a build, as shell commands."""
        language = self.language
        for name in (language.versioned, *language.others):
            self._write(name, _VERSIONED.format(asked=language.asked, version=version))
        make = language.make.format(log=self._log)
        self._write(language.builder, _BUILDER.format(work=work, log=self._log, version=version, make=make))

    def remove(self, name: str) -> None:
        (self._folder / name).unlink()

    @property
    def builds(self) -> int:
        return len(self._log.read_text().splitlines()) if self._log.exists() else 0

    def _write(self, name: str, script: str) -> None:
        (self._folder / name).write_text(script)
        (self._folder / name).chmod(0o755)


@pytest.fixture(params=LANGUAGES, ids=str)
def toolchain(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    """The tools of a language, with their own cache and only the path of a bare system."""
    bare = tmp_path / "system"
    bare.mkdir()
    for name in ("sh", "cp", "mkdir", "env"):
        (bare / name).symlink_to(Path("/bin") / name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{bare}")
    result = Toolchain(request.param, tmp_path / "bin")
    result.install()
    return result


@pytest.fixture
def module(toolchain: Toolchain, tmp_path: Path) -> Path:
    """The sources of a program."""
    folder = tmp_path / "module"
    for name in toolchain.language.sources:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a source")
    return folder


def test_a_program_is_built_again_only_after_a_change(toolchain: Toolchain, module: Path) -> None:
    """Each source and the version of the tools count."""
    build = toolchain.language.build
    programs = [build(module)]
    assert build(module) == programs[0]
    assert toolchain.builds == 1
    for name in toolchain.language.sources:
        (module / name).write_text("a changed source")
        programs.append(build(module))
    toolchain.install(version="2")
    programs.append(build(module))
    assert len(set(programs)) == toolchain.builds == len(toolchain.language.sources) + 2
    assert all(program.exists() for program in programs)


@pytest.mark.parametrize("toolchain", [GO], ids=str, indirect=True)
def test_flags_and_environment_of_a_build_count(toolchain: Toolchain, module: Path) -> None:
    """Other flags make another program."""
    programs = {
        go_program.build(module),
        go_program.build(module, ["-race"]),
        go_program.build(module, CGO_ENABLED="0"),
    }
    assert len(programs) == toolchain.builds == 3


def test_of_two_builders_one_builds_and_the_other_waits(
    toolchain: Toolchain, module: Path, tmp_path: Path
) -> None:
    """The second reports the wait, and uses the result of the first."""
    os.mkfifo(fifo := tmp_path / "fifo")
    toolchain.install(f"read -r line < {fifo}")
    waiting = threading.Event()

    def build() -> Path:
        report: Progress = lambda _line: waiting.set()  # noqa: E731
        return toolchain.language.build(module, write_line=report)

    with ThreadPoolExecutor(2) as pool:
        builds = [pool.submit(build) for _ in range(2)]
        assert waiting.wait(20)
        fifo.write_text("go on\n")
        programs = {build.result(20) for build in builds}
    assert len(programs) == toolchain.builds == 1


def test_a_missing_tool_is_named(toolchain: Toolchain, module: Path) -> None:
    """With the program that needs it, and what to install."""
    language = toolchain.language
    for name in {language.builder, language.versioned, *language.others}:
        toolchain.install()
        toolchain.remove(name)
        with pytest.raises(BuildError, match=f"^{name} is needed to build module: install "):
            language.build(module)


def test_a_failed_build_leaves_nothing_and_names_the_reason(toolchain: Toolchain, module: Path) -> None:
    """The output of the tool. The next build starts from scratch, also after an interrupted one."""
    language = toolchain.language
    toolchain.install("echo 'Client:1: syntax error' >&2; exit 1")
    with pytest.raises(BuildError, match=r"Client:1: syntax error$"):
        language.build(module)
    toolchain.install()
    assert language.build(module).exists()


def test_dependencies_that_cannot_be_fetched_have_a_hint_for_the_network(
    toolchain: Toolchain, module: Path
) -> None:
    """The hint follows the output of the tool."""
    toolchain.install(f"echo '{toolchain.language.unfetched}'; exit 1")
    with pytest.raises(BuildError, match=toolchain.language.hint):
        toolchain.language.build(module)
