"""The endpoints that a client gets for targets."""

from collections.abc import Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from steerway.admin.api.request_error import RequestError
from steerway.admin.api.route.operation import Operation, Workers, encoded, text
from steerway.admin.api.route.workload import unknown_client
from steerway.admin.view import AdminView
from steerway.errors import TranslateError
from steerway.explain import Question
from steerway.explain.explainer import Connected, check
from steerway.explain.target_row import TargetList
from steerway.translate.client import client as clients
from steerway.translate.client.audience import decode

MAX_TARGETS = 100
"""Of one request: each takes some milliseconds, or more with many endpoints."""
_PARAMETERS = (
    text(
        "target",
        "what the client dials: SERVICE.NAMESPACE:PORT, or xds:///NAME",
        required=True,
        repeated=True,
    ),
    text("node", "node id of a connected client; the other parameters are then those of this client"),
    text("zone", "zone of the client"),
    text("namespace", "namespace of the client"),
    text("client", "library of the client, and its version: grpc-go/1.70"),
)
_SUPPOSED = ("zone", "namespace", "client")


def operations(view: AdminView, workers: Workers) -> Iterable[Operation]:
    """`/api/v1/endpoints`."""

    async def endpoints(request: Request) -> Response:
        asked = request.query_params.getlist("target")
        if not 1 <= len(asked) <= MAX_TARGETS:
            raise RequestError(f"target is given {len(asked)} times: give 1 to {MAX_TARGETS} of them")
        given = {name: request.query_params.get(name, "") for name in _SUPPOSED}
        node_id = request.query_params.get("node", "")
        if node_id and (both := [name for name, value in given.items() if value]):
            raise RequestError(f"node and {both[0]} exclude each other: leave out one of them")
        try:
            check(Question("", **given))
            if given["client"]:
                clients.parse(given["client"])
        except TranslateError as error:
            raise RequestError(str(error)) from None

        def answer() -> bytes:
            connected = _connected(view, node_id) if node_id else None
            rows = [view.targets.row(Question(target, **given), connected) for target in asked]
            return msgspec.json.encode(TargetList(rows))

        return encoded(await workers.run(answer))

    yield Operation(
        "/api/v1/endpoints",
        endpoints,
        "the endpoints that a client gets for a target, and why it does not get the others",
        (TargetList,),
        _PARAMETERS,
        finds_object=True,
    )


def _connected(view: AdminView, node_id: str) -> Connected:
    """The client of the oldest stream with the node id."""
    index = view.inventory.index
    streams = map(index.stream, index.of_node(node_id))
    stream = next((stream for stream in streams if stream is not None), None)
    if stream is None:
        raise unknown_client(view, node_id)
    return Connected(stream.client, decode(stream.audience))
