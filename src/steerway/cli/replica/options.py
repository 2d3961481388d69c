"""The options that name a running control plane, of every command that queries one."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from steerway.cli import program
from steerway.cli.parameter import admin_url
from steerway.errors import SourceError

_Command = TypeVar("_Command", bound=Callable[..., Any])

UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class Where:
    """Where the replicas are. `addresses`: URLs and `unix:/PATH`; without any, and with `cluster` or nothing on this
    host's default address, those of a Kubernetes cluster."""

    addresses: tuple[str, ...]
    token_file: Path | None
    kubeconfig: Path | None
    context: str | None
    namespace: str | None
    selector: str
    port: int | None
    cluster: bool


def _address(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_one_address(context, option, value) for value in values)


def _one_address(context: click.Context, option: click.Parameter, value: str) -> str:
    if not value.startswith(UNIX):
        return admin_url(context, option, value)
    if not value.removeprefix(UNIX).startswith("/"):
        raise click.BadParameter(f"{value!r} is not unix:/PATH with an absolute path")
    return value


def _options(flags: tuple[str, ...]) -> list[Callable[[_Command], _Command]]:
    return [
        click.option(
            *flags,
            "addresses",
            metavar="HOST:PORT|URL|unix:/PATH",
            multiple=True,
            callback=_address,
            help="Admin address of a replica (repeatable)  [default: this host's, else the cluster's]",
        ),
        click.option(
            "--token-file",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="Token of the admin server  [default: that of the Secret in the cluster]",
        ),
        click.option(
            "--kubeconfig",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="Query the replicas in this cluster, through a port-forward",
        ),
        click.option("--context", metavar="NAME", help="The same, with this context of the kubeconfig"),
        click.option(
            "--steerway-namespace",
            metavar="NS",
            help="The same, with the replicas in this namespace  [default: any]",
        ),
        click.option(
            "--selector", metavar="LABELS", default=None, help="The same, with pods of these labels"
        ),
        click.option(
            "--admin-port",
            metavar="PORT",
            type=click.IntRange(1, 65535),
            help="Admin port in these pods  [default: that named admin, else that of the settings]",
        ),
    ]


def replica_options(*flags: str) -> Callable[[_Command], _Command]:
    """Add the options; the command gets them as `where`. `flags` are further names of --address."""

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_where(**options: Any) -> Any:
            root = click.get_current_context().find_root()
            return command(where=where_of(options, root), **options)

        decorated: Any = with_where
        for option in reversed(_options(("--address", *flags))):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def where_of(options: dict[str, Any], root: click.Context) -> Where:
    """Take these options out of all options of a command. `root`: the context of the program."""
    from steerway.cli.replica.cluster import SELECTOR

    addresses = options.pop("addresses")
    names = ("kubeconfig", "context", "steerway_namespace", "selector", "admin_port")
    kubeconfig, context, namespace, selector, port = (options.pop(name) for name in names)
    of_cluster = any(value is not None for value in (kubeconfig, context, namespace, selector, port))
    if addresses and of_cluster:
        raise click.UsageError(
            "--address names replicas: it excludes the options that look for them in a cluster"
        )
    return Where(
        addresses=addresses,
        token_file=options.pop("token_file"),
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        selector=selector or SELECTOR,
        port=port,
        cluster=of_cluster or root.info_name != program.NAME,
    )


def read_token(file: Path) -> str:
    """The token in a file. Raises SourceError."""
    try:
        token = file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SourceError(f"--token-file {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SourceError(f"--token-file {file} contains no token: it is not ASCII text") from None
    if not token or not token.isprintable():
        raise SourceError(f"--token-file {file} must contain one token, in one line")
    return token
