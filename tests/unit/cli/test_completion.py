"""`steerway completion`, and the name of the program in usage texts."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from steerway.cli import program
from testbed.process.process import installed

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with the program under both of its names, for PATH."""
    for name in (program.NAME, program.PLUGIN):
        (tmp_path / name).symlink_to(installed("steerway"))
    return tmp_path


def in_shell(commands: Path, script: str, *arguments: str) -> list[str]:
    path = f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["/bin/bash", "-c", script, "bash", *arguments]
    done = subprocess.run(
        command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_bash_completes_commands_and_options(commands: Path) -> None:
    """With the script that it sources."""
    script = """
        source <(steerway completion bash)
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _steerway_completion steerway
        echo "${COMPREPLY[@]}"
    """
    assert in_shell(commands, script, "steerway", "boot") == ["bootstrap"]
    assert in_shell(commands, script, "steerway", "bootstrap", "--output", "") == ["json", "configmap", "env"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["expl"], ["explain", ":4"]),
        (["bootstrap", "--for", ""], ["grpc", "envoy", ":4"]),
        (["check", "manif"], [":0"]),
        (["nothing-like-it"], [":4"]),
    ],
)
def test_kubectl_completes_the_plugin(
    steerway: Run, commands: Path, words: list[str], expected: list[str]
) -> None:
    """By the executable file that it looks for, in the protocol of cobra."""
    file = commands / "kubectl_complete-steerway"
    file.write_text(steerway("completion", "kubectl")[1])
    file.chmod(0o755)
    assert in_shell(commands, 'kubectl_complete-steerway "$@"', *words) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_names_the_program(steerway: Run, shell: str) -> None:
    """And not the module by which it may have been started."""
    code, out, err = steerway("completion", shell)
    assert (code, err) == (0, "")
    assert program.COMPLETE_VARIABLE in out
    assert "_steerway_completion" in out


def test_usage_texts_have_the_name_that_was_typed(commands: Path) -> None:
    """As a plugin of kubectl, too."""
    for name, shown in ((program.NAME, "steerway"), (program.PLUGIN, "kubectl steerway")):
        command = [str(commands / name), "explain"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert f"Usage: {shown} explain " in done.stderr
        assert f"Try '{shown} explain -" in done.stderr
