"""The HTTP routes: each reads the view and returns JSON, built off the event loop where it may be large.

All are read-only: GET, and POST where the request is a message (CSDS).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from steerway import telemetry
from steerway.admin import page
from steerway.admin.api import explanation, load, resource, stream, type_name
from steerway.admin.bearer_token import BearerToken, shown
from steerway.admin.grpc import client_status
from steerway.admin.metrics import Exposition
from steerway.admin.view import AdminView, InformerView, StoreView
from steerway.errors import TranslateError, UnknownServiceError
from steerway.http.header import content_security_policy

PROBES = frozenset({"/healthz", "/readyz"})
"""Paths that need no token: kubelet has none."""

CLIENT_STATUS = "/v3/discovery:client_status"
"""From csds.proto: the `google.api.http` option of FetchClientStatus."""
_THREADS = 2
"""Responses built at a time. A pool of its own, since the default one also reads files; small, since each thread
contends with the event loop for the interpreter. With two, a scrape does not wait for one long response."""

Endpoint = Callable[[Request], Awaitable[Response]]
_T = TypeVar("_T")


def application(view: AdminView, accepts: Callable[[str], bool] | None = None) -> Starlette:
    """The admin server as an ASGI application. `accepts`: see `AdminServer`."""
    routes = _Routes(view)
    paths: dict[str, Endpoint] = {
        "/": routes.index,
        "/healthz": routes.healthz,
        "/readyz": routes.readyz,
        "/metrics": routes.metrics,
        "/api/v1/streams": routes.streams,
        "/api/v1/resources": routes.resources,
        "/api/v1/resources/{path:path}": routes.resource,
        "/api/v1/explain": routes.explain,
        "/api/v1/loads": routes.loads,
        "/api/v1/problems": routes.problems,
    }
    return Starlette(
        routes=[
            *(Route(path, endpoint, methods=["GET"]) for path, endpoint in paths.items()),
            Route(CLIENT_STATUS, routes.client_status, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _error},
        middleware=[] if accepts is None else [Middleware(BearerToken, accepts=accepts, open_paths=PROBES)],
    )


class _Routes:
    """One method per path."""

    def __init__(self, view: AdminView) -> None:
        self._view = view
        self._exposition = Exposition(view.collectors)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="steerway-admin")

    async def healthz(self, _request: Request) -> Response:
        """Alive: the event loop responds. Sources do not count: a restart would not fix them."""
        return PlainTextResponse("ok\n")

    async def readyz(self, request: Request) -> Response:
        """Ready for clients: every source has synced, and the process is not draining."""
        missing = _missing(self._view)
        body = {
            "ready": not missing,
            "phase": self._view.phase(),
            "missing": missing if shown(request) else [],
            "informers": [_informer(informer) for informer in self._view.informers()]
            if shown(request)
            else [],
        }
        return _json(body, 503 if missing else 200)

    async def metrics(self, request: Request) -> Response:
        telemetry.PROBLEMS.set(len(self._view.problems()))
        for label, seconds in _silence(self._view.informers()).items():
            telemetry.INFORMER_SILENT.labels(label).set(seconds)
        body, kind = await self._in_thread(
            partial(self._exposition.encode, request.headers.get("accept", ""))
        )
        return Response(body, headers={"content-type": kind})

    async def problems(self, _request: Request) -> Response:
        problems = [{"where": p.where, "reason": p.reason, "hint": p.hint} for p in self._view.problems()]
        return _json({"problems": problems})

    async def streams(self, request: Request) -> Response:
        node, kind = request.query_params.get("node"), request.query_params.get("type")
        resources = request.query_params.get("resources", "false")
        if resources not in ("true", "false"):
            return _json({"error": f"resources is {resources!r}: give true or false"}, 400)
        with_resources = resources == "true"

        def answer() -> bytes:
            engine = self._view.engine
            streams = stream.shown(engine.streams(resources=with_resources), node, kind)
            look = self._view.locality, self._view.identity, self._view.subscribers()
            return msgspec.json.encode(
                {"streams": stream.describe(streams, *look, kind, resources=with_resources)}
            )

        return _encoded(await self._in_thread(answer))

    async def explain(self, request: Request) -> Response:
        """The resources of a target for a client, and the clients that have them."""
        asked = {name: request.query_params.get(name, "") for name in explanation.PARAMETERS}
        unknown = sorted(request.query_params.keys() - asked.keys())
        if unknown or not asked["target"]:
            wrong = f"no parameter is called {unknown[0]}" if unknown else "target is missing"
            return _json({"error": f"{wrong}: give {', '.join(explanation.PARAMETERS)}"}, 400)
        try:
            document = self._view.explain(asked)
        except UnknownServiceError as error:
            return _json({"error": str(error), "nearest": error.nearest}, 404)
        except TranslateError as error:
            return _json({"error": str(error)}, 400)

        def answer() -> bytes:
            return msgspec.json.encode(explanation.complete(document, self._view))

        return _encoded(await self._in_thread(answer))

    async def loads(self, _request: Request) -> Response:
        def answer() -> bytes:
            return msgspec.json.encode(load.describe(self._view.engine.loads()))

        return _encoded(await self._in_thread(answer))

    async def resources(self, request: Request) -> Response:
        return await self._listing(request, request.query_params.get("type"))

    async def resource(self, request: Request) -> Response:
        """A resource with all its variants, or the listing of a type when the path ends with it."""
        kind, name = resource.split(request.path_params["path"])
        if not name:
            return await self._listing(request, kind)
        audience = request.query_params.get("audience")
        engine, render = self._view.engine, self._view.render

        def answer() -> bytes | list[str]:
            rows, similar_names = resource.variants(engine, render, kind, name, audience)
            return msgspec.json.encode({"variants": rows}) if rows else similar_names

        body = await self._in_thread(answer)
        if isinstance(body, bytes):
            return _encoded(body)
        return _json({"error": f"no {kind} is called {name}", "nearest": body}, 404)

    async def index(self, _request: Request) -> Response:
        missing, phase, problems = _missing(self._view), self._view.phase(), list(self._view.problems())

        def answer() -> str:
            entries = self._view.engine.entries()
            look = self._view.locality, self._view.identity, self._view.subscribers()
            streams = stream.describe(self._view.engine.streams(), *look)
            served = sum(1 for entry in entries if not entry.reason)
            return page.render(streams, served, phase, missing, problems)

        # Node ids and reasons come from clients and manifests: nothing on this page may run as a script.
        policy = {"content-security-policy": content_security_policy(page.STYLE)}
        return HTMLResponse(await self._in_thread(answer), headers=policy)

    async def client_status(self, request: Request) -> Response:
        """CSDS over HTTP: request and response in protobuf's JSON mapping."""
        body = await request.body()

        def answer() -> bytes:
            return msgspec.json.encode(client_status.respond_in_json(self._view.engine, body))

        try:
            return _encoded(await self._in_thread(answer))
        except ValueError as error:
            return _json({"error": str(error)}, 400)

    async def _in_thread(self, answer: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, answer)

    async def _listing(self, request: Request, kind: str | None) -> Response:
        audience = request.query_params.get("audience")

        def answer() -> bytes | list[str]:
            entries = self._view.engine.entries()
            type_urls = {entry.type_url for entry in entries}
            if kind is not None and not type_name.known(kind, type_urls):
                return type_name.nearest(kind, type_urls)
            return msgspec.json.encode({"resources": resource.listing(entries, kind, audience)})

        body = await self._in_thread(answer)
        if isinstance(body, bytes):
            return _encoded(body)
        return _json({"error": f"{kind} is no xDS type", "nearest": body}, 404)


