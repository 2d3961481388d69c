"""`/api/v1/events`: the stream of changed rows."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from steerway.admin.api import status
from steerway.admin.api.request_error import RequestError
from steerway.admin.api.route.operation import Operation, Workers, json_response, text
from steerway.admin.events.feed import ChangeFeed, Feed, ProblemFeed, RowFeed, ServiceFeed, StatusFeed
from steerway.admin.events.hub import PATH, Hub
from steerway.admin.view import AdminView
from steerway.inventory.inventory import Inventory
from steerway.inventory.row.problem import ProblemRow

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""Neither a cache nor a proxy may keep messages back."""

_FEEDS: Mapping[str, Callable[[AdminView], Feed]] = {
    "status": lambda view: StatusFeed(partial(status.prepare, view), view.phase),
    "services": lambda view: _services(view.inventory),
    "clients": lambda view: RowFeed(view.inventory.clients),
    "changes": lambda view: ChangeFeed(view.journal.changed),
    "problems": lambda view: ProblemFeed(partial(_problems, view)),
    "graph": lambda view: RowFeed(view.inventory.edges),
}


def operations(view: AdminView, workers: Workers) -> Iterable[Operation]:
    """`/api/v1/events`."""
    hub = Hub(
        lambda: {topic: make(view) for topic, make in _FEEDS.items()},
        view.max_event_streams,
        lambda: view.phase() == "draining",
        workers.threads,
        view.inventory.observe,
    )
    topics = text("topics", f"topics separated by commas, of {', '.join(_FEEDS)}; default: all")
    yield Operation(
        PATH,
        partial(_events, hub),
        "changed rows of the lists, as they change (server-sent events)",
        parameters=(topics,),
        media_type="text/event-stream",
    )


async def _events(hub: Hub, request: Request) -> Response:
    asked = request.query_params.get("topics")
    topics = list(_FEEDS) if asked is None else asked.split(",")
    if wrong := [topic for topic in topics if topic not in _FEEDS]:
        raise RequestError(f"no topic is called {wrong[0]!r}: give some of {','.join(_FEEDS)}")
    if hub.draining():
        return _unavailable("this replica is shutting down: connect again")
    if hub.is_full:
        return _unavailable(f"{hub.most} event streams are open: close one, or raise admin_max_event_streams")
    return _Stream(hub, topics)


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


def _unavailable(reason: str) -> Response:
    return json_response({"error": reason}, 503, {"retry-after": "5"})


def _services(inventory: Inventory) -> Feed:
    return ServiceFeed(
        lambda: inventory.aged(inventory.services()),
        lambda ids: inventory.aged(inventory.services(ids)),
        inventory.changed_services,
    )


def _problems(view: AdminView) -> list[ProblemRow]:
    return [ProblemRow(problem.where, problem.reason, problem.hint) for problem in view.problems()]
