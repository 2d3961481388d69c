"""Changes: the journal as a list."""

import contextlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import get_args

from starlette.requests import Request
from starlette.responses import Response

from steerway.admin.api import listing
from steerway.admin.api.listing import ListType, Query
from steerway.admin.api.request_error import RequestError
from steerway.admin.api.route.operation import Operation, Workers, choice, encoded, text
from steerway.admin.view import AdminView
from steerway.journal.entry import Kind
from steerway.journal.row import STATES, ChangeRow, timestamp
from steerway.sources.policy import duration

KINDS: tuple[str, ...] = get_args(Kind)
_DURATION = re.compile(duration.DURATION)
CHANGES = ListType(
    ChangeRow,
    ("q", "namespace", "service", "state"),
    STATES,
    more=(
        text("since", "a time such as 2026-11-30T12:00:00Z, or how long ago, such as 5m"),
        choice("kind", "the kind of the entry", KINDS),
    ),
)


def operations(view: AdminView, workers: Workers) -> Iterable[Operation]:
    """`/api/v1/changes`."""

    async def changes(request: Request) -> Response:
        parameters = request.query_params
        query = CHANGES.parse(parameters)
        kind, since = parameters.get("kind", ""), earliest(parameters.get("since", ""), time.time())

        def answer() -> bytes:
            rows = selected(view.journal.rows(), query, kind, since)
            return listing.page(rows, query, view.replica, order=_order)

        return encoded(await workers.run(answer))

    yield Operation(
        "/api/v1/changes",
        changes,
        "published changes, refusals of clients and limits, newest first",
        response=CHANGES.response,
        parameters=CHANGES.parameters,
    )


def selected(rows: Iterable[ChangeRow], query: Query, kind: str, since: str) -> Sequence[ChangeRow]:
    """The rows that pass the filters; `kind` and `since` (a time in the format of rows) may be ""."""
    tests: list[Callable[[ChangeRow], bool]] = []
    if kind:
        tests.append(lambda row: row.kind == kind)
    if since:
        # All times have one format, in which texts have the order of the times.
        tests.append(lambda row: row.time >= since)
    if query.state:
        tests.append(lambda row: row.state == query.state)
    if query.service:
        tests.append(lambda row: query.service in row.services)
    if query.namespace:
        tests.append(lambda row: _is_in(row, query.namespace))
    if query.q:
        wanted = query.q.casefold()
        tests.append(lambda row: any(wanted in part.casefold() for part in _texts(row)))
    return [row for row in rows if all(test(row) for test in tests)]


def earliest(since: str, now: float) -> str:
    """The time that `since` means, in the format of rows; "" for none. RequestError: it is no time."""
    if not since:
        return ""
    if _DURATION.match(since):
        return timestamp(max(0.0, now - duration.seconds(since)))
    with contextlib.suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(since)
        if moment.tzinfo is not None:
            return timestamp(moment.timestamp())
    form = "give a time such as 2026-11-30T12:00:00Z, or how long ago, such as 5m or 1h30m"
    raise RequestError(f"since is {since!r}: {form}")


def _is_in(row: ChangeRow, namespace: str) -> bool:
    return any(service.startswith(f"{namespace}/") for service in row.services) or any(
        f" {namespace}/" in about or about == f"Namespace {namespace}" for about in row.objects
    )


def _texts(row: ChangeRow) -> Iterable[str]:
    yield row.text
    yield from row.objects
    yield from row.services
    for names in row.resources.values():
        yield from names


def _order(id_: str) -> int:
    return -int(id_)
