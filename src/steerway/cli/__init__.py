"""The `steerway` command, one file per subcommand.

Modules here import little at the top: `steerway --help` must answer at once, so each command imports what it
works with when it runs.
"""

import sys
from collections.abc import Sequence

import click

from steerway import __version__
from steerway.cli import program, terminal
from steerway.cli.bootstrap import bootstrap
from steerway.cli.check import check
from steerway.cli.completion import completion
from steerway.cli.crd import crd
from steerway.cli.explain import explain
from steerway.cli.run import run
from steerway.cli.serve import serve
from steerway.cli.version import version


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="steerway %(version)s")
def cli() -> None:
    """A control plane that steers gRPC traffic in Kubernetes over xDS.

    Exit codes: 0 all is well, 1 a failure was found or met, 2 the command line or a setting is wrong.
    """


for _command in (serve, check, explain, run, bootstrap, crd, completion, version):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. `arguments`: None means those of the process."""
    name = program.shown_name(sys.argv[0])
    return terminal.run(lambda: cli.main(arguments, name, program.COMPLETE_VARIABLE, standalone_mode=False))
