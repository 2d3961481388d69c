"""Services."""

import difflib
from collections.abc import Iterable, Sequence
from typing import get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from steerway.admin.api import listing, selection
from steerway.admin.api.listing import ListType
from steerway.admin.api.request_error import UnknownObjectError
from steerway.admin.api.route.operation import Operation, Workers, encoded, text
from steerway.admin.view import AdminView
from steerway.catalog.model.identity import ServiceId
from steerway.inventory.row.service import ServiceDetail, ServiceRow, ServiceState

SERVICES = ListType(
    ServiceRow, ("q", "namespace", "service", "client", "workload", "state"), get_args(ServiceState)
)
_MOST_COMPARED = 2000
"""Names, so that a wrong one does not take long."""
_MOST_NEAREST = 5


def operations(view: AdminView, workers: Workers) -> Iterable[Operation]:
    """`/api/v1/services` and each of them."""

    def _rows(ids: Sequence[str]) -> list[ServiceRow]:
        return view.inventory.aged(view.inventory.services(ids))

    async def services(request: Request) -> Response:
        query = SERVICES.parse(request.query_params)
        view.inventory.observe()

        def answer() -> bytes:
            ids = selection.services(view.inventory, query)
            return listing.page(ids, query, view.replica, complete=_rows)

        return encoded(await workers.run(answer))

    async def service(request: Request) -> Response:
        id = ServiceId(request.path_params["namespace"], request.path_params["name"])
        view.inventory.observe()

        def answer() -> bytes:
            detail = view.details.read(id)
            if detail is None:
                nearest = _nearest(id, view.inventory.service_ids())
                raise UnknownObjectError(f"no service is called {id}", nearest)
            return msgspec.json.encode(detail)

        return encoded(await workers.run(answer))

    yield Operation(
        "/api/v1/services",
        services,
        "all services: ports, endpoints, policies, clients, problems",
        SERVICES.response,
        SERVICES.parameters,
    )
    yield Operation(
        "/api/v1/services/{namespace}/{name}",
        service,
        "one service with its endpoints, routes, clients and changes",
        (ServiceDetail,),
        (
            text("namespace", "namespace of the service", required=True),
            text("name", "name of the service", required=True),
        ),
    )


def _nearest(id: ServiceId, known: Sequence[str]) -> list[str]:
    """Services of this name elsewhere, then those of a similar name."""
    same = [other for other in known if other.endswith(f"/{id.name}")]
    prefix = f"{id.namespace}/"
    own = [other.removeprefix(prefix) for other in known if other.startswith(prefix)][:_MOST_COMPARED]
    similar = [prefix + name for name in difflib.get_close_matches(id.name, own, n=_MOST_NEAREST)]
    return list(dict.fromkeys([*same, *similar]))[:_MOST_NEAREST]
