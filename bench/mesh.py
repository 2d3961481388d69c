"""The services that every contestant serves: names, endpoint assignments, manifests.

The assignments are what `peers/gocontrolplane` builds too, so that both servers send the same resource bytes;
what `steerway serve` makes of the manifests is its own business and may differ by a few bytes.
"""

import json
from collections.abc import Sequence

from envoy.config.core.v3.health_check_pb2 import HEALTHY
from envoy.config.endpoint.v3.endpoint_components_pb2 import LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse

NAMESPACE = "bench"
PORT = 50051
ZONE = "zone-a"
ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
_GRPC_AND_HTTP2_HEAD_BYTES = 5 + 9


def assignment_name(service: int) -> str:
    """Name of the assignment of `svc-N` as a client subscribes to it."""
    return f"svc-{service}.{NAMESPACE}.svc.cluster.local:{PORT}"


def first_addresses(service: int, endpoints: int) -> list[str]:
    """Addresses of the endpoints before any change. No client connects to them."""
    return [f"10.{service >> 8}.{service & 255}.{endpoint + 1}" for endpoint in range(endpoints)]


def encoded_endpoint(address: str) -> bytes:
    """One endpoint as a field of LocalityLbEndpoints."""
    locality = LocalityLbEndpoints()
    endpoint = locality.lb_endpoints.add(health_status=HEALTHY)
    socket = endpoint.endpoint.address.socket_address
    socket.address = address
    socket.port_value = PORT
    return bytes(locality.SerializeToString())


def assignment(service: int, encoded_endpoints: Sequence[bytes]) -> bytes:
    """The serialised assignment; joining the bytes of messages merges them, so nothing is encoded twice."""
    locality = LocalityLbEndpoints()
    locality.locality.zone = ZONE
    locality.load_balancing_weight.value = len(encoded_endpoints)
    group = locality.SerializeToString() + b"".join(encoded_endpoints)
    name = ClusterLoadAssignment(cluster_name=assignment_name(service)).SerializeToString()
    return bytes(name + b"\x12" + _varint(len(group)) + group)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def update_bytes(endpoints: int) -> int:
    """Bytes on the wire of one update: the floor sends as many."""
    response = DiscoveryResponse(version_info="0123456789abcdef", nonce="1000", type_url=ASSIGNMENT)
    encoded = [encoded_endpoint(address) for address in first_addresses(0, endpoints)]
    response.resources.add(type_url=ASSIGNMENT, value=assignment(0, encoded))
    return int(response.ByteSize()) + _GRPC_AND_HTTP2_HEAD_BYTES


def service_manifest(service: int) -> str:
    """A Service as JSON."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"svc-{service}", "namespace": NAMESPACE},
            "spec": {
                "clusterIP": f"10.96.{service >> 8}.{service & 255}",
                "ports": [{"name": "grpc", "port": PORT, "protocol": "TCP"}],
            },
        }
    )


def slice_manifest(service: int, addresses: Sequence[str]) -> str:
    """The EndpointSlice of a Service as JSON."""
    conditions = {"ready": True, "serving": True, "terminating": False}
    return json.dumps(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"svc-{service}-1",
                "namespace": NAMESPACE,
                "labels": {"kubernetes.io/service-name": f"svc-{service}"},
            },
            "addressType": "IPv4",
            "ports": [{"name": "grpc", "port": PORT, "protocol": "TCP"}],
            "endpoints": [
                {"addresses": [address], "conditions": conditions, "zone": ZONE} for address in addresses
            ],
        }
    )
