"""Admin servers with fixed documents, on real sockets: what commands that query replicas are tested against."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from testbed.process.deadline import PATIENCE_SECONDS, until

Document = dict[str, Any]


class AdminReplica:
    """One replica. `documents` by path; a list answers with pages of `page_items`. `token` "": none is needed.

    `requests` are the paths with queries, in their order. Without `publish` there are no events.
    """

    def __init__(
        self, documents: dict[str, Document], page_items: int = 1000, uds: str | None = None
    ) -> None:
        self.documents = documents
        self.page_items = page_items
        self.token = ""
        self.status = 200
        self.requests: list[str] = []
        self.viewers = 0
        self._messages: list[bytes] | None = None
        routes = [Route("/api/v1/events", self._events), Route("/{path:path}", self._answer)]
        self._server = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=routes),
                "127.0.0.1",
                port=0,
                uds=uds,
                log_config=None,
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._server.run)

    @property
    def address(self) -> str:
        """`HOST:PORT`."""
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def publish(self, topic: str, data: Document) -> None:
        """Send an event to all viewers, and to those that come later."""
        message = f"event: {topic}\nid: 1\ndata: {json.dumps(data)}\n\n".encode()
        self._messages = [*(self._messages or [b": keep-alive\n\n"]), message]

    async def _answer(self, request: Request) -> Response:
        self.requests.append(f"{request.url.path}?{request.url.query}".removesuffix("?"))
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"error": "this needs the token"}, 401)
        document = self.documents.get(request.url.path)
        if document is None:
            return JSONResponse({"error": "Not Found", "see": []}, 404)
        if "error" in document:
            return JSONResponse(document, 404 if "nearest" in document else 400)
        if "limit" in request.query_params and "items" in document:
            document = self._page(document, request.query_params.get("after"))
        return JSONResponse(document, self.status)

    def _page(self, document: Document, after: str | None) -> Document:
        ids = [item["id"] for item in document["items"]]
        start = ids.index(after) + 1 if after else 0
        items = document["items"][start : start + self.page_items]
        more = start + self.page_items < len(ids)
        return {**document, "items": items, "total": len(ids), "next": items[-1]["id"] if more else None}

    async def _events(self, request: Request) -> Response:
        self.requests.append(f"{request.url.path}?{request.url.query}")
        if self._messages is None:
            return JSONResponse({"error": "too many viewers"}, 503)
        return StreamingResponse(self._sent(), media_type="text/event-stream")

    async def _sent(self) -> AsyncIterator[bytes]:
        self.viewers += 1
        sent = 0
        while not self._server.should_exit:
            for message in (self._messages or [])[sent:]:
                sent += 1
                yield message
            await asyncio.sleep(0.01)

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self._server.started, "the admin server")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE_SECONDS)
