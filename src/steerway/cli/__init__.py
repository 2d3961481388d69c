"""The `steerway` command, one file per subcommand in `command/`.

`steerway --help` must answer at once: the file of a command is imported when the command runs, and imports what it
works with in its function.
"""

import importlib
import sys
from collections.abc import Sequence

import click

import steerway
from steerway.cli import program, terminal

_SECTIONS = {
    "Control plane": {
        "serve": "Run the control plane.",
        "signer": "Issue the certificates of workloads.",
        "check": "Validate manifests, or check a cluster.",
        "crd": "Print the CustomResourceDefinition of TrafficPolicy.",
    },
    "Inspection": {
        "status": "Show the replicas and how far their clients are.",
        "services": "List Services.",
        "clients": "List connected clients.",
        "endpoints": "List the endpoints of a target for a client.",
        "problems": "List what is not served.",
        "changes": "List the latest changes.",
        "top": "Show all of these live.",
        "describe": "Show a Service or a client in detail.",
        "explain": "Explain the configuration of a target for a client.",
        "diff": "Show what manifests would change for clients.",
        "page": "Open the admin page.",
        "bug-report": "Write an archive for a bug report.",
    },
    "Clients": {
        "run": "Start a program with a bootstrap.",
        "bootstrap": "Print a bootstrap for gRPC clients or Envoy.",
    },
    "Program": {
        "completion": "Print a completion script.",
        "version": "Print the version.",
    },
}
"""The commands by section of the help, with their lines in it."""
_COMMANDS = {name: line for commands in _SECTIONS.values() for name, line in commands.items()}
_FOLDERS = dict.fromkeys(
    ("status", "services", "clients", "endpoints", "problems", "changes", "describe", "page"), "view"
)
"""Commands whose file is in a folder below `command/`."""


class _Group(click.Group):
    """Imports the command that runs."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        function = name.replace("-", "_")
        folder = f".{_FOLDERS[name]}" if name in _FOLDERS else ""
        module = importlib.import_module(f"steerway.cli.command{folder}.{function}")
        command: click.Command = getattr(module, function)
        command.short_help = _COMMANDS[name]  # which shells show beside a completion
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, _COMMANDS))
        for section, commands in _SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name.ljust(width), line) for name, line in commands.items()])


def _print_version(context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        terminal.write(f"steerway {steerway.__version__}")
        context.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """A control plane that steers gRPC traffic in Kubernetes over xDS.

    Exit codes: 0 all is well, 1 a failure was found or met, 2 the command line or a setting is wrong.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. `arguments`: None means those of the process."""
    name = program.shown_name(sys.argv[0])
    return terminal.run(lambda: cli.main(arguments, name, program.COMPLETE_VARIABLE, standalone_mode=False))
