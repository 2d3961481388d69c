"""Runs a command that queries replicas: one event loop, one connection to each of them, one way out for errors."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from steerway.cli import terminal
from steerway.cli.replica.options import Where
from steerway.cli.replica.replicas import Replicas
from steerway.cli.terminal import ExitCode
from steerway.errors import UnknownServiceError

_T = TypeVar("_T")


def run(where: Where, query: Callable[[Replicas], Awaitable[int | None]]) -> int:
    """Connect, query, and return the exit code. An unknown name is printed with those that may have been meant."""
    try:
        return ask(where, query) or ExitCode.OK
    except UnknownServiceError as error:
        terminal.fail(str(error))
        if error.nearest:
            terminal.note(f"there is {', '.join(error.nearest)}")
        return ExitCode.FAILURE


def ask(where: Where, query: Callable[[Replicas], Awaitable[_T]]) -> _T:
    """Connect, query, and return the answer. Raises as the query."""
    return asyncio.run(_connected(where, query))


async def _connected(where: Where, query: Callable[[Replicas], Awaitable[_T]]) -> _T:
    from steerway.cli.replica.connection import connect

    async with connect(where) as replicas:
        return await query(replicas)
