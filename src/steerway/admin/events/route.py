"""`GET /api/v1/events`: the response of one viewer."""

from collections.abc import Collection

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from steerway.admin.events.hub import Hub

TOPICS = ("status", "services", "clients", "changes", "problems", "graph")
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""Neither a cache nor a proxy may keep messages back."""


class EventsRoute:
    """The endpoint of the stream."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, request: Request) -> Response:
        unknown = sorted(request.query_params.keys() - {"topics"})
        if unknown:
            return _refusal(400, f"no parameter is called {unknown[0]}: give topics")
        asked = request.query_params.get("topics")
        topics = TOPICS if asked is None else tuple(asked.split(","))
        if wrong := [topic for topic in topics if topic not in TOPICS]:
            return _refusal(400, f"no topic is called {wrong[0]!r}: give some of {','.join(TOPICS)}")
        if self._hub.draining():
            return _refusal(503, "this replica is shutting down: connect again")
        if self._hub.is_full:
            reason = f"{self._hub.most} event streams are open: close one, or raise admin_max_event_streams"
            return _refusal(503, reason)
        return _Stream(self._hub, topics)


class _Stream(StreamingResponse):
    """The response of one viewer, from its construction until its connection ends."""

    def __init__(self, hub: Hub, topics: Collection[str]) -> None:
        self._hub = hub
        self._events = hub.join(topics)
        super().__init__(self._events.parts(), media_type="text/event-stream", headers=_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hub.leave(self._events)


def _refusal(status: int, reason: str) -> Response:
    headers = {"retry-after": "5"} if status == 503 else None
    body = msgspec.json.encode({"error": reason})
    return Response(body, status, headers, media_type="application/json")
