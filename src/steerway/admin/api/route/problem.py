"""Problems of all stages."""

from collections.abc import Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from steerway.admin.api import listing
from steerway.admin.api.route.operation import Operation, Parameter, Workers, encoded, text
from steerway.admin.view import AdminView
from steerway.inventory.problem import ProblemView, object_of
from steerway.inventory.row.problem import ProblemList, ProblemRow

_LIMIT = Parameter(
    "limit",
    "problems of a page; all by default",
    {"type": "integer", "minimum": 1, "maximum": listing.MAX_LIMIT},
)


def operations(view: AdminView, workers: Workers) -> Iterable[Operation]:
    """`/api/v1/problems`."""

    async def problems(request: Request) -> Response:
        given = request.query_params
        every = list(view.problems())
        limit = listing.parse_limit(given["limit"]) if "limit" in given else len(every)
        start = listing.position(given.get("after", ""))
        kind, namespace = given.get("kind", ""), given.get("namespace", "")

        def answer() -> bytes:
            chosen = [problem for problem in every if _passes(problem, kind, namespace)]
            end = start + limit
            rows = [ProblemRow(p.where, p.reason, p.hint) for p in chosen[start:end]]
            token = str(end) if end < len(chosen) else None
            return msgspec.json.encode(ProblemList(rows, len(chosen), token, view.replica))

        return encoded(await workers.run(answer))

    yield Operation(
        "/api/v1/problems",
        problems,
        "objects and documents that are skipped, each with a hint",
        (ProblemList,),
        (
            _LIMIT,
            text("after", "the token `next` of the previous page"),
            text("kind", "kind of the object, such as Service"),
            text("namespace", "namespace of the object"),
        ),
    )


def _passes(problem: ProblemView, kind: str, namespace: str) -> bool:
    of, _, name = object_of(problem).partition(" ")
    return kind in ("", of) and (not namespace or name.startswith(f"{namespace}/"))
