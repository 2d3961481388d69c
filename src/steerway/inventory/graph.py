"""The graph of client workloads and services, from subscriptions and load reports."""

from collections import Counter
from collections.abc import Iterable, Mapping

from steerway.explain.subscribed_name import find_target
from steerway.inventory.engine_view import LoadsView
from steerway.inventory.row.client import ClientRow
from steerway.inventory.row.graph import Graph, GraphEdge, ServiceLoad, ServiceNode, WorkloadNode
from steerway.inventory.row.service import ServiceRow
from steerway.inventory.subscription_table import Subscription, worst
from steerway.translate.xds import type_url

MAX_EDGES = 5000
"""More than a picture shows; a filter selects among them."""
MAX_NAMES = 5
"""Names of one edge."""
_ARROW = "→"


def graph(
    subscriptions: Iterable[Subscription],
    workloads: Mapping[str, ClientRow],
    services: Mapping[str, ServiceRow],
    loads: Mapping[str, ServiceLoad],
) -> Graph:
    """Of these subscriptions, of which some may be of services that do not exist."""
    known = sorted(
        (subscription for subscription in subscriptions if subscription.workload in workloads),
        key=lambda subscription: (subscription.workload, subscription.service),
    )
    shown = known[:MAX_EDGES]
    callers = sorted({subscription.workload for subscription in shown})
    called = sorted({subscription.service for subscription in shown})
    return Graph(
        workloads=[WorkloadNode(id, workloads[id].streams, workloads[id].state) for id in callers],
        services=[_service(id, services.get(id), loads.get(id)) for id in called],
        edges=[edge(subscription) for subscription in shown],
        truncated=len(known) > len(shown),
    )


def edge(subscription: Subscription) -> GraphEdge:
    """One edge."""
    return GraphEdge(
        id=f"{subscription.workload}{_ARROW}{subscription.service}",
        workload=subscription.workload,
        service=subscription.service,
        streams=subscription.streams,
        state=worst(subscription.states),
        names=subscription.names[:MAX_NAMES],
    )


def loads_by_service(loads: LoadsView, domain: str) -> dict[str, ServiceLoad]:
    """Requests since the start, by service."""
    issued: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for load in loads.localities:
        target = find_target(type_url.CLUSTER, load.cluster, "", domain)
        if target is not None:
            issued[str(target.service)] += load.issued
            errors[str(target.service)] += load.errors
    return {id: ServiceLoad(count, errors[id]) for id, count in issued.items()}


def _service(id: str, row: ServiceRow | None, load: ServiceLoad | None) -> ServiceNode:
    """Clients of a service that does not exist get nothing."""
    if row is None:
        return ServiceNode(id, "error", 0, load)
    return ServiceNode(id, row.state, row.endpoints.healthy, load)
