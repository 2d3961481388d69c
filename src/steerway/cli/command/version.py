"""`steerway version`: what is installed."""

import json
import platform
from importlib.metadata import version as installed

import click

from steerway import __version__
from steerway.cli import terminal


@click.command()
@click.option("-v", "--verbose", is_flag=True, help="Also the versions that a bug report should name")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON")
def version(verbose: bool, as_json: bool) -> None:
    """Print the version of steerway, and with -v those of what it stands on."""
    parts = {"steerway": __version__}
    if verbose or as_json:
        parts |= {
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
            **{name: installed(name) for name in ("protobuf", "xds-protos", "aiohttp", "msgspec")},
        }
    if as_json:
        terminal.write(json.dumps(parts, indent=2))
    else:
        for name, value in parts.items():
            terminal.write(f"{name} {value}")
