"""The resource store, and explanations of targets."""

from collections.abc import Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from steerway.admin.api import explanation, resource, type_name
from steerway.admin.api.response_type import Explanation, ResourceList, VariantList
from steerway.admin.api.route.operation import Operation, Workers, encoded, json_response, text
from steerway.admin.view import AdminView
from steerway.errors import TranslateError, UnknownServiceError

_TYPE = text("type", "short name of a type, such as eds, or its full name")
_AUDIENCE = text("audience", "group of clients with the same resources; empty: all clients")


def operations(view: AdminView, workers: Workers) -> Iterable[Operation]:
    """`/api/v1/resources` and `/api/v1/explain`."""
    routes = _Resources(view, workers)
    yield Operation(
        "/api/v1/resources",
        routes.resources,
        "published resources and absent names",
        (ResourceList,),
        finds_object=True,
        parameters=(_TYPE, _AUDIENCE),
    )
    yield Operation(
        "/api/v1/resources/{path:path}",
        routes.resource,
        "one resource with its body, for each audience, or those of one type",
        (VariantList, ResourceList),
        parameters=(text("path", "TYPE/NAME or TYPE", required=True), _AUDIENCE),
    )
    yield Operation(
        "/api/v1/explain",
        routes.explain,
        "a target's resources for a client, their sources and clients",
        (Explanation,),
        finds_object=True,
        parameters=tuple(
            text(name, what, required=name == "target") for name, what in explanation.PARAMETERS.items()
        ),
    )


class _Resources:
    def __init__(self, view: AdminView, workers: Workers) -> None:
        self._view = view
        self._workers = workers

    async def resources(self, request: Request) -> Response:
        return await self._listing(request, request.query_params.get("type"))

    async def resource(self, request: Request) -> Response:
        """A resource with all its variants, or the listing of a type when the path ends with it."""
        kind, name = resource.split(request.path_params["path"])
        if not name:
            return await self._listing(request, kind)
        audience = request.query_params.get("audience")
        engine, render = self._view.engine, self._view.render

        def answer() -> bytes | list[str]:
            rows, similar_names = resource.variants(engine, render, kind, name, audience)
            return msgspec.json.encode({"variants": rows}) if rows else similar_names

        body = await self._workers.run(answer)
        if isinstance(body, bytes):
            return encoded(body)
        return json_response({"error": f"no {kind} is called {name}", "nearest": body}, 404)

    async def explain(self, request: Request) -> Response:
        """The resources of a target for a client, and the clients that have them."""
        asked = {name: request.query_params.get(name, "") for name in explanation.PARAMETERS}
        if not asked["target"]:
            known = ", ".join(explanation.PARAMETERS)
            return json_response({"error": f"target is missing: give {known}"}, 400)
        try:
            document = self._view.explain(asked)
        except UnknownServiceError as error:
            return json_response({"error": str(error), "nearest": error.nearest}, 404)
        except TranslateError as error:
            return json_response({"error": str(error)}, 400)

        def answer() -> bytes:
            return msgspec.json.encode(explanation.complete(document, self._view))

        return encoded(await self._workers.run(answer))

    async def _listing(self, request: Request, kind: str | None) -> Response:
        audience = request.query_params.get("audience")

        def answer() -> bytes | list[str]:
            entries = self._view.engine.entries()
            type_urls = {entry.type_url for entry in entries}
            if kind is not None and not type_name.known(kind, type_urls):
                return type_name.nearest(kind, type_urls)
            return msgspec.json.encode({"resources": resource.listing(entries, kind, audience)})

        body = await self._workers.run(answer)
        if isinstance(body, bytes):
            return encoded(body)
        return json_response({"error": f"{kind} is no xDS type", "nearest": body}, 404)
