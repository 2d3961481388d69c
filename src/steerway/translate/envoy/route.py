"""Route configurations for Envoy: virtual hosts, and of each all fields of a route.

What must fail goes to a cluster that does not exist. Envoy answers that with a status that the route chooses: 500, as
the Gateway API wants it of a backend that cannot be used (HTTPBackendRef), also for its share of the requests, which a
direct response could not have. A cluster without endpoints would give 503, as if there were hope. gRPC clients
get UNAVAILABLE from the listener instead, which GRPCBackendRef wants.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as components
from envoy.config.route.v3 import route_pb2
from google.protobuf import wrappers_pb2

from steerway.catalog.model.policy import CHANNEL, NOTHING, Algorithm, HashKey, HashSource, Retry
from steerway.catalog.model.route import UNCHANGED
from steerway.translate.client.capability import DEFAULT_PROGRAM_SIZE
from steerway.translate.destination import BLACKHOLE, Destination, Share
from steerway.translate.envoy import change, match, superset
from steerway.translate.grpc import http_filter
from steerway.translate.grpc import route as grpc_route
from steerway.translate.protobuf.message import serialize
from steerway.translate.protobuf.packing import duration, uint32


class Host(NamedTuple):
    """A virtual host: `name` is unique, and a domain stands in one host only."""

    name: str
    domains: tuple[str, ...]
    destinations: tuple[Destination, ...]


class Part(NamedTuple):
    """Some virtual hosts as they are sent, their domains, and the clusters that they name and that may exist."""

    body: bytes
    domains: frozenset[str]
    clusters: frozenset[str]


def build(name: str, parts: Iterable[Part]) -> bytes:
    """A RouteConfiguration. A request to any other host gets 404."""
    whole = route_pb2.RouteConfiguration(
        name=name,
        # A cluster that is missing is a failure of its requests, never of the whole configuration.
        validate_clusters=wrappers_pb2.BoolValue(value=False),
    )
    # The bytes of two messages of one type are those of both merged.
    return b"".join([serialize(whole), *(piece.body for piece in parts)])


def part(hosts: Iterable[Host], limit: int = DEFAULT_PROGRAM_SIZE) -> Part:
    """What these add to a configuration. `limit`: see `size`."""
    hosts_within_limit = [
        host._replace(destinations=tuple(_accepted(destination, limit) for destination in host.destinations))
        for host in hosts
    ]
    virtual_hosts = [
        components.VirtualHost(
            name=host.name,
            domains=host.domains,
            routes=[_route(destination) for destination in host.destinations],
        )
        for host in hosts_within_limit
    ]
    named = {
        name
        for host in hosts_within_limit
        for destination in host.destinations
        for name in _named(destination)
    }
    return Part(
        serialize(route_pb2.RouteConfiguration(virtual_hosts=virtual_hosts)),
        frozenset(domain for host in hosts_within_limit for domain in host.domains),
        frozenset(named - {BLACKHOLE}),
    )


def _accepted(destination: Destination, limit: int) -> Destination:
    """One whose match Envoy takes: for one that it would refuse all routes for, a wider one whose requests fail, since
    they are not for the next rule."""
    if not match.too_large(destination.match, limit):
        return destination
    wider = superset.of(destination.match, limit)
    return replace(
        destination, match=wider, shares=(Share(BLACKHOLE, 1),), policy=NOTHING, rule=None, mirrors=()
    )


def _named(destination: Destination) -> Iterator[str]:
    yield from (share.cluster for share in destination.shares)
    yield from (cluster for cluster, _ in destination.mirrors)


def _route(destination: Destination) -> components.Route:
    rule = destination.rule
    route = components.Route(
        match=match.build(destination.match),
        typed_per_filter_config=http_filter.of_route(destination.policy, envoy=True),
    )
    change.headers(route, UNCHANGED if rule is None else rule.changes)
    if rule is not None and rule.redirect is not None and not rule.not_done:
        route.redirect.CopyFrom(change.redirect(destination.match, rule.redirect))
    else:
        route.route.CopyFrom(_action(destination))
    return route


def _action(destination: Destination) -> components.RouteAction:
    action = components.RouteAction(
        cluster_not_found_response_code=components.RouteAction.INTERNAL_SERVER_ERROR,
        # Unset means 15 seconds for the whole answer, which ends a gRPC stream. The timeout of a policy is that of the
        # whole exchange, below: this one begins when the request has ended, which that of a stream may never do.
        timeout=duration(0),
        hash_policy=[_hash_policy(key) for key in _hash_keys(destination.shares)],
        request_mirror_policies=[_mirror(cluster, share) for cluster, share in destination.mirrors],
    )
    grpc_route.apply_policy(action, destination.policy)
    attempt = None if destination.rule is None else destination.rule.attempt_seconds
    if destination.policy.retry is not None:
        action.retry_policy.CopyFrom(_retry(destination.policy.retry, timed=bool(attempt)))
    if attempt:
        # Without retries, too: it ends the only attempt then.
        action.retry_policy.per_try_timeout.CopyFrom(duration(attempt))
    _forward(action, destination)
    return action


def _forward(action: components.RouteAction, destination: Destination) -> None:
    """Where requests go, and with which host and path."""
    rewrites = [UNCHANGED if destination.rule is None else destination.rule.changes]
    if len(destination.shares) == 1 and not destination.shares[0].changes:
        action.cluster = destination.shares[0].cluster
    else:
        for share in destination.shares:
            action.weighted_clusters.clusters.append(_weight(share))
    if len(destination.shares) == 1:
        rewrites.append(destination.shares[0].changes)
    for changes in rewrites:
        if changes.rewrite is not None:
            change.rewrite(action, destination.match, changes.rewrite)


def _weight(share: Share) -> components.WeightedCluster.ClusterWeight:
    weight = components.WeightedCluster.ClusterWeight(name=share.cluster, weight=uint32(share.weight))
    change.headers(weight, share.changes)
    if share.changes.rewrite is not None and share.changes.rewrite.host is not None:
        weight.host_rewrite_literal = share.changes.rewrite.host
    return weight


def _mirror(cluster: str, share: float) -> components.RouteAction.RequestMirrorPolicy:
    return components.RouteAction.RequestMirrorPolicy(
        cluster=cluster,
        runtime_fraction=base_pb2.RuntimeFractionalPercent(default_value=http_filter.fraction(share)),
        disable_shadow_host_suffix_append=True,
    )


def _retry(wanted: Retry, timed: bool) -> components.RetryPolicy:
    """To a gRPC client a connection that cannot be had is UNAVAILABLE, too; Envoy has words of its own for it. `timed`:
    an attempt whose time is up is tried again (GEP-1731)."""
    policy = grpc_route.retry_policy(wanted)
    conditions = list(wanted.codes)
    if "unavailable" in conditions:
        conditions += ["connect-failure", "refused-stream"]
    if wanted.statuses:
        conditions.append("retriable-status-codes")
        policy.retriable_status_codes.extend(wanted.statuses)
    if timed and conditions:
        conditions.append("reset")
    policy.retry_on = ",".join(conditions)
    return policy


def _hash_keys(shares: Iterable[Share]) -> list[HashKey]:
    """What the rings of the backends want requests to be hashed by, each once; the connection where no key is set."""
    balancing = [share.policy.balancing for share in shares]
    rings = [policy for policy in balancing if policy is not None and policy.algorithm is Algorithm.RING_HASH]
    wanted = dict.fromkeys(key for ring in rings for key in ring.hash_on)
    return list(wanted) or ([CHANNEL] if rings else [])


def _hash_policy(key: HashKey) -> components.RouteAction.HashPolicy:
    """The first that a request has counts."""
    policy = components.RouteAction.HashPolicy(terminal=True)
    match key.source:
        case HashSource.HEADER:
            policy.header.header_name = key.name
        case HashSource.COOKIE:
            policy.cookie.name = key.name
            policy.cookie.path = key.path
            # Without a time Envoy reads the cookie and never gives one; 0 is one of the session.
            policy.cookie.ttl.CopyFrom(duration(key.ttl_seconds or 0))
        case HashSource.CHANNEL:
            policy.connection_properties.source_ip = True
    return policy
