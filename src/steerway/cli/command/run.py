"""`steerway run`: start a program with a bootstrap, after the control plane has answered."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.document import Bootstrap
from steerway.cli import terminal
from steerway.cli.client_options import FILE_VARIABLE, VARIABLE, addresses, bootstrap_of, client_options
from steerway.cli.parameter import Seconds
from steerway.cli.terminal import ExitCode
from steerway.config import Settings
from steerway.errors import SettingsError, SteerwayError, UnknownServiceError

_DEFAULT_SERVER = f"localhost:{Settings.listen[0].rpartition(':')[2]}"


@click.command(
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
)
@click.option(
    "--server",
    "servers",
    metavar="HOST:PORT|unix:/PATH",
    multiple=True,
    default=[_DEFAULT_SERVER],
    show_default=True,
    callback=addresses,
    help="The xDS server of steerway; more of them are used while the first is not available (gRFC A71)",
)
@click.option(
    "--target",
    "targets",
    metavar="xds:///NAME",
    multiple=True,
    help="Start only if this target resolves (repeatable)",
)
@click.option("--no-check", is_flag=True, help="Start at once, whether the control plane answers or not")
@click.option(
    "--check-seconds",
    metavar="SECONDS",
    type=Seconds(maximum=600),
    default=5.0,
    show_default=True,
    help="How long each step of the check may take",
)
@click.option(
    "--bootstrap-file",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help=f"Write the bootstrap to FILE and set {FILE_VARIABLE}, for programs that read files only",
)
@client_options
@click.argument(
    "command", nargs=-1, required=True, metavar="[--] COMMAND [ARGUMENT]...", type=click.UNPROCESSED
)
def run(
    servers: tuple[ServerAddress, ...],
    targets: tuple[str, ...],
    no_check: bool,
    check_seconds: float,
    file: Path | None,
    command: tuple[str, ...],
    **options: Any,
) -> int:
    """Start COMMAND with a bootstrap in its environment.

    COMMAND replaces this process, so signals and the exit code are its own. It starts when the control plane has
    answered a request with these credentials; the reason is printed if it does not. Targets xds:///… among the
    arguments are looked up, too: an unknown one is a note, or an error if --target names it.

    Exit code 1: the check failed. 126, 127: COMMAND cannot be executed, or does not exist.
    """
    program = shutil.which(command[0])
    if program is None:
        return _not_executable(command[0])
    if no_check and targets:
        raise click.UsageError("--target is part of the check: remove it, or --no-check")
    made = bootstrap_of(servers, options)
    if not no_check and not _check(made, targets, command, check_seconds):
        return ExitCode.FAILURE
    environment = _environment(made, file)
    try:
        os.execve(program, command, environment)
    except OSError as error:
        terminal.fail(f"{command[0]} cannot be executed: {error.strerror}")
        return ExitCode.NOT_EXECUTABLE


def _not_executable(name: str) -> int:
    if "/" in name and Path(name).exists():
        terminal.fail(f"{name} cannot be executed: it is a directory, or no executable file")
        return ExitCode.NOT_EXECUTABLE
    terminal.fail(
        f"the program {name} does not exist" + ("" if "/" in name else ", or its folder is not in PATH")
    )
    return ExitCode.NOT_FOUND


def _environment(made: Bootstrap, file: Path | None) -> dict[str, str]:
    """That of the program, with the bootstrap in one of two variables. SettingsError: the file cannot be written."""
    environment = {name: text for name, text in os.environ.items() if name not in (VARIABLE, FILE_VARIABLE)}
    if file is None:
        return environment | {VARIABLE: json.dumps(made.document())}
    try:
        file.write_text(json.dumps(made.document(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--bootstrap-file {file} cannot be written: {error.strerror}") from None
    return environment | {FILE_VARIABLE: str(file.absolute())}


def _check(made: Bootstrap, targets: Sequence[str], command: Sequence[str], seconds: float) -> bool:
    """Whether the control plane answers and has the targets. What is wrong is printed."""
    from steerway.preflight import check

    for error in check.check_servers(made.servers, made.node, seconds):
        terminal.note(check.with_hint(error))
    failed = False
    for target in targets:
        try:
            check.check_target(made, target, seconds)
        except UnknownServiceError as error:
            terminal.fail(str(error))
            failed = True
    for target in command[1:]:
        if target.startswith("xds://") and target not in targets:
            try:
                check.check_target(made, target, seconds)
            except SteerwayError as error:
                terminal.note(str(error))
    return not failed
