"""The page over a generated mesh that changes four times a second.

python -m tests.real.page.generated.server --workloads 60 --services 40 --port 8600
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from steerway.admin.api.route import index
from steerway.admin.api.route.operation import Workers
from steerway.admin.view import AdminView
from steerway.http.header import with_safe_headers
from tests.real.page.generated import detail
from tests.real.page.generated.world import World

_TICK_SECONDS = 0.25


class Generated:
    """The application. `pause` stops the changes, `refuse` ends the streams of events and answers 503."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pause = False
        self.refuse = False
        paths = {
            "/api/v1/status": self._status,
            "/api/v1/services/{namespace}/{name}": self._service,
            "/api/v1/clients": self._clients,
            "/api/v1/clients/{node:path}": self._node,
            "/api/v1/graph": self._graph,
            "/api/v1/explain": self._explain,
            "/api/v1/endpoints": self._endpoints,
            "/api/v1/events": self._events,
        }
        operations = index.operations(cast(AdminView, None), Workers())
        routes = [*(operation.route() for operation in operations)]
        self.app = Starlette(routes=[*routes, *(Route(path, answer) for path, answer in paths.items())])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, with_safe_headers(send) if scope["type"] == "http" else send)

    async def _status(self, _: Request) -> Response:
        return JSONResponse(self.world.status())

    async def _service(self, request: Request) -> Response:
        name = "{namespace}/{name}".format(**request.path_params)
        if name not in self.world.services:
            near = [known for known in self.world.services if known.startswith(name[:4])]
            return JSONResponse({"error": f"no service is called {name}", "nearest": near[:3]}, 404)
        return JSONResponse(detail.service(self.world, name))

    async def _clients(self, request: Request) -> Response:
        query = request.query_params
        rows = [
            row
            for row in sorted(detail.nodes(self.world), key=lambda row: str(row["id"]))
            if query.get("q", "") in row["id"]
            and query.get("state", row["state"]) == row["state"]
            and query.get("workload", row["workload"]) == row["workload"]
            and row["workload"].startswith(query.get("namespace", ""))
        ]
        rest = [row for row in rows if row["id"] > query.get("after", "")]
        items = rest[: int(query.get("limit", 100))]
        more = items[-1]["id"] if len(rest) > len(items) else None
        return JSONResponse({"items": items, "total": len(rows), "next": more, "replica": "generated"})

    async def _node(self, request: Request) -> Response:
        document = detail.node(self.world, request.path_params["node"])
        if document is None:
            return JSONResponse({"error": "no client has this node id", "nearest": []}, 404)
        return JSONResponse(document)

    async def _graph(self, request: Request) -> Response:
        wanted = request.query_params.get("workload")
        edges = [edge for edge in self.world.edges.values() if wanted in (None, edge["workload"])]
        return JSONResponse({"workloads": [], "services": [], "edges": edges, "truncated": False})

    async def _explain(self, request: Request) -> Response:
        document = detail.explanation(self.world, dict(request.query_params))
        if document is None:
            return JSONResponse({"error": "no service has this name", "nearest": ["cart.shop:50051"]}, 404)
        return JSONResponse(document)

    async def _endpoints(self, request: Request) -> Response:
        return JSONResponse(detail.endpoints(self.world, dict(request.query_params)))

    async def _events(self, request: Request) -> Response:
        if self.refuse:
            return JSONResponse({"error": "this replica is shutting down"}, 503)
        topics = request.query_params["topics"].split(",")
        return StreamingResponse(self._messages(topics), media_type="text/event-stream")

    async def _messages(self, topics: list[str]) -> AsyncIterator[str]:
        """Everything once, then what changes. Each viewer steps the mesh itself."""
        world = self.world
        whole: dict[str, Any] = {
            "status": world.status(),
            "services": _put(world.services.values(), reset=True),
            "clients": _put(world.workloads.values(), reset=True),
            "changes": _put(world.changes.values(), reset=True),
            "problems": _put(world.problems(), reset=True),
            "graph": _put(world.edges.values(), reset=True),
        }
        for topic in topics:
            yield _message(topic, whole[topic])
        while not self.refuse:
            await asyncio.sleep(_TICK_SECONDS)
            if self.pause or "services" not in topics:
                yield ": keep-alive\n\n"
                continue
            services, workloads, changes = world.step()
            yield _message("status", world.status())
            yield _message("services", _put(world.services[name] for name in services))
            yield _message("clients", _put(world.workloads[name] for name in workloads))
            yield _message("changes", _put(world.changes[name] for name in changes))


def _put(items: Any, reset: bool = False) -> dict[str, Any]:
    return {"reset": reset, "put": list(items), "remove": []}


def _message(topic: str, data: Any) -> str:
    return f"event: {topic}\ndata: {json.dumps(data)}\n\n"


@contextmanager
def serving(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """The address of the application on a port of loopback, in a thread."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="critical", lifespan="off", timeout_graceful_shutdown=0
    )
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    socket.listen()  # before the thread does: a browser that is refused loads an error page of its own first
    thread = Thread(target=server.run, args=([socket],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option, default in (("workloads", 60), ("services", 40), ("port", 8600)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--long", action="store_true", help="names of the greatest length")
    given = parser.parse_args()
    world = World(given.workloads, given.services, long=given.long)
    with serving(Generated(world), given.port) as address:
        print(address, flush=True)
        input("Enter ends it. ")
