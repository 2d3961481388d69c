"""Which endpoints of a port a client at some place gets, and in which order it tries them.

Kubernetes defines it for a Service by the nodes of its clients; the node of a proxyless client is that of its pod:

- `internalTrafficPolicy: Local`: endpoints of the own node only, none if there is none.
- Topology hints (for zones, or for nodes): those meant for the own place first.
- `trafficDistribution` without hints: `PreferSameZone` (and its old name `PreferClose`) the own zone first,
  `PreferSameNode` the own node, then the own zone.

kube-proxy gives a client nothing but the preferred ones. Here the others stand behind them as the next priority: when
the last preferred one fails, the client goes on without asking anybody. A hint counts under kube-proxy's conditions:
every endpoint in use has one, and one of them is for the own place. In use are the ready ones, or what a policy of
safety puts in their place.

Sources: Kubernetes, "Service Internal Traffic Policy", "Topology Aware Routing", KEP-2433, KEP-3015.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from steerway.catalog.model.mesh import Endpoint, EndpointState, Service
from steerway.catalog.service.endpoints import ordered

UNKNOWN = "-"
"""No zone and no node is called so."""


class ClientLocality(NamedTuple):
    """Where a client is; "" for unknown. `UNKNOWN` is an unknown node, among clients that are distinguished by node."""

    zone: str = ""
    node: str = ""


_SAME_ZONE = ("PreferSameZone", "PreferClose")
_SAME_NODE = "PreferSameNode"
_RANKS = 3
_Hints = Callable[[Endpoint], Sequence[str]]


def depends_on_locality(service: Service, *used: Sequence[Endpoint]) -> bool:
    """Whether clients at different places get something different. `used`: the endpoints that get requests; by default
    those of each port by their state."""
    if service.local_only or service.distribution in (*_SAME_ZONE, _SAME_NODE):
        return True
    countings = used or [_counting(port.endpoints) for port in service.ports]
    return any(_whole(counting, hints) for counting in countings for hints in (_for_zones, _for_nodes))


def reachable(
    service: Service, endpoints: Sequence[Endpoint], locality: ClientLocality
) -> Sequence[Endpoint]:
    """The endpoints for a client at `locality`, in the order of their priorities.

    A priority that they have already (of clusters) counts first: a near one of a far cluster stays behind all of a
    nearer one.
    """
    if service.local_only:
        return [e for e in endpoints if locality.node and e.node == locality.node]
    rank = _ranking(service, endpoints, locality)
    return ordered(e._replace(priority=e.priority * _RANKS + rank(e)) for e in endpoints)


def _ranking(
    service: Service, endpoints: Sequence[Endpoint], locality: ClientLocality
) -> Callable[[Endpoint], int]:
    """How near an endpoint is to the place: 0 for those that come first, less than `_RANKS` for the others."""
    node_hints = _hinted(endpoints, _for_nodes, locality.node)
    zone_hints = _hinted(endpoints, _for_zones, locality.zone)
    if node_hints or zone_hints:
        return lambda e: _nearness(
            node_hints and locality.node in e.for_nodes, zone_hints and locality.zone in e.for_zones
        )
    by_node = service.distribution == _SAME_NODE
    if by_node or service.distribution in _SAME_ZONE:
        return lambda e: _nearness(
            by_node and _same(e.node, locality.node), _same(e.locality.zone, locality.zone)
        )
    return lambda _: 0


def _nearness(on_node: bool, in_zone: bool) -> int:
    if on_node:
        return 0
    return 1 if in_zone else 2


def _same(left: str, other: str) -> bool:
    return bool(left) and left == other


def _hinted(endpoints: Sequence[Endpoint], hints: _Hints, own: str) -> bool:
    return bool(own) and _whole(_counting(endpoints), hints) and any(own in hints(e) for e in endpoints)


def _counting(endpoints: Sequence[Endpoint]) -> Sequence[Endpoint]:
    """Those whose hints count. Where some are healthy only those do, since controllers hint at no others: else a pod
    that terminates would send everybody to other zones."""
    return [e for e in endpoints if e.state is EndpointState.HEALTHY] or endpoints


def _whole(endpoints: Sequence[Endpoint], hints: _Hints) -> bool:
    """Whether every endpoint has a hint."""
    return bool(endpoints) and all(map(hints, endpoints))


def _for_zones(endpoint: Endpoint) -> tuple[str, ...]:
    return endpoint.for_zones


def _for_nodes(endpoint: Endpoint) -> tuple[str, ...]:
    return endpoint.for_nodes
