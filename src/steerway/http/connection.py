"""One connection: uvicorn's HTTP/1.1 protocol, with a deadline wherever it waits for the client.

::

    NEW ──first byte──▶ READING ──request complete──▶ ANSWERING ──▶ SENDING ──taken by the socket──▶ IDLE
                           ▲────────────────────────────first byte────────────────────────────────────┘

uvicorn has a timeout for IDLE only. READING and SENDING have deadlines here, since a client that sends a byte now and
then, or reads none, would keep a descriptor without end otherwise. A response that is complete may still wait in memory
for the client to read it: IDLE keeps the deadline of SENDING until then.
"""

import asyncio
from enum import Enum, auto

import h11
from starlette.types import Message, Send
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from steerway.http.header import SAFE_HEADERS
from steerway.http.limit import MAX_HEAD_BYTES, HttpLimits, LimitLog
from steerway.http.pool import Pool

STATE = "steerway.connection"
"""Key of the connection in the `state` of an ASGI scope."""
_SLOWEST_BYTES_PER_SECOND = 64 << 10
"""A client that takes a response more slowly is disconnected; as on the xDS port."""


class _Step(Enum):
    NEW = auto()
    READING = auto()
    ANSWERING = auto()
    SENDING = auto()
    IDLE = auto()


class Connection(H11Protocol):
    """Overrides the callbacks of `asyncio.Protocol`; the ASGI side calls `answer` and `send`."""

    def __init__(
        self, config: Config, state: ServerState, pool: Pool, limits: HttpLimits, record: LimitLog
    ) -> None:
        super().__init__(config, state, {STATE: self})
        self._pool = pool
        self._limits = limits
        self._record = record
        self._step = _Step.NEW
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def peer(self) -> str:
        """`host:port` of the client."""
        return f"{self.client[0]}:{self.client[1]}" if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._pool.add(self)
        self._within(self._limits.request_timeout_seconds)

    def data_received(self, data: bytes) -> None:
        if self._step in (_Step.NEW, _Step.IDLE):
            self._step = _Step.READING
            self._pool.wait(self)
            self._within(self._limits.request_timeout_seconds)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        self._pool.remove(self)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to what is not HTTP, with the headers that every response has."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = f"{msg} It is malformed, or its head is longer than {MAX_HEAD_BYTES} bytes.\n".encode()
            kind = (b"content-type", b"text/plain; charset=utf-8")
            length = (b"content-length", str(len(body)).encode())
            headers = [kind, length, (b"connection", b"close"), *SAFE_HEADERS]
            response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def abort(self) -> None:
        """Close at once; what is not sent is lost."""
        self._cancel()
        self.transport.abort()

    def answer(self) -> None:
        """The request is complete; this program answers now."""
        self._step = _Step.ANSWERING
        self._cancel()
        self._pool.answer(self)

    async def send(self, send: Send, message: Message) -> None:
        """Send a part of the response by `send`, uvicorn's."""
        self._step = _Step.SENDING
        self._pool.wait(self)
        self._within(self._sending_seconds(len(message.get("body", b""))))
        await send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._step = _Step.IDLE
            if not self._unsent():
                self._cancel()
        else:
            self.answer()

    def _unsent(self) -> int:
        """Bytes of responses that the client has not taken yet."""
        return self.transport.get_write_buffer_size()

    def _sending_seconds(self, size: int) -> float:
        return self._limits.request_timeout_seconds + (self._unsent() + size) / _SLOWEST_BYTES_PER_SECOND

    def _within(self, seconds: float) -> None:
        """Close the connection unless it takes another step within this time."""
        self._cancel()
        self._deadline = self.loop.call_later(seconds, self._expire)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        """The client took too long. One that has not begun a request, as a browser's spare connection, is no misuse."""
        if self._step is _Step.IDLE and not self._unsent():
            return
        if self._step is not _Step.NEW:
            kind = "request_timeout" if self._step is _Step.READING else "response_timeout"
            self._record.exceeded(kind, self.peer)
        self.abort()
