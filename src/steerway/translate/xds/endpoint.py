"""Builders of ClusterLoadAssignments: the addresses of a service port, by locality.

What all four gRPC clients and Envoy accept: localities are present, each once in a priority, with a weight of at least
1; priorities from 0 without a gap; IP literals; no address twice (the catalog sees to that).
"""

from collections.abc import Iterable
from typing import NamedTuple

from envoy.config.core.v3 import base_pb2, health_check_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from google.protobuf import wrappers_pb2

from steerway.catalog.locality.assignment import Assigner, ClientView, Group, Sensitivity
from steerway.catalog.locality.traffic_distribution import ClientLocality
from steerway.catalog.model.mesh import Endpoint, EndpointState, Locality, Service
from steerway.errors import TranslateError
from steerway.translate.answer import Resource
from steerway.translate.client.audience import Audience, Width
from steerway.translate.protobuf.message import serialize
from steerway.translate.protobuf.packing import uint32

UNREACHABLE = ("255.255.255.255", 1)
"""An address and port that no server can have: a TCP connection to the broadcast address fails in the client's own
kernel, without a packet (docs/decisions/0024)."""

_HEALTH = {
    EndpointState.HEALTHY: health_check_pb2.HEALTHY,
    EndpointState.DRAINING: health_check_pb2.DRAINING,
}
_UNKNOWN = Group(0, Locality(), 1, (Endpoint(*UNREACHABLE),))
_UNKNOWN_LOCALITY = ClientLocality()
_ANY_HEALTH = 100_000
"""Percent of a priority's endpoints that count as healthy per one that is: while one of a thousand is left, requests
stay. Envoy's own 140 moves them on to the next priority step by step, and endpoints that drain in a roll-out count as
lost; a gRPC client stays as long as it can reach one."""


class _EndpointVariant(NamedTuple):
    client_view: ClientView
    never_empty: bool


class EndpointBuilder(NamedTuple):
    """The assignment of a service port, by what matters of `assignment.Sensitivity`: locality, bucket, and whether
    clients know draining endpoints. `any_health`: see `any_health`."""

    name: str
    service: Service
    assigner: Assigner
    sensitivity: Sensitivity
    buckets: int
    scope: str
    by_dns: bool
    """Whether clients of the cluster resolve an external name, so that there is no assignment."""
    any_health: bool
    width: Width

    def variant_key(self, audience: Audience) -> _EndpointVariant:
        locality, bucket, draining = self.sensitivity
        client_view = ClientView(
            audience.locality if locality else _UNKNOWN_LOCALITY,
            max(audience.bucket, 0) if bucket else 0,
            self.buckets if bucket else 0,
            draining and audience.keeps_draining,
        )
        return _EndpointVariant(client_view, audience.keeps_withdrawn)

    def build(self, variant: _EndpointVariant) -> Resource:
        if self.by_dns:
            raise TranslateError(
                f"service {self.service.id} is an external name; clients of its cluster ask DNS"
            )
        body = build(self.name, self.assigner.assign(variant.client_view), variant.never_empty)
        return Resource(any_health(body) if self.any_health else body, (), self.scope)


def build(name: str, groups: Iterable[Group], never_empty: bool = False) -> bytes:
    """A ClusterLoadAssignment. No groups give an empty one, which fails calls at once and recovers at once; with
    `never_empty` one that has `UNREACHABLE` as its only endpoint."""
    localities = [_locality(group) for group in groups]
    if never_empty and not localities:
        localities = [_locality(_UNKNOWN)]
    return serialize(endpoint_pb2.ClusterLoadAssignment(cluster_name=name, endpoints=localities))


def any_health(assignment: bytes) -> bytes:
    """An assignment whose priorities are used as long as there is a healthy endpoint in them."""
    # The bytes of two messages of one type are those of both merged.
    policy = endpoint_pb2.ClusterLoadAssignment.Policy(overprovisioning_factor=uint32(_ANY_HEALTH))
    return assignment + serialize(endpoint_pb2.ClusterLoadAssignment(policy=policy))


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
