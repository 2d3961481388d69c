"""Probes and metrics."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from steerway import telemetry
from steerway.admin.api import readiness
from steerway.admin.api.route.operation import Operation, Workers, json_response
from steerway.admin.bearer_token import shown
from steerway.admin.metrics import Exposition
from steerway.admin.view import AdminView, InformerView

PATHS = frozenset({"/healthz", "/readyz"})
"""Paths that need no token: kubelet has none."""


def operations(view: AdminView, workers: Workers) -> Iterable[Operation]:
    """`/healthz`, `/readyz` and `/metrics`."""
    routes = _Probes(view, workers)
    yield Operation("/healthz", routes.healthz, "alive")
    yield Operation("/readyz", routes.readyz, "ready for clients, or the reasons why not")
    yield Operation("/metrics", routes.metrics, "Prometheus metrics")


class _Probes:
    def __init__(self, view: AdminView, workers: Workers) -> None:
        self._view = view
        self._workers = workers
        self._exposition = Exposition(view.collectors, view.journal.examples)

    async def healthz(self, _request: Request) -> Response:
        """Alive: the event loop responds. Sources do not count: a restart would not fix them."""
        return PlainTextResponse("ok\n")

    async def readyz(self, request: Request) -> Response:
        """Ready for clients: every source has synced, and the process is not draining."""
        missing = readiness.missing(self._view)
        body: dict[str, Any] = {
            "ready": not missing,
            "phase": self._view.phase(),
            "missing": missing if shown(request) else [],
            "informers": readiness.informers(self._view) if shown(request) else [],
        }
        return json_response(body, 503 if missing else 200)

    async def metrics(self, request: Request) -> Response:
        telemetry.PROBLEMS.set(len(self._view.problems()))
        telemetry.SERVICES.set(self._view.service_count())
        telemetry.CONFIG_AGE.set(self._view.journal.changed_seconds or 0.0)
        for label, seconds in _silence(self._view.informers()).items():
            telemetry.INFORMER_SILENT.labels(label).set(seconds)
        body, kind = await self._workers.run(
            partial(self._exposition.encode, request.headers.get("accept", ""))
        )
        return Response(body, headers={"content-type": kind})


def _silence(informers: Iterable[InformerView]) -> dict[str, float]:
    """The longest silence about each kind, `CLUSTER/KIND` for those of remote clusters."""
    silences: dict[str, float] = {}
    for informer in informers:
        silences[informer.label] = max(silences.get(informer.label, 0.0), informer.silent_seconds)
    return silences
