"""What every command shares about the terminal: exit codes, colours, and the form of errors.

stdout carries what was asked for (data), stderr the words around it. Colours appear on a terminal only, and
not when `NO_COLOR` is set.
"""

import enum
import os
import sys
from collections.abc import Callable

import click

from steerway.errors import SettingsError, SourceError, SteerwayError


class ExitCode(enum.IntEnum):
    """Exit codes of every command; part of the command line's contract."""

    OK = 0
    FAILURE = 1
    """The command ran and found or met a failure."""
    USAGE = 2
    """The command line or a setting is wrong; nothing was started."""
    NOT_EXECUTABLE = 126
    """`steerway run`: the program cannot be executed, as shells report it."""
    NOT_FOUND = 127
    """`steerway run`: there is no such program, as shells report it."""
    INTERRUPTED = 130
    """Ended by Ctrl-C, as shells count it (128 + SIGINT)."""
    BROKEN_PIPE = 141
    """The reader of stdout has ended, as shells count it (128 + SIGPIPE)."""


class Mark(enum.Enum):
    """The sign in front of a checked item, with its colour."""

    PASS = ("✓", "green")
    FAIL = ("✗", "red")
    WARN = ("!", "yellow")
    SKIP = ("-", "bright_black")


def write(text: str) -> None:
    """One line of data to stdout, flushed at once: a reader behind a pipe waits for it. Raises SystemExit when the
    reader has ended, as `head` does."""
    try:
        click.echo(text, color=_color())
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # for the flush at the end of the process
        raise SystemExit(ExitCode.BROKEN_PIPE) from None


def note(text: str) -> None:
    """A remark to stderr."""
    click.echo(f"{style('note', 'yellow')}: {text}", err=True, color=_color())


def warn(text: str) -> None:
    """A failure to stderr that does not end the command."""
    click.echo(f"{style('warning', 'yellow')}: {text}", err=True, color=_color())


def fail(text: str) -> None:
    """An error to stderr, one `error:` line per line of `text`."""
    for line in text.splitlines() or [""]:
        click.echo(f"{style('error', 'red')}: {line}", err=True, color=_color())


def item(mark: Mark, text: str, hint: str = "", indent: int = 0) -> None:
    """One checked item on stdout, with what to do about it on a line below."""
    sign, color = mark.value
    write(
        f"{' ' * indent}{style(sign, color)} {text}" + (f"\n    {style('→', 'cyan')} {hint}" if hint else "")
    )


def style(text: str, color: str) -> str:
    """`text` in a colour; click takes it out again where there is no terminal."""
    return click.style(text, fg=color)


def run(command: Callable[[], int | None]) -> int:
    """Run a command and turn what it raises into words and an exit code; errors of others keep
    their traceback."""
    try:
        return command() or ExitCode.OK
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:  # what click makes of Ctrl-C
        return ExitCode.INTERRUPTED
    except SteerwayError as error:
        hint = error.hint if isinstance(error, SourceError) else ""
        fail(f"{error}; {hint}" if hint and hint not in str(error) else str(error))
        return ExitCode.USAGE if isinstance(error, SettingsError) else ExitCode.FAILURE


def _color() -> bool | None:
    return False if os.environ.get("NO_COLOR") else None
