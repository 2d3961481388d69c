"""Problems of all stages."""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from steerway.admin.api.route.operation import Operation, Workers, json_response
from steerway.admin.view import AdminView


def operations(view: AdminView, _workers: Workers) -> Iterable[Operation]:
    """`/api/v1/problems`."""

    async def problems(_request: Request) -> Response:
        rows = [{"where": p.where, "reason": p.reason, "hint": p.hint} for p in view.problems()]
        return json_response({"problems": rows})

    yield Operation("/api/v1/problems", problems, "objects and documents that are skipped, each with a hint")
