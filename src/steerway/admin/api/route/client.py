"""Streams of clients, their status (CSDS) and their load reports."""

from collections.abc import Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from steerway.admin.api import listing, load, stream, type_name
from steerway.admin.api.request_error import RequestError
from steerway.admin.api.response_type import LoadDocument, StreamList
from steerway.admin.api.route.operation import (
    Operation,
    Parameter,
    Workers,
    choice,
    encoded,
    json_response,
    text,
)
from steerway.admin.grpc import client_status
from steerway.admin.view import AdminView

CLIENT_STATUS = "/v3/discovery:client_status"
"""From csds.proto: the `google.api.http` option of FetchClientStatus."""


def operations(view: AdminView, workers: Workers) -> Iterable[Operation]:
    """`/api/v1/streams`, `/api/v1/loads` and client status."""
    routes = _Clients(view, workers)
    yield Operation(
        "/api/v1/streams",
        routes.streams,
        "all clients: state, names, absent names, NACKs",
        (StreamList,),
        parameters=(
            text("node", "pattern of node ids; * stands for any text"),
            text("type", "short name of a type, such as eds, or its full name"),
            choice("resources", "whether each type lists its names with their versions", ("true", "false")),
            Parameter(
                "limit",
                "streams that are read for a page, in the order of their ids; all by default",
                {"type": "integer", "minimum": 1, "maximum": listing.MAX_LIMIT},
            ),
            text("after", "the token `next` of the previous page"),
        ),
    )
    yield Operation(
        "/api/v1/loads", routes.loads, "load reports of clients, by cluster and locality", (LoadDocument,)
    )
    yield Operation(CLIENT_STATUS, routes.client_status, "client status (CSDS)", method="POST")


class _Clients:
    def __init__(self, view: AdminView, workers: Workers) -> None:
        self._view = view
        self._workers = workers

    async def streams(self, request: Request) -> Response:
        node, kind = request.query_params.get("node"), request.query_params.get("type")
        with_resources = request.query_params.get("resources") == "true"
        limit = listing.parse_limit(request.query_params["limit"]) if "limit" in request.query_params else 0
        after = listing.position(request.query_params.get("after", ""))

        def answer() -> bytes:
            streams = self._view.engine.streams(resources=with_resources, after=after, limit=limit)
            token = str(streams[-1].id) if limit and len(streams) == limit else None
            served = {part.type_url for client in streams for part in client.subscriptions}
            if kind is not None and not type_name.known(kind, served):
                raise RequestError(f"type is {kind!r}: give one of {', '.join(type_name.all_names(served))}")
            streams = stream.shown(streams, node, kind)
            look = self._view.locality, self._view.identity, self._view.subscribers()
            rows = stream.describe(streams, *look, kind, resources=with_resources)
            # Row by row: a single call for all would hold the interpreter for as long as it takes.
            encoded_rows = b",".join(map(msgspec.json.encode, rows))
            return b'{"streams":[%b],"next":%b}' % (encoded_rows, msgspec.json.encode(token))

        return encoded(await self._workers.run(answer))

    async def loads(self, _request: Request) -> Response:
        def answer() -> bytes:
            return msgspec.json.encode(load.describe(self._view.engine.loads()))

        return encoded(await self._workers.run(answer))

    async def client_status(self, request: Request) -> Response:
        """CSDS over HTTP: request and response in protobuf's JSON mapping."""
        body = await request.body()

        def answer() -> bytes:
            return msgspec.json.encode(client_status.respond_in_json(self._view.engine, body))

        try:
            return encoded(await self._workers.run(answer))
        except ValueError as error:
            return json_response({"error": str(error)}, 400)
