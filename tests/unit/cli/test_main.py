"""The command line as a whole: exit codes, help, speed, streams."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from steerway import __version__
from steerway.cli import cli, terminal
from steerway.errors import DocumentError, EngineError, SettingsError, SourceError
from testbed.process.deadline import PATIENCE_SECONDS

Run = Callable[..., tuple[int, str, str]]


def test_every_command_has_help(steerway: Run) -> None:
    """`--help` and `-h` work everywhere and name the exit codes once."""
    names = cli.list_commands(click.Context(cli))
    views = [
        "status",
        "services",
        "clients",
        "endpoints",
        "problems",
        "changes",
        "top",
        "describe",
        "explain",
        "diff",
        "page",
        "bug-report",
    ]
    assert names == ["serve", "signer", "check", "crd", *views, "run", "bootstrap", "completion", "version"]
    for name in names:
        code, out, err = steerway(name, "-h")
        assert (code, err) == (0, "")
        assert out.startswith(f"Usage: steerway {name}")
    assert "Exit codes: 0" in steerway("--help")[1]


@pytest.mark.parametrize(
    "arguments", [["nope"], ["serve", "--nope"], ["bootstrap"], ["check"], ["bootstrap", "--creds", "none"]]
)
def test_a_wrong_command_line_exits_with_2(steerway: Run, arguments: list[str]) -> None:
    """Nothing on stdout, words on stderr."""
    code, out, err = steerway(*arguments)
    assert (code, out) == (2, "")
    assert "Error: " in err


@pytest.mark.parametrize(
    ("error", "code"),
    [(SettingsError("a\nb"), 2), (SourceError("a\nb"), 1), (EngineError("a\nb"), 1)],
    ids=lambda value: type(value).__name__,
)
def test_own_errors_become_lines_and_exit_codes(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    """One `error:` line each, no traceback."""

    def fail() -> int:
        raise error

    assert terminal.run(fail) == code
    assert capsys.readouterr() == ("", "error: a\nerror: b\n")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SourceError("a", "fix it"), "error: a; fix it\n"),
        (DocumentError("f:1", "a", "fix it"), "error: f:1: a (fix it)\n"),
    ],
)
def test_the_fix_is_printed_once(capsys: pytest.CaptureFixture[str], error: Exception, text: str) -> None:
    """Some errors have it in their text."""

    def fail() -> int:
        raise error

    assert terminal.run(fail) == 1
    assert capsys.readouterr().err == text


def test_an_interrupt_ends_quietly() -> None:
    """Ctrl-C is no error."""

    @click.command
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert terminal.run(lambda: interrupted.main([], standalone_mode=False)) == 130


def test_a_programming_error_keeps_its_traceback() -> None:
    """Only errors that are meant for a person are shortened."""

    def bug() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        terminal.run(bug)


def test_version_prints_one_line_and_more_when_asked(steerway: Run) -> None:
    """The line for people, and what a bug report needs."""
    assert steerway("version") == (0, f"steerway {__version__}\n", "")
    assert steerway("--version") == (0, f"steerway {__version__}\n", "")
    _, out, _ = steerway("version", "-v")
    assert {line.split()[0] for line in out.splitlines()} >= {"steerway", "python", "protobuf", "aiohttp"}
    _, out, _ = steerway("version", "--json")
    assert f'"steerway": "{__version__}"' in out


def test_items_show_a_sign_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    """No colours where there is no terminal."""
    terminal.item(terminal.Mark.PASS, "good")
    terminal.item(terminal.Mark.FAIL, "bad", "fix it")
    assert capsys.readouterr().out == "✓ good\n✗ bad\n    → fix it\n"


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """NO_COLOR wins over a terminal."""
    monkeypatch.setattr(click.utils, "should_strip_ansi", lambda _stream, color: color is False)
    terminal.note("x")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal.note("x")
    colored, plain = capsys.readouterr().err.splitlines()
    assert "\x1b[" in colored
    assert plain == "note: x"


def run_process(*arguments: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "steerway", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": ""},
    )


def test_help_starts_without_heavy_libraries() -> None:
    """What makes a start slow is imported by the commands that need it."""
    heavy = (
        "google.protobuf",
        "envoy",
        "grpc",
        "aiohttp",
        "uvicorn",
        "starlette",
        "structlog",
        "matplotlib",
    )
    program = (
        "import sys; from steerway.cli import main; main(['--help']); "
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
    )
    assert done.stderr == "[]\n"


def test_a_reader_that_leaves_early_is_no_crash() -> None:
    """`steerway version -v | head -0` ends without a traceback."""
    with run_process("version", "-v") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_the_crd_is_printed_as_it_is_deployed(steerway: Run) -> None:
    """So that `steerway crd | kubectl apply -f -` needs no checkout."""
    folder = Path(__file__).parents[3] / "deploy" / "crds"
    names = ("trafficpolicies", "serverpolicies", "authorizationpolicies")
    deployed = [(folder / f"steerway.io_{name}.yaml").read_text(encoding="utf-8") for name in names]
    assert steerway("crd") == (0, "---\n".join(deployed), "")
