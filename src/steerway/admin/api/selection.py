"""The filters of the lists of services and clients. Called in a thread."""

from collections.abc import Collection, Sequence

from steerway.admin.api.listing import Query
from steerway.inventory.inventory import Inventory
from steerway.inventory.row.client import STATES
from steerway.inventory.subscription_table import Subscription


def services(inventory: Inventory, query: Query) -> Sequence[str]:
    """Ids of services that pass the filters, in their order; `workload` and `client`: those that they subscribe to."""
    ids = inventory.service_ids()
    if query.service:
        ids = [id for id in ids if id == query.service]
    if query.namespace:
        ids = [id for id in ids if id.startswith(f"{query.namespace}/")]
    if query.q:
        text = query.q.casefold()
        ids = [id for id in ids if text in id.casefold()]
    if query.workload or query.client:
        subscribed = {subscription.service for subscription in subscriptions(inventory, query)}
        ids = [id for id in ids if id in subscribed]
    if query.state:
        # Of all services: what was computed before is kept.
        states = {row.id: row.state for row in inventory.services()}
        ids = [id for id in ids if states.get(id) == query.state]
    return ids


def clients(inventory: Inventory, query: Query) -> list[str]:
    """Ids of client workloads that pass the filters, in their order; `service`: those that subscribe to it, `client`:
    those with a node id that matches."""
    chosen, text, prefix = _workloads(inventory, query), query.q.casefold(), f"{query.namespace}/"
    states = inventory.client_states() if query.state else {}
    return sorted(
        id
        for id in inventory.index.workloads()
        if (chosen is None or id in chosen)
        and (not query.namespace or id.startswith(prefix))
        and text in id.casefold()
        and (not query.state or states.get(id) == query.state)
    )


def nodes(inventory: Inventory, query: Query) -> Sequence[str]:
    """Node ids that pass the filters, in their order; `service`: those of a workload that subscribes to it."""
    index, text, matches = inventory.index, query.q.casefold(), query.matches_client
    ids: Sequence[str] = index.node_ids()
    if query.service or query.workload or query.namespace:
        chosen = _workloads(inventory, query._replace(client=""))
        ids = sorted(
            {
                stream.node_id
                for stream in index.streams()
                if query.namespace in ("", stream.workload.namespace)
                and (chosen is None or stream.workload.id in chosen)
            }
        )
    if text:
        ids = [node_id for node_id in ids if text in node_id.casefold()]
    if query.client:
        ids = [node_id for node_id in ids if matches(node_id)]
    if query.state:
        states = inventory.node_states()
        ids = [node_id for node_id in ids if states.get(node_id, STATES[-1]) == query.state]
    return ids


def subscriptions(inventory: Inventory, query: Query) -> Sequence[Subscription]:
    """Subscriptions that pass the filters; `namespace`: of the service or of the workload."""
    workloads = _workloads(inventory, query._replace(service=""))
    return [
        subscription
        for subscription in inventory.subscriptions(workloads)
        if query.service in ("", subscription.service)
        and (not query.namespace or _is_in(subscription, query.namespace))
    ]


def _workloads(inventory: Inventory, query: Query) -> Collection[str] | None:
    """The workloads that `workload`, `client` and `service` select; None: all."""
    chosen: set[str] | None = {query.workload} if query.workload else None
    if query.client:
        matches = query.matches_client
        of = {stream.workload for stream in inventory.index.streams() if matches(stream.node_id)}
        matching = {workload.id for workload in of}
        chosen = matching if chosen is None else chosen & matching
    if query.service:
        subscribed = set(inventory.subscriptions_of(query.service))
        chosen = subscribed if chosen is None else chosen & subscribed
    return chosen


def _is_in(subscription: Subscription, namespace: str) -> bool:
    prefix = f"{namespace}/"
    return subscription.service.startswith(prefix) or subscription.workload.startswith(prefix)
