"""Which endpoints of a port a client at some place gets, and in which order it tries them.

Kubernetes says it of a Service for the nodes of its clients; a proxyless client is where its pod is:

- `internalTrafficPolicy: Local`: endpoints of the own node only, none if there is none.
- Topology hints (for zones, or for nodes): those meant for the own place first.
- `trafficDistribution` without hints: `PreferSameZone` (and its old name `PreferClose`) the own zone first,
  `PreferSameNode` the own node, then the own zone.

kube-proxy gives a client nothing but the preferred ones. Here the others stand behind them as the next priority: when
the last preferred one fails, the client goes on without asking anybody. A hint counts under kube-proxy's conditions:
every endpoint has one, and one of them is for the own place.

Sources: Kubernetes, "Service Internal Traffic Policy", "Topology Aware Routing", KEP-2433, KEP-3015.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from steerway.catalog.model import Endpoint, Service


class ClientPlace(NamedTuple):
    """Where a client is; "" for what nobody knows."""

    zone: str = ""
    node: str = ""


_SAME_ZONE = ("PreferSameZone", "PreferClose")
_SAME_NODE = "PreferSameNode"


def depends_on_place(service: Service) -> bool:
    """Whether clients at different places get something different."""
    if service.local_only or service.distribution in (*_SAME_ZONE, _SAME_NODE):
        return True
    return any(e.for_zones or e.for_nodes for port in service.ports for e in port.endpoints)


def reachable(service: Service, endpoints: Sequence[Endpoint], place: ClientPlace) -> list[Endpoint]:
    """The endpoints for a client at `place`, in the order of their priorities, which are taken together with those that
    they have already (of clusters): a near one of a far cluster stays behind all of a nearer one."""
    if service.local_only:
        return [e for e in endpoints if place.node and e.node == place.node]
    rank = _ranking(service, endpoints, place)
    width = 3
    ranked = [e._replace(priority=e.priority * width + rank(e)) for e in endpoints]
    return sorted(ranked, key=lambda e: (e.priority, e.locality, e.address, e.port))


def _ranking(
    service: Service, endpoints: Sequence[Endpoint], place: ClientPlace
) -> Callable[[Endpoint], int]:
    """0 for the endpoints that come first for the place, up to 2."""
    for_node = _hinted(endpoints, lambda e: e.for_nodes, place.node)
    for_zone = _hinted(endpoints, lambda e: e.for_zones, place.zone)
    if for_node or for_zone:
        return lambda e: (
            0
            if for_node and place.node in e.for_nodes
            else 1
            if for_zone and place.zone in e.for_zones
            else 2
        )
    zone, node = bool(place.zone), bool(place.node)
    if service.distribution in _SAME_ZONE:
        return lambda e: 0 if zone and e.locality.zone == place.zone else 1
    if service.distribution == _SAME_NODE:
        return lambda e: (
            0 if node and e.node == place.node else 1 if zone and e.locality.zone == place.zone else 2
        )
    return lambda _: 0


def _hinted(endpoints: Sequence[Endpoint], hints: Callable[[Endpoint], Sequence[str]], own: str) -> bool:
    return bool(own) and all(map(hints, endpoints)) and any(own in hints(e) for e in endpoints)
