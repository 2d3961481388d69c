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
    shown = parts() if verbose or as_json else {"steerway": __version__}
    if as_json:
        terminal.write(json.dumps(shown, indent=2))
    else:
        for name, value in shown.items():
            terminal.write(f"{name} {value}")


def parts() -> dict[str, str]:
    """Versions by name."""
    return {
        "steerway": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        **{name: installed(name) for name in ("protobuf", "xds-protos", "aiohttp", "msgspec")},
    }
