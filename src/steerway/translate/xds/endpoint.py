"""Endpoint assignments: the addresses of a service port, by locality.

What all four gRPC clients and Envoy accept: localities are present, each once in a priority, with a weight of at least
1; priorities from 0 without a gap; IP literals; no address twice (the catalog sees to that).
"""

from collections.abc import Iterable

from envoy.config.core.v3 import base_pb2, health_check_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from google.protobuf import wrappers_pb2

from steerway.catalog.locality.assignment import Group
from steerway.catalog.model.mesh import Endpoint, EndpointState, Locality
from steerway.translate.protobuf.message import serialize

UNREACHABLE = ("255.255.255.255", 1)
"""An address and port that no server can have: a TCP connection to the broadcast address fails in the client's own
kernel, without a packet (docs/decisions/0024)."""

_HEALTH = {
    EndpointState.HEALTHY: health_check_pb2.HEALTHY,
    EndpointState.DRAINING: health_check_pb2.DRAINING,
}
_UNKNOWN = Group(0, Locality(), 1, (Endpoint(*UNREACHABLE),))


def build(name: str, groups: Iterable[Group], never_empty: bool = False) -> bytes:
    """A ClusterLoadAssignment. No groups give an empty one, which fails calls at once and recovers at once; with
    `never_empty` one that has `UNREACHABLE` as its only endpoint."""
    localities = [_locality(group) for group in groups]
    if never_empty and not localities:
        localities = [_locality(_UNKNOWN)]
    return serialize(endpoint_pb2.ClusterLoadAssignment(cluster_name=name, endpoints=localities))


def is_unreachable(locality: endpoint_components_pb2.LocalityLbEndpoints) -> bool:
    """Whether it stands for no endpoints."""
    sockets = [endpoint.endpoint.address.socket_address for endpoint in locality.lb_endpoints]
    return [(socket.address, socket.port_value) for socket in sockets] == [UNREACHABLE]


def _locality(group: Group) -> endpoint_components_pb2.LocalityLbEndpoints:
    where = group.locality
    locality = endpoint_components_pb2.LocalityLbEndpoints(
        locality=base_pb2.Locality(region=where.region, zone=where.zone, sub_zone=where.sub_zone),
        load_balancing_weight=wrappers_pb2.UInt32Value(value=group.weight),
        priority=group.priority,
    )
    for endpoint in group.endpoints:
        # Filled in place: building each level apart and copying it takes five times as long.
        added = locality.lb_endpoints.add()
        added.health_status = _HEALTH[endpoint.state]
        socket = added.endpoint.address.socket_address
        socket.address = endpoint.address
        socket.port_value = endpoint.port
    return locality
