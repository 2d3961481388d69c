"""An operation of the HTTP API: its path, its parameters, and the function that answers it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from steerway.admin.api.request_error import RequestError, UnknownObjectError

API = "/api/v1/"
_THREADS = 2
"""Responses built at a time. A pool of its own, since the default one also reads files; small, since each thread
contends with the event loop for the interpreter. With two, a scrape does not wait for one long response."""

Endpoint = Callable[[Request], Awaitable[Response]]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query, or of the path where `{NAME}` is in it. `schema`: a JSON schema of its value."""

    name: str
    text: str
    schema: dict[str, Any]
    required: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """`response`: the msgspec types that a response with status 200 may have; none: it is no JSON. `finds_object`: 404
    is for an object that a parameter of the query names, too. Under `/api/v1/` a parameter that is not listed, and a
    value outside of the `enum` of its schema, gets 400."""

    path: str
    endpoint: Endpoint
    summary: str
    response: tuple[type[msgspec.Struct], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    method: str = "GET"
    finds_object: bool = False
    media_type: str = "application/json"

    def route(self) -> Route:
        """The route for the application."""
        return Route(self.path, self._checked, methods=[self.method])

    async def _checked(self, request: Request) -> Response:
        if self.path.startswith(API) and (wrong := self._wrong(request)):
            return json_response({"error": wrong}, 400)
        try:
            return await self.endpoint(request)
        except RequestError as error:
            return json_response({"error": str(error)}, 400)
        except UnknownObjectError as error:
            return json_response({"error": str(error), "nearest": error.nearest}, 404)

    def _wrong(self, request: Request) -> str:
        """What is wrong with the names of the parameters, or with a value that is one of some; "" for nothing."""
        queries = [parameter for parameter in self.parameters if f"{{{parameter.name}" not in self.path]
        names = [parameter.name for parameter in queries]
        if unknown := sorted(request.query_params.keys() - set(names)):
            known = f"give {', '.join(names)}" if names else "this path has none"
            return f"no parameter is called {unknown[0]}: {known}"
        for parameter in queries:
            given = request.query_params.getlist(parameter.name)
            if len(given) > 1 and not parameter.repeated:
                return f"{parameter.name} is given {len(given)} times: give it once"
            allowed = parameter.schema.get("enum")
            if allowed and (unknown := [value for value in given if value not in allowed]):
                return f"{parameter.name} is {unknown[0]!r}: give {', '.join(allowed)}"
        return ""


class Workers:
    """Threads that build responses which may be large, off the event loop."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="steerway-admin")

    async def run(self, build: Callable[[], _T]) -> _T:
        """The result of `build` in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, build)


def text(name: str, what: str, required: bool = False, repeated: bool = False) -> Parameter:
    """A parameter that is any text."""
    return Parameter(name, what, {"type": "string"}, required, repeated)


def choice(name: str, what: str, values: Iterable[str]) -> Parameter:
    """A parameter that is one of some values."""
    return Parameter(name, what, {"type": "string", "enum": [*values]})


def json_response(body: Any, status: int = 200, headers: Any = None) -> Response:
    """A small value as JSON."""
    return encoded(msgspec.json.encode(body), status, headers)


def encoded(body: bytes, status: int = 200, headers: Any = None) -> Response:
    """JSON that is encoded already."""
    return Response(body, status, headers, media_type="application/json")
