"""The command line: what it refuses before anything is started."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from demo import control_plane
from demo.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--seconds", "5"], "--seconds"),
        (["--seconds", "300"], "--seconds"),
        (["--backends", "1"], "--backends"),
        (["--backends", "21"], "--backends"),
        (["--rate", "0"], "--rate"),
        (["--seconds", "30", "--warm-up", "26"], "--warm-up"),
        (["--picture", "demo.gif"], ".png, .svg, .pdf"),
    ],
)
def test_what_cannot_work_is_refused_and_named(arguments: list[str], told: str) -> None:
    """Exit code 2, as for every wrong use of a command."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert told in result.output


def test_without_an_installed_steerway_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A clear line and exit code 1, before any process is started."""
    monkeypatch.setattr(control_plane.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(main, ["--no-live"])
    assert result.exit_code == 1
    assert "the demo failed: no steerway command beside" in result.output
