"""The filters of the lists of services and clients. Called in a thread."""

from collections.abc import Collection, Iterator, Sequence

from steerway.admin.api.listing import Query, containing
from steerway.inventory.client_index import ClientStream
from steerway.inventory.inventory import Inventory
from steerway.inventory.row.client import ClientRow, NodeRow
from steerway.inventory.row.service import ServiceRow
from steerway.inventory.subscription_table import Subscription


def services(inventory: Inventory, query: Query) -> list[ServiceRow]:
    """Services that pass the filters; `workload` and `client`: those that they subscribe to."""
    ids: set[str] | None = {query.service} if query.service else None
    if query.workload or query.client:
        subscribed = {subscription.service for subscription in subscriptions(inventory, query)}
        ids = subscribed if ids is None else ids & subscribed
    return [
        row
        for row in containing(inventory.services(ids), query)
        if query.namespace in ("", row.namespace) and query.state in ("", row.state)
    ]


def clients(inventory: Inventory, query: Query) -> list[ClientRow]:
    """Client workloads that pass the filters; `service`: those that subscribe to it, `client`: those with a node id
    that matches."""
    rows = inventory.clients(_workloads(inventory, query))
    return [
        row
        for row in containing(rows, query)
        if query.namespace in ("", row.namespace) and query.state in ("", row.state)
    ]


def nodes(inventory: Inventory, query: Query) -> list[NodeRow]:
    """Node ids that pass the filters; `service`: those of a workload that subscribes to it."""
    workloads = None
    if query.service or query.workload:
        workloads = _workloads(inventory, query._replace(client=""))
    index, matches, text = inventory.index, query.matches_client, query.q.casefold()

    def passes(stream: ClientStream) -> bool:
        of = stream.workload
        return query.namespace in ("", of.namespace) and (workloads is None or of.id in workloads)

    def shown() -> Iterator[str]:
        for node_id in index.node_ids():
            if matches(node_id) and (not text or text in node_id.casefold()):
                streams = map(index.stream, index.of_node(node_id))
                if any(stream is not None and passes(stream) for stream in streams):
                    yield node_id

    return inventory.client_nodes(shown(), query.state)


def subscriptions(inventory: Inventory, query: Query) -> Sequence[Subscription]:
    """Subscriptions that pass the filters; `namespace`: of the service or of the workload."""
    workloads = _workloads(inventory, query._replace(service=""))
    return [
        subscription
        for subscription in inventory.subscriptions()
        if query.service in ("", subscription.service)
        and (workloads is None or subscription.workload in workloads)
        and (not query.namespace or _is_in(subscription, query.namespace))
    ]


def _workloads(inventory: Inventory, query: Query) -> Collection[str] | None:
    """The workloads that `workload`, `client` and `service` select; None: all."""
    chosen: set[str] | None = {query.workload} if query.workload else None
    if query.client:
        index, matches = inventory.index, query.matches_client
        ids = (id for node_id in index.node_ids() if matches(node_id) for id in index.of_node(node_id))
        matching = {stream.workload.id for id in ids if (stream := index.stream(id)) is not None}
        chosen = matching if chosen is None else chosen & matching
    if query.service:
        subscribed = set(inventory.subscriptions_of(query.service))
        chosen = subscribed if chosen is None else chosen & subscribed
    return chosen


def _is_in(subscription: Subscription, namespace: str) -> bool:
    prefix = f"{namespace}/"
    return subscription.service.startswith(prefix) or subscription.workload.startswith(prefix)
