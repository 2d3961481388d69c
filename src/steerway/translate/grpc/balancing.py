"""How clients of a cluster choose an endpoint: the load balancing policy, in the form that each client reads.

Current clients take the first entry of `load_balancing_policy` that they know (gRFC A52), so one list serves all of
them: what is wanted, then round robin. Older ones read the enum `lb_policy`, and nothing else.
"""

from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3 import (
    client_side_weighted_round_robin_pb2 as weighted_pb2,
)
from envoy.extensions.load_balancing_policies.least_request.v3 import least_request_pb2
from envoy.extensions.load_balancing_policies.pick_first.v3 import pick_first_pb2
from envoy.extensions.load_balancing_policies.round_robin.v3 import round_robin_pb2
from envoy.extensions.load_balancing_policies.wrr_locality.v3 import wrr_locality_pb2
from google.protobuf import duration_pb2, wrappers_pb2
from google.protobuf.message import Message

from steerway.catalog.model.policy import Algorithm, Balancing, OrcaWeights
from steerway.translate.protobuf.packing import duration, pack, uint32

_LEAST = 0.001
"""Seconds, or utilization per error. grpc-go 1.85 reads an explicit 0 of a ClientSideWeightedRoundRobin as the default:
its JSON form leaves zeros out. All libraries and Envoy act on this value as on 0."""


def apply(cluster: cluster_pb2.Cluster, wanted: Balancing | None, level: str) -> None:
    """Have gRPC clients balance as wanted. `level` is that of `client.Client.level`.

    Older clients follow the enum, and grpc-go validates it even where the list counts: ROUND_ROBIN or
    RING_HASH, which all have that know what a ring is.
    """
    cluster.lb_policy = cluster_pb2.Cluster.ROUND_ROBIN
    if wanted is None:
        return
    match wanted.algorithm:
        case Algorithm.RING_HASH:
            if level != "a27":
                _ring(cluster, wanted)
        case Algorithm.LEAST_REQUEST:
            choice = least_request_pb2.LeastRequest(choice_count=uint32(wanted.choices))
            cluster.load_balancing_policy.CopyFrom(by_locality(choice))
        case Algorithm.WEIGHTED_ROUND_ROBIN:
            cluster.load_balancing_policy.CopyFrom(by_locality(weighted(wanted.orca)))
        case Algorithm.PICK_FIRST:
            # Not within localities: a channel has one endpoint of all.
            first = listed(pick_first_pb2.PickFirst(shuffle_address_list=True))
            first.policies.extend(by_locality().policies)
            cluster.load_balancing_policy.CopyFrom(first)
        case Algorithm.ROUND_ROBIN | Algorithm.RANDOM:
            pass


def _ring(cluster: cluster_pb2.Cluster, wanted: Balancing) -> None:
    """In the enum alone, which every client reads alike: grpc-js-xds 1.14 refuses the sizes of a ring in the list."""
    cluster.lb_policy = cluster_pb2.Cluster.RING_HASH
    cluster.ring_hash_lb_config.CopyFrom(
        cluster_pb2.Cluster.RingHashLbConfig(
            minimum_ring_size=wrappers_pb2.UInt64Value(value=wanted.minimum_ring),
            maximum_ring_size=wrappers_pb2.UInt64Value(value=wanted.maximum_ring),
            hash_function=cluster_pb2.Cluster.RingHashLbConfig.XX_HASH,
        )
    )


def weighted(orca: OrcaWeights) -> weighted_pb2.ClientSideWeightedRoundRobin:
    """gRFC A58. What is 0 is sent as `_LEAST`."""

    def period(seconds: float) -> duration_pb2.Duration:
        return duration(max(seconds, _LEAST))

    return weighted_pb2.ClientSideWeightedRoundRobin(
        enable_oob_load_report=wrappers_pb2.BoolValue(value=orca.out_of_band),
        oob_reporting_period=period(orca.reporting_seconds),
        blackout_period=period(orca.blackout_seconds),
        weight_expiration_period=period(orca.expiration_seconds),
        weight_update_period=period(orca.update_seconds),
        error_utilization_penalty=wrappers_pb2.FloatValue(value=max(orca.error_penalty, _LEAST)),
    )


def by_locality(*wanted: Message) -> cluster_pb2.LoadBalancingPolicy:
    """Localities by their weights, and within each what is wanted, or round robin. Without this wrapper gRPC clients
    pass over the weights of localities."""
    picking = listed(*wanted, round_robin_pb2.RoundRobin())
    return listed(wrr_locality_pb2.WrrLocality(endpoint_picking_policy=picking))


def listed(*policies: Message) -> cluster_pb2.LoadBalancingPolicy:
    """The first that the client knows counts."""
    policy = cluster_pb2.LoadBalancingPolicy()
    for candidate in policies:
        config = policy.policies.add().typed_extension_config
        config.name = candidate.DESCRIPTOR.full_name
        config.typed_config.CopyFrom(pack(candidate))
    return policy
