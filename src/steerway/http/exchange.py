"""One request and its response, as ASGI: reads the body, limits what is answered at a time, contains faults.

It stands around the whole application, so that the connection knows in which step it is whatever the application does.
"""

import json
from collections.abc import Collection
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steerway.http.connection import STATE, Connection
from steerway.http.header import with_safe_headers
from steerway.http.host import Hosts
from steerway.http.limit import HttpLimits, LimitLog
from steerway.http.pool import Pool
from steerway.runtime.isolation import isolated

_WRONG_HOST = (
    "this host name is not accepted, to keep pages of other sites out (DNS rebinding): use an IP address or localhost, "
    "or list the name in the setting admin_hosts"
)


class Exchange:
    """ASGI application around `app`. Requests for `probes` are answered also when too many others are. Those whose host
    `hosts` does not accept are refused (None: every one is accepted)."""

    def __init__(
        self,
        app: ASGIApp,
        pool: Pool,
        limits: HttpLimits,
        record: LimitLog,
        probes: Collection[str],
        hosts: Hosts | None,
    ) -> None:
        self._app = app
        self._pool = pool
        self._limits = limits
        self._record = record
        self._probes = probes
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: Connection = scope["state"].pop(STATE)
        respond = with_safe_headers(partial(connection.send, send))
        request = Request(scope)
        host = request.headers.get("host")
        try:
            body = await self._body(request, receive)
        except ConnectionResetError:
            return
        connection.answer()
        if body is None:
            self._record.exceeded("body_bytes", connection.peer)
            refusal = _refusal(413, f"the body is longer than {self._limits.body_bytes} bytes")
        elif self._hosts is not None and not self._hosts.accepts(host):
            self._record.exceeded("host", connection.peer, host=host or "")
            refusal = _refusal(421, _WRONG_HOST)
        elif not self._pool.may_answer and scope["path"] not in self._probes:
            self._record.exceeded("requests", connection.peer)
            refusal = _refusal(503, "too many requests are being answered: try again")
        else:
            await self._answer(scope, _Received(body, receive), respond)
            return
        await refusal(scope, receive, respond)

    async def _body(self, request: Request, receive: Receive) -> bytes | None:
        """The whole body; None for one that is too long. ConnectionResetError when the client is gone."""
        if int(request.headers.get("content-length", "0")) > self._limits.body_bytes:
            return None
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionResetError
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limits.body_bytes:
                return None
        return bytes(body)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer; what it raises is answered with 500 where no response has begun."""
        started = False

        async def noting_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        with isolated("http_request", path=scope["path"]) as run:
            await self._app(scope, receive, noting_start)
        if run.failure and not started:
            await _refusal(500, "internal error; the log has the cause")(scope, receive, send)


class _Received:
    """ASGI `receive` of a request that was read already: the body, then what happens to the connection."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def _refusal(status: int, reason: str) -> Response:
    # The rest of a body that is too long is not read: the connection cannot be used again.
    headers = {"connection": "close"} if status == 413 else {"retry-after": "1"} if status == 503 else None
    body = json.dumps({"error": reason})
    return Response(body, status, headers, media_type="application/json")
