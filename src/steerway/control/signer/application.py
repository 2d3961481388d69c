"""The HTTP server of the signer: probes and metrics."""

from collections.abc import Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from steerway import telemetry
from steerway.admin.metrics import Exposition
from steerway.sources.store import Problem

PROBES = frozenset({"/healthz", "/readyz"})


def application(
    ready: Callable[[], bool], active: Callable[[], bool], problems: Callable[[], Sequence[Problem]]
) -> Starlette:
    """`ready`: the requests are known. `active`: this replica issues certificates. `problems`: why it cannot."""
    exposition = Exposition(())

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        """A replica that waits for the Lease is ready: it takes over at once."""
        fields = ("where", "reason", "hint")
        body: dict[str, Any] = {
            "ready": ready(),
            "active": active(),
            "problems": [{name: getattr(problem, name) for name in fields} for problem in problems()],
        }
        return JSONResponse(body, 200 if body["ready"] else 503)

    async def metrics(request: Request) -> Response:
        telemetry.PROBLEMS.set(len(problems()))
        body, kind = exposition.encode(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": kind})

    handlers = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}
    return Starlette(routes=[Route(path, handler) for path, handler in handlers.items()])
