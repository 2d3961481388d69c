"""The page and its files. They contain no data: the page reads the API, which asks for the token."""

from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from steerway.admin.api.route.operation import Operation, Workers
from steerway.admin.page.asset import INDEX, read
from steerway.admin.view import AdminView

PATHS = frozenset({"/"})
FOLDER = "/static/"


def operations(_view: AdminView, _workers: Workers) -> Iterable[Operation]:
    """`/`, `/static/NAME`."""
    assets = read()

    async def index(request: Request) -> Response:
        return assets[INDEX].response(request)

    async def static(request: Request) -> Response:
        asset = assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        return asset.response(request)

    yield Operation("/", index, "the page")
    yield Operation(FOLDER + "{name}", static, "a file of the page")
