"""`steerway page`: the admin page in a browser, through a port-forward where it is in a cluster."""

import asyncio
import webbrowser
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from steerway.cli import terminal
from steerway.cli.replica import Where, replica_options
from steerway.errors import SettingsError, SourceError

if TYPE_CHECKING:
    from steerway.cli.replica.cluster import Pod
    from steerway.cli.replica.forward import PortForward


@click.command()
@click.option(
    "--replica", metavar="POD", default="", help="The page of this replica  [default: the first that runs]"
)
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    default=0,
    help="Local port  [default: a free one]",
)
@click.option("--no-browser", is_flag=True, help="Print the URL and open no browser")
@replica_options()
def page(where: Where, replica: str, port: int, no_browser: bool) -> int:
    """Open the admin page of a replica, and print its URL.

    For a replica in a cluster the local port leads to it until Ctrl-C. The page asks for the token of the admin server
    where there is one; its Secret is named below the URL.
    """
    if where.addresses:
        if replica or port:
            raise click.UsageError("--replica and --port are for replicas in a cluster: remove --address")
        return _open(where.addresses[0], no_browser)
    asyncio.run(_forwarded(where, replica, port, no_browser))
    return 0


def _open(url: str, no_browser: bool) -> int:
    if not url.startswith("http"):
        raise SettingsError(
            "a browser does not open a Unix socket: give an address with --address http://HOST:PORT"
        )
    terminal.write(f"{url}/")
    if not no_browser and not webbrowser.open(f"{url}/"):
        terminal.note("no browser was found: open the URL")
    return 0


async def _forwarded(where: Where, replica: str, port: int, no_browser: bool) -> None:
    from steerway.cli.replica.connection import forwards, local_address

    if not where.cluster and (address := await local_address()):
        _open(address, no_browser)
        return
    async with forwards(where) as running, AsyncExitStack() as stack:
        pod, forward = _chosen(running, replica)
        try:
            bound = await stack.enter_async_context(forward.on_loopback(port))
        except OSError as error:
            raise SourceError(f"--port {port} cannot be used: {error.strerror}; choose another") from None
        terminal.note(f"forwarding to port {pod.port} of pod {pod.namespace}/{pod.name} until Ctrl-C")
        if pod.secret:
            terminal.note(
                f"the page asks for the token in Secret {pod.secret}: kubectl --namespace {pod.namespace} get secret"
                f" {pod.secret} -o go-template='{{{{range .data}}}}{{{{.|base64decode}}}}{{{{end}}}}'"
            )
        _open(f"http://127.0.0.1:{bound}", no_browser)
        await _report(forward)


def _chosen(running: "list[tuple[Pod, PortForward]]", replica: str) -> "tuple[Pod, PortForward]":
    for pod, forward in running:
        if replica in ("", pod.name):
            return pod, forward
    names = ", ".join(pod.name for pod, _ in running) or "none"
    raise SourceError(f"no replica {replica or 'of steerway'} runs: choose one of {names} with --replica")


async def _report(forward: "PortForward") -> None:
    """Print each failure of the port-forward once, without end."""
    reported = ""
    while True:
        await asyncio.sleep(0.5)
        if forward.failure and forward.failure != reported:
            terminal.warn(forward.failure)
        reported = forward.failure
