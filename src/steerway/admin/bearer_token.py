"""Bearer token of the admin server (RFC 6750). Probes need none, and contain less without it."""

from collections.abc import Callable, Collection

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_SHOWN = "steerway.token_shown"


class BearerToken:
    """ASGI middleware. `accepts` checks a token; `open_paths` need none."""

    def __init__(self, app: ASGIApp, accepts: Callable[[str], bool], open_paths: Collection[str]) -> None:
        self._app = app
        self._accepts = accepts
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scheme, _, token = Request(scope).headers.get("authorization", "").partition(" ")
        scope[_SHOWN] = scheme.lower() == "bearer" and self._accepts(token.strip())
        if scope[_SHOWN] or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        body = msgspec.json.encode(
            {"error": "this needs the token of admin_token_file, as Authorization: Bearer"}
        )
        refusal = Response(body, 401, {"www-authenticate": "Bearer"}, media_type="application/json")
        await refusal(scope, receive, send)


def shown(request: Request) -> bool:
    """Whether the request has the token, or none is required."""
    return bool(request.scope.get(_SHOWN, True))
