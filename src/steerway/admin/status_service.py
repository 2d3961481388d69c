"""Answers the calls of the client status discovery service, one after the other, off the event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeAlias

import structlog

from steerway.admin.client_status import respond
from steerway.admin.view import EngineView

log = structlog.get_logger()

# gRPC status codes (grpc/grpc, doc/statuscodes.md).
_INVALID_ARGUMENT = 3
_INTERNAL = 13


class StatusCall(Protocol):
    """A call that waits; its members mean what `steerway/_engine.pyi` says."""

    @property
    def id(self) -> int: ...
    @property
    def message(self) -> bytes: ...
    @property
    def peer(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def certificate(self) -> list[str]: ...
    @property
    def local(self) -> bool: ...


class CallEngine(EngineView, Protocol):
    """An engine that can also be told the answers."""

    def reply(self, call: int, message: bytes) -> None: ...
    def refuse(self, call: int, code: int, message: str) -> None: ...


Authorize: TypeAlias = Callable[[StatusCall], Awaitable[tuple[int, str] | None]]
"""Why a caller may not ask, as gRPC status code and message; None when it may."""


class StatusService:
    """Each call is a task until it is answered."""

    def __init__(self, engine: CallEngine, authorize: Authorize) -> None:
        self._engine = engine
        self._authorize = authorize
        self._tasks: set[asyncio.Task[None]] = set()
        # An answer may be large: no more than one is in the making.
        self._turn = asyncio.Lock()

    def answer(self, calls: Iterable[StatusCall]) -> None:
        """Begin to answer."""
        for call in calls:
            task = asyncio.create_task(self._answer(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Forget the calls that wait."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, call: StatusCall) -> None:
        try:
            if (refusal := await self._authorize(call)) is not None:
                log.warning("status_refused", peer=call.peer, code=refusal[0], reason=refusal[1])
                return self._engine.refuse(call.id, *refusal)
            async with self._turn:
                reply = await asyncio.to_thread(respond, self._engine, call.message)
        except ValueError as error:
            self._engine.refuse(call.id, _INVALID_ARGUMENT, str(error))
        except Exception:  # whatever went wrong, the client must not wait for it
            log.exception("status_failed", peer=call.peer)
            self._engine.refuse(call.id, _INTERNAL, "the answer cannot be made; the server's log says why")
        else:
            self._engine.reply(call.id, reply)
