"""The command line: errors before a process is started."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from demo import control_plane
from demo.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--seconds", "5"], "--seconds"),
        (["--seconds", "300"], "--seconds"),
        (["--backends", "1"], "--backends"),
        (["--backends", "21"], "--backends"),
        (["--rate", "0"], "--rate"),
        (["--deadline", "0"], "--deadline"),
        (["--seconds", "30", "--warm-up", "26"], "--warm-up"),
        (["--picture", "demo.gif"], ".png, .svg, .pdf"),
    ],
)
def test_an_invalid_option_is_refused_by_name(arguments: list[str], expected: str) -> None:
    """Exit code 2, as for every usage error."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert expected in result.output


def test_a_missing_steerway_command_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit code 1, before a process is started."""
    monkeypatch.setattr(control_plane.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(main, ["--no-live"])
    assert result.exit_code == 1
    assert "the demo failed: no steerway command beside" in result.output