def _informer(informer: InformerView) -> dict[str, Any]:
    return {
        "cluster": informer.cluster,
        "kind": informer.kind,
        "namespace": informer.namespace or "all",
        "synced": informer.settled,
        "silent_seconds": round(informer.silent_seconds, 1),
        "stale": informer.stale,
    }


def _silence(informers: Iterable[InformerView]) -> dict[str, float]:
    """The longest silence about each kind, `CLUSTER/KIND` for those of remote clusters."""
    silences: dict[str, float] = {}
    for informer in informers:
        silences[informer.label] = max(silences.get(informer.label, 0.0), informer.silent_seconds)
    return silences


def _missing(view: AdminView) -> list[str]:
    """The reasons why this replica is not ready; empty when it is."""
    missing = [line for source in view.store.unsynced for line in _obstacles(view.store, source)]
    phase = view.phase()
    if phase == "draining":
        missing.append("shutting down: clients are being moved to other replicas")
    elif phase == "starting" and not missing:
        missing.append("the first resources are being published")
    return missing


def _obstacles(store: StoreView, source: str) -> list[str]:
    """A source that has not synced, and its problems with their hints."""
    reasons = [
        f"{p.where}: {p.reason}" + (f" ({p.hint})" if p.hint else "") for p in store.problems_of(source)
    ]
    return [f"source {source} has not synced", *reasons]


async def _error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body: dict[str, Any] = {"error": error.detail}
    if error.status_code == 404:
        body["see"] = list(page.ENDPOINTS)
    return _json(body, error.status_code, error.headers)


def _json(body: Any, status: int = 200, headers: Any = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


def _encoded(body: bytes) -> Response:
    return Response(body, media_type="application/json")
