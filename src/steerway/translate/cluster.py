"""Clusters: how clients balance over the endpoints of a service port."""

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2
from envoy.config.core.v3 import base_pb2, config_source_pb2
from google.protobuf import duration_pb2, wrappers_pb2

from steerway.translate.message import serialize

_MAX_REQUESTS = 2**31 - 1
"""gRFC A32: unset means 1,024 concurrent requests per cluster and client, always enforced. The largest number that all
clients read alike: grpc-java takes the uint32 as a signed int."""


def build(name: str, report_load: bool = False, sticky: bool = False) -> bytes:
    """An EDS cluster whose assignment has its own name. With `report_load`, clients report their requests (LRS).

    `sticky`: each endpoint has its place on a ring, and a call the hash that its route gives it (gRFC A42). Without
    endpoints coming or going, equal hashes go to one endpoint.
    """
    cluster = _cluster(name, report_load)
    if sticky:
        cluster.lb_policy = cluster_pb2.Cluster.RING_HASH
    ads = config_source_pb2.ConfigSource(ads=config_source_pb2.AggregatedConfigSource())
    cluster.type = cluster_pb2.Cluster.EDS
    cluster.eds_cluster_config.CopyFrom(
        cluster_pb2.Cluster.EdsClusterConfig(eds_config=ads, service_name=name)
    )
    return serialize(cluster)


def build_dns(name: str, host: str, port: int, report_load: bool = False) -> bytes:
    """A cluster whose clients ask DNS for `host` themselves: one endpoint, as gRFC A37 wants it."""
    cluster = _cluster(name, report_load)
    cluster.type = cluster_pb2.Cluster.LOGICAL_DNS
    cluster.load_assignment.cluster_name = name
    locality = cluster.load_assignment.endpoints.add()
    locality.locality.SetInParent()
    locality.load_balancing_weight.value = 1
    socket = locality.lb_endpoints.add().endpoint.address.socket_address
    socket.address = host
    socket.port_value = port
    return serialize(cluster)


def _cluster(name: str, report_load: bool) -> cluster_pb2.Cluster:
    """What clusters of every kind say.

    ROUND_ROBIN stays in the enum: gRPC makes weighted localities with round robin inside of it (gRFC A52), and Go
    checks the enum even when `load_balancing_policy` is set.
    """
    itself = config_source_pb2.ConfigSource(self=config_source_pb2.SelfConfigSource())
    return cluster_pb2.Cluster(
        name=name,
        lb_policy=cluster_pb2.Cluster.ROUND_ROBIN,
        connect_timeout=duration_pb2.Duration(seconds=5),
        lrs_server=itself if report_load else None,  # gRFC A27: only `self` is taken
        circuit_breakers=circuit_breaker_pb2.CircuitBreakers(
            thresholds=[
                circuit_breaker_pb2.CircuitBreakers.Thresholds(
                    priority=base_pb2.DEFAULT, max_requests=wrappers_pb2.UInt32Value(value=_MAX_REQUESTS)
                )
            ]
        ),
    )
