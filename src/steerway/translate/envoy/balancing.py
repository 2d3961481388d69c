"""How Envoy chooses an endpoint of a cluster.

Whatever chooses, localities get requests by the weights that the control plane gives them: it is the one that knows
the zones, and Envoy's own zone awareness would need all sidecars of a service in one cluster.
"""

from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.load_balancing_policies.common.v3 import common_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf import wrappers_pb2

from steerway.catalog.model.policy import Algorithm, Balancing, SlowStart
from steerway.translate.grpc import balancing
from steerway.translate.protobuf.packing import duration

_ROUND_ROBIN = Balancing(Algorithm.ROUND_ROBIN)
_LOCALITY_WEIGHTED = cluster_pb2.Cluster.CommonLbConfig.LocalityWeightedLbConfig()


def apply(cluster: cluster_pb2.Cluster, wanted: Balancing | None) -> None:
    """Have Envoy balance as wanted; in turn, when nothing is, or pick_first, which Envoy 1.40 has not."""
    wanted = wanted if wanted is not None else _ROUND_ROBIN
    kind = cluster_pb2.Cluster
    match wanted.algorithm:
        case Algorithm.WEIGHTED_ROUND_ROBIN:
            weighted = balancing.weighted(wanted.orca)
            if wanted.slow_start is not None:
                weighted.slow_start_config.CopyFrom(_extension_slow_start(wanted.slow_start))
            cluster.load_balancing_policy.CopyFrom(balancing.by_locality(weighted))
            return
        case Algorithm.RING_HASH:
            cluster.lb_policy = kind.RING_HASH
            cluster.ring_hash_lb_config.CopyFrom(_ring(wanted))
        case Algorithm.LEAST_REQUEST:
            cluster.lb_policy = kind.LEAST_REQUEST
            cluster.least_request_lb_config.choice_count.value = wanted.choices
            if wanted.slow_start is not None:
                cluster.least_request_lb_config.slow_start_config.CopyFrom(_slow_start(wanted.slow_start))
        case Algorithm.RANDOM:
            cluster.lb_policy = kind.RANDOM
        case Algorithm.ROUND_ROBIN | Algorithm.PICK_FIRST:
            cluster.lb_policy = kind.ROUND_ROBIN
            if wanted.slow_start is not None:
                cluster.round_robin_lb_config.slow_start_config.CopyFrom(_slow_start(wanted.slow_start))
    cluster.common_lb_config.locality_weighted_lb_config.CopyFrom(_LOCALITY_WEIGHTED)


def _ring(wanted: Balancing) -> cluster_pb2.Cluster.RingHashLbConfig:
    return cluster_pb2.Cluster.RingHashLbConfig(
        minimum_ring_size=wrappers_pb2.UInt64Value(value=wanted.minimum_ring),
        maximum_ring_size=wrappers_pb2.UInt64Value(value=wanted.maximum_ring),
        hash_function=cluster_pb2.Cluster.RingHashLbConfig.XX_HASH,
    )


def _slow_start(wanted: SlowStart) -> cluster_pb2.Cluster.SlowStartConfig:
    return cluster_pb2.Cluster.SlowStartConfig(
        slow_start_window=duration(wanted.window_seconds), min_weight_percent=_share(wanted)
    )


def _extension_slow_start(wanted: SlowStart) -> common_pb2.SlowStartConfig:
    return common_pb2.SlowStartConfig(
        slow_start_window=duration(wanted.window_seconds), min_weight_percent=_share(wanted)
    )


def _share(wanted: SlowStart) -> percent_pb2.Percent:
    return percent_pb2.Percent(value=wanted.minimum_share * 100)
