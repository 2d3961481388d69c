"""`steerway serve`: settings to a running control plane."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import click
import msgspec

from steerway import config
from steerway.cli import terminal
from steerway.errors import SettingsError

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _setting_flags(command: _Command) -> _Command:
    """One flag per setting, in the order of the model: a new setting needs no change here."""
    for name, field in reversed(list(config.SETTINGS.items())):
        metas = config.metas(field.type)
        extra: dict[str, Any] = {}
        for meta in metas:
            extra |= meta.extra or {}
        base = get_args(field.type)[0]
        flag = config.flag_name(name)
        default = field.default
        option = click.option(
            f"{flag}/{flag.replace('--', '--no-', 1)}" if base is bool else flag,
            name.replace(".", "__"),
            metavar=extra.get("metavar"),
            default=None,
            multiple=get_origin(base) is tuple,
            help=next(meta.title for meta in reversed(metas) if meta.title)
            + ("" if default in (msgspec.NODEFAULT, None, (), False) else f"  [default: {_short(default)}]"),
        )
        command = option(command)
    return command


def _short(default: Any) -> str:
    if isinstance(default, tuple):
        return ", ".join(default)
    return f"{default:g}" if isinstance(default, float) else str(default)


@click.command(short_help="Run the control plane.")
@click.option(
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="YAML file of settings (also STEERWAY_CONFIG); the environment beats it, flags beat both",
)
@_setting_flags
def serve(file: Path | None, **flags: Any) -> int:
    """Serve xDS from manifest files, from a Kubernetes API server, or from both.

    Give at least one of --files and --kubernetes. Every flag is also a key of the settings file and a
    variable STEERWAY_…; SIGTERM ends it after clients had time to move, a second one at once; SIGHUP reads all
    files again.
    """
    from steerway.runtime import signals

    signals.ignore()
    settings = config.load(
        file, os.environ, {name.replace("__", "."): value for name, value in flags.items()}
    )
    if not settings.files and not settings.kubernetes.enabled:
        raise SettingsError(
            "nothing to serve: say where Services come from with --files DIR (manifests) or --kubernetes"
            " (an API server)"
        )
    from steerway import app
    from steerway.log import setup

    setup.configure(settings.log_format, settings.log_level)
    return app.run(settings, terminal.write)
