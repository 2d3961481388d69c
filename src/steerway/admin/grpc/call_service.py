"""The gRPC calls that the engine passes on: each is a task, and gets a response even when the task fails."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol, TypeAlias

import structlog

from steerway.peer import Transport
from steerway.runtime.isolation import isolated

log = structlog.get_logger()

# gRPC status codes (grpc/grpc, doc/statuscodes.md).
_INVALID_ARGUMENT = 3
_INTERNAL = 13


class WaitingCall(Protocol):
    """A call without a response yet; `steerway/_engine.pyi` describes its members."""

    @property
    def id(self) -> int: ...
    @property
    def method(self) -> str: ...
    @property
    def message(self) -> bytes: ...
    @property
    def peer(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def certificate(self) -> list[str]: ...
    @property
    def transport(self) -> Transport: ...


class CallEngine(Protocol):
    """The engine's methods that end a call."""

    def reply(self, call: int, message: bytes) -> None: ...
    def refuse(self, call: int, code: int, message: str) -> None: ...


Authorize: TypeAlias = Callable[[WaitingCall], Awaitable[tuple[int, str] | None]]
"""The gRPC status code and message that refuse a call; None: it is permitted."""

Respond: TypeAlias = Callable[[bytes], Awaitable[bytes]]
"""A serialised request to a serialised response. Raises ValueError for an invalid request."""


class CallService:
    """`responders` by `Call.method`."""

    def __init__(self, engine: CallEngine, responders: Mapping[str, Respond], authorize: Authorize) -> None:
        self._engine = engine
        self._responders = responders
        self._authorize = authorize
        self._tasks: set[asyncio.Task[None]] = set()

    def answer(self, calls: Iterable[WaitingCall]) -> None:
        """Start a task per call."""
        for call in calls:
            task = asyncio.create_task(self._answer(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel the calls without a response."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, call: WaitingCall) -> None:
        with isolated("call", method=call.method, peer=call.peer) as run:
            await self._attempt(call)
        if run.failure:  # the client must not wait for it
            self._engine.refuse(call.id, _INTERNAL, "internal error; the server's log has the cause")

    async def _attempt(self, call: WaitingCall) -> None:
        try:
            if (refusal := await self._authorize(call)) is not None:
                log.warning(
                    "call_refused", method=call.method, peer=call.peer, code=refusal[0], reason=refusal[1]
                )
                return self._engine.refuse(call.id, *refusal)
            reply = await self._responders[call.method](call.message)
        except ValueError as error:
            self._engine.refuse(call.id, _INVALID_ARGUMENT, str(error))
        else:
            self._engine.reply(call.id, reply)
