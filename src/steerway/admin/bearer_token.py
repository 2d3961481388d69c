"""Bearer token of the admin server (RFC 6750), or a session of the page; probes need none, and contain less without."""

from collections.abc import Callable, Collection

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steerway.admin.page.session import Sessions

SESSION_HEADER = b"steerway-session"
"""Marks responses to a session, for the page: it cannot read the cookie."""
_SHOWN = "steerway.token_shown"


class BearerToken:
    """ASGI middleware. `accepts` checks a token; `sessions` are those of the page; `open_paths`, and paths
    in `open_folders`, need neither."""

    def __init__(
        self,
        app: ASGIApp,
        accepts: Callable[[str], bool],
        sessions: Sessions,
        open_paths: Collection[str],
        open_folders: Collection[str],
    ) -> None:
        self._app = app
        self._accepts = accepts
        self._sessions = sessions
        self._open_paths = open_paths
        self._open_folders = tuple(open_folders)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        has_token = scheme.lower() == "bearer" and self._accepts(token.strip())
        has_session = not has_token and self._sessions.allow(request)
        scope[_SHOWN] = has_token or has_session
        path: str = scope["path"]
        if scope[_SHOWN] or path in self._open_paths or path.startswith(self._open_folders):
            await self._app(scope, receive, _marked(send) if has_session else send)
            return
        body = msgspec.json.encode(
            {"error": "this needs the token of admin_token_file, as Authorization: Bearer"}
        )
        refusal = Response(body, 401, {"www-authenticate": "Bearer"}, media_type="application/json")
        await refusal(scope, receive, send)


def _marked(send: Send) -> Send:
    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (SESSION_HEADER, b"open")]
        await send(message)

    return add


def shown(request: Request) -> bool:
    """Whether the request has the token or a session, or none is required."""
    return bool(request.scope.get(_SHOWN, True))
