"""The admin server as an ASGI application: the operations of all subjects.

All are read-only: GET, and POST where the request is a message (CSDS).
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from steerway.admin import page
from steerway.admin.api.route import (
    change,
    client,
    document,
    endpoint,
    event,
    index,
    overview,
    probe,
    problem,
    resource,
    service,
    workload,
)
from steerway.admin.api.route.operation import Operation, Workers, json_response
from steerway.admin.bearer_token import BearerToken
from steerway.admin.page.login import LOGIN, LOGOUT, Login
from steerway.admin.page.session import Sessions
from steerway.admin.view import AdminView


class _Subject(Protocol):
    """A module of `route`."""

    def operations(self, view: AdminView, workers: Workers, /) -> Iterable[Operation]: ...


_SUBJECTS: tuple[_Subject, ...] = (
    index,
    probe,
    client,
    resource,
    problem,
    overview,
    service,
    workload,
    endpoint,
    change,
    event,
)


def application(view: AdminView, accepts: Callable[[str], bool] | None = None) -> Starlette:
    """The admin server as an ASGI application. `accepts`: see `AdminServer`."""
    workers = Workers()
    operations = [operation for subject in _SUBJECTS for operation in subject.operations(view, workers)]
    operations.append(document.operation(operations))
    routes = [operation.route() for operation in operations]
    middleware = []
    if accepts is not None:
        sessions = Sessions(accepts)
        routes += Login(sessions).routes()
        middleware.append(
            Middleware(
                BearerToken,
                accepts=accepts,
                sessions=sessions,
                open_paths=probe.PATHS | index.PATHS | {LOGIN, LOGOUT},
                open_folders=(index.FOLDER,),
            )
        )
    return Starlette(routes=routes, exception_handlers={HTTPException: _error}, middleware=middleware)


async def _error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body: dict[str, Any] = {"error": error.detail}
    if error.status_code == 404:
        body["see"] = list(page.ENDPOINTS)
    return json_response(body, error.status_code, error.headers)
