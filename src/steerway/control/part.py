"""Parts of the process: tasks that run until they are cancelled. The end of one ends the process."""

import asyncio
from collections.abc import Sequence

import structlog

log = structlog.get_logger()


async def wait_first(stop: asyncio.Event, parts: Sequence[asyncio.Task[None]]) -> None:
    """Wait for `stop`. Raises the error of a part that ends before."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([*parts, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for part in parts:
        if part.done():
            error = _cause(part.exception() or RuntimeError(f"{part.get_name()} ended by itself"))
            log.error("part_failed", part=part.get_name(), error=str(error))
            raise error


def _cause(error: BaseException) -> BaseException:
    """The error inside of task groups, when it is a single one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
