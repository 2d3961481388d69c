"""The HTTP side of REST-JSON discovery: paths, bodies, threads."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from steerway.rest.discovery import TYPES, Answer, Fetch, RestDiscovery, refusal

MAX_BODY_BYTES = 1 << 20
"""A request is a node and a list of names. The HTTP listener refuses a longer one."""
_THREADS = 64
"""Requests that wait for the engine at a time; further ones wait for a thread."""


_TIMEOUT_SECONDS = 0.8
"""How long a response waits for names without an answer yet. Envoy's `request_timeout` is 1 s by default."""


def application(fetch: Fetch) -> Starlette:
    """The ASGI application; `fetch` is `Engine.fetch`."""
    routes = _Routes(RestDiscovery(fetch, _TIMEOUT_SECONDS))
    return Starlette(
        routes=[Route("/v3/discovery:{kind}", routes.discover, methods=["POST"])],
        exception_handlers={HTTPException: _error},
    )


class _Routes:
    def __init__(self, discovery: RestDiscovery) -> None:
        self._discovery = discovery
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="steerway-rest")

    async def discover(self, request: Request) -> Response:
        """One poll."""
        kind = request.path_params["kind"]
        if kind not in TYPES:
            return _response(refusal(404, f"{kind!r} is none of {', '.join(TYPES)}"))
        body = await request.body()
        peer = f"{request.client.host}:{request.client.port}" if request.client else ""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._threads, self._discovery.answer, kind, body, peer, token)
        return _response(answer)


def _response(answer: Answer) -> Response:
    if answer.status == 304:
        return Response(status_code=304)
    return Response(answer.body, answer.status, media_type="application/json")


async def _error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = f"{error.detail}: POST a DiscoveryRequest to /v3/discovery:{{{','.join(TYPES)}}}"
    return _response(refusal(error.status_code, detail))
