"""The state of the replica, and the graph of clients and services."""

from collections.abc import Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from steerway.admin.api import selection, status
from steerway.admin.api.listing import Query, object_parameter, parse_object
from steerway.admin.api.route.operation import Operation, Workers, encoded, text
from steerway.admin.view import AdminView
from steerway.inventory.row.graph import Graph
from steerway.inventory.row.status import StatusRow

_SERVICE, _WORKLOAD = "service", "workload"


def operations(view: AdminView, workers: Workers) -> Iterable[Operation]:
    """`/api/v1/status` and `/api/v1/graph`."""

    async def show_status(_request: Request) -> Response:
        view.inventory.observe()
        read = status.prepare(view)
        return encoded(await workers.run(lambda: msgspec.json.encode(read())))

    async def graph(request: Request) -> Response:
        view.inventory.observe()
        given = request.query_params
        query = Query(
            namespace=given.get("namespace", ""),
            service=parse_object(given, _SERVICE),
            workload=parse_object(given, _WORKLOAD),
        )

        def answer() -> bytes:
            shown = selection.subscriptions(view.inventory, query)
            return msgspec.json.encode(view.inventory.graph(shown))

        return encoded(await workers.run(answer))

    yield Operation("/api/v1/status", show_status, "this replica: readiness, counts, ages", (StatusRow,))
    yield Operation(
        "/api/v1/graph",
        graph,
        "which client workload subscribes to which service",
        (Graph,),
        (
            text("namespace", "namespace of the service or of the workload"),
            object_parameter(_SERVICE, "a service, as NAMESPACE/NAME"),
            object_parameter(_WORKLOAD, "a client workload, as NAMESPACE/NAME"),
        ),
    )
