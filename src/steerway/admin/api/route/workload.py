"""Clients: by workload, and by node id."""

import difflib
from bisect import bisect_left
from collections.abc import Iterable, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from steerway.admin.api import listing, selection, stream
from steerway.admin.api.listing import ListType
from steerway.admin.api.request_error import UnknownObjectError
from steerway.admin.api.route.operation import Operation, Workers, choice, encoded, text
from steerway.admin.view import AdminView
from steerway.inventory.row.client import STATES, ClientRow, NodeDetail, NodeRow

_FILTERS = ("q", "namespace", "service", "client", "workload", "state")
_BY = choice("by", "one item for each workload (the default), or for each node id", ("workload", "node"))
CLIENTS = ListType(ClientRow, _FILTERS, STATES, more=(_BY,))
NODES = ListType(NodeRow, _FILTERS, STATES, more=(_BY,))
_MOST_COMPARED = 1000


def operations(view: AdminView, workers: Workers) -> Iterable[Operation]:
    """`/api/v1/clients` and each node id."""

    async def clients(request: Request) -> Response:
        by = request.query_params.get("by", "workload")
        view.inventory.observe()
        if by == "node":
            nodes = NODES.parse(request.query_params)

            def answer_nodes() -> bytes:
                ids = selection.nodes(view.inventory, nodes)
                return listing.page(ids, nodes, view.replica, complete=view.inventory.client_nodes)

            return encoded(await workers.run(answer_nodes))
        query = CLIENTS.parse(request.query_params)

        def answer() -> bytes:
            ids = selection.clients(view.inventory, query)
            return listing.page(ids, query, view.replica, complete=view.inventory.clients)

        return encoded(await workers.run(answer))

    async def client(request: Request) -> Response:
        node_id = request.path_params["node"]
        view.inventory.observe()
        return encoded(await workers.run(lambda: msgspec.json.encode(_detail(view, node_id))))

    yield Operation(
        "/api/v1/clients",
        clients,
        "all clients by workload, or by node id: states, libraries, zones",
        CLIENTS.response + NODES.response,
        CLIENTS.parameters_with(NODES),
    )
    yield Operation(
        "/api/v1/clients/{node:path}",
        client,
        "one client with its streams",
        (NodeDetail,),
        (text("node", "a node id", required=True),),
    )


def _detail(view: AdminView, node_id: str) -> NodeDetail:
    inventory = view.inventory
    rows = inventory.client_nodes([node_id])
    if not rows:
        raise unknown_client(view, node_id)
    streams = view.engine.streams(resources=True, ids=inventory.index.of_node(node_id))
    look = view.locality, view.identity, view.subscribers()
    described = list(stream.describe(streams, *look, resources=True))
    return NodeDetail(**msgspec.structs.asdict(rows[0]), stream_details=described)


def unknown_client(view: AdminView, node_id: str) -> UnknownObjectError:
    """No client has this node id."""
    text = f"no connected client has the node id {node_id!r}"
    return UnknownObjectError(text, _nearest(node_id, view.inventory.index.node_ids()))


def _nearest(node_id: str, known: Sequence[str]) -> list[str]:
    """Similar ones among those around it: to compare with all would take too long."""
    position = bisect_left(known, node_id)
    around = known[max(0, position - _MOST_COMPARED) : position + _MOST_COMPARED]
    return difflib.get_close_matches(node_id, around, n=5, cutoff=0.5)
