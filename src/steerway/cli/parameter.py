"""Types of parameters that several commands have."""

import math
import urllib.parse
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from steerway.errors import TranslateError


class ManifestPath(click.Path):
    """A path of manifests. An empty one, as of an unset shell variable, is not the working directory."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty; the working directory is '.'", param, ctx)
        return super().convert(value, param, ctx)


class Seconds(click.FloatRange):
    """A duration above 0. NaN, which no comparison excludes, is not a number of seconds."""

    def __init__(self, maximum: float) -> None:
        super().__init__(min=0, min_open=True, max=maximum)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


def admin_url(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Callback of an option with the address of an admin server: `http://HOST:PORT`, `https://…` or `HOST:PORT`."""
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urllib.parse.urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets without an IPv6 address, a port that is no number or above 65535
        valid = None
    if not valid or parts.username is not None:
        raise click.BadParameter(f"{value!r} is not http://HOST:PORT with a port from 1 to 65535")
    return url.rstrip("/")


def client_library(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Callback of an option with the library of a client, `grpc-go/1.70`; "" for none."""
    from steerway.translate.client import client

    try:
        if value:
            client.parse(value)
    except TranslateError as error:
        raise click.BadParameter(str(error)) from None
    return value


def require(parameter: str, requirement: str, *, used: bool) -> None:
    """Raises click.UsageError if an option is given that has no effect without another, the requirement."""
    context = click.get_current_context()
    if not used and context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE:
        flag = next(option.opts[0] for option in context.command.params if option.name == parameter)
        raise click.UsageError(f"{flag} has no effect without {requirement}: add it, or remove {flag}")
