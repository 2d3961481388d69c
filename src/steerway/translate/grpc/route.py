"""Route configurations for gRPC clients: which calls go to which clusters.

Clients get the fields of a route that they support (see `limitation`). What would never match a gRPC call, which is a
POST without query parameters, is left out. What they must not pass over, as a redirect, fails: its calls go to a
cluster without endpoints.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from envoy.config.route.v3 import route_components_pb2 as components
from envoy.config.route.v3 import route_pb2

from steerway.catalog.model.policy import (
    CHANNEL,
    MOST_RETRIES,
    NOTHING,
    Algorithm,
    HashKey,
    HashSource,
    Policy,
    Retry,
)
from steerway.catalog.model.route import Match, MatchType, ValueMatch
from steerway.translate.destination import BLACKHOLE, Destination, Share
from steerway.translate.grpc import http_filter
from steerway.translate.protobuf.message import serialize
from steerway.translate.protobuf.packing import duration, uint32

LEAST_BACKOFF_SECONDS = 0.005
"""The shortest wait before a retry that gRPC clients get."""

_NEVER = Match(MatchType.EXACT, "/steerway.Never/Calls")
_UNKNOWN = Destination(Match(), (Share(BLACKHOLE, 1),), NOTHING)


def build(name: str, destinations: Iterable[Destination], spare: Sequence[str] = ()) -> bytes:
    """A RouteConfiguration with one virtual host. Clients get to know the `spare` clusters and connect to them, without
    a call: grpc-go 1.85 loses calls to a cluster that a route names for the first time.

    The domain is `*`, because one route serves all aliases of the service, and clients match domains against the
    target as it was dialled, port included (gRFC A27).
    """
    routes = [route for destination in _kept(destinations) for route in _routes(destination)]
    if spare:
        never = Destination(_NEVER, tuple(Share(cluster, 1) for cluster in spare), NOTHING)
        routes += _routes(never)
    host = components.VirtualHost(name=name, domains=["*"], routes=routes)
    return serialize(route_pb2.RouteConfiguration(name=name, virtual_hosts=[host]))


def clusters(destinations: Iterable[Destination], spare: Sequence[str] = ()) -> list[str]:
    """The clusters that the configuration names."""
    return sorted(
        {*spare, *(share.cluster for destination in _kept(destinations) for share in _shares(destination))}
    )


def _kept(destinations: Iterable[Destination]) -> list[Destination]:
    """Those that a gRPC call can match. Without any, every call fails, by a route to no endpoints: what a client
    makes of a virtual host without routes is its own affair."""
    return [destination for destination in destinations if _may_match(destination.match)] or [_UNKNOWN]


def _routes(destination: Destination) -> Iterator[components.Route]:
    for match in _matches(destination.match):
        yield components.Route(
            match=match,
            route=_action(destination),
            typed_per_filter_config=http_filter.of_route(destination.policy),
        )


def _may_match(match: Match) -> bool:
    """Whether a gRPC call can be what is matched."""
    return match.method in ("", "POST") and not match.query


def _matches(match: Match) -> Iterator[components.RouteMatch]:
    headers = [_header(header) for header in match.headers]
    for match_type, path in paths(match):
        route_match = components.RouteMatch(headers=headers)
        if match_type is MatchType.EXACT:
            route_match.path = path
        elif match_type is MatchType.REGEX:
            route_match.safe_regex.regex = _whole(path)
        else:
            route_match.prefix = path
        yield route_match


def paths(match: Match) -> Iterator[tuple[MatchType, str]]:
    """A match by path elements as two of text: `/a` as it is, and what begins with `/a/`."""
    whole = match.path.rstrip("/")
    if match.match_type is MatchType.PREFIX and match.elements and whole:
        yield MatchType.EXACT, whole
        yield MatchType.PREFIX, f"{whole}/"
    else:
        yield match.match_type, match.path


def _header(match: ValueMatch) -> components.HeaderMatcher:
    """In the fields that clients before gRFC A63 read, too."""
    if match.match_type is MatchType.REGEX:
        matcher = components.HeaderMatcher(name=match.name)
        matcher.safe_regex_match.regex = _whole(match.value)
        return matcher
    return components.HeaderMatcher(name=match.name, exact_match=match.value)


def _whole(regex: str) -> str:
    """grpc-js-xds 1.14 takes `a|b` for `^a|b$`, which matches what only begins with `a`, or ends with `b`."""
    return f"(?:{regex})" if "|" in regex else regex


def _action(destination: Destination) -> components.RouteAction:
    action = components.RouteAction(hash_policy=[_hash_policy(key) for key in hash_keys(destination.shares)])
    shares = _shares(destination)
    if len(shares) == 1:
        action.cluster = shares[0].cluster
    else:
        for share in shares:
            action.weighted_clusters.clusters.add(name=share.cluster, weight=uint32(share.weight))
        # grpc-js-xds before 1.14.1 does not split as configured without the sum; other clients ignore it.
        action.weighted_clusters.total_weight.value = sum(share.weight for share in shares)
    apply_policy(action, destination.policy)
    return action


def _shares(destination: Destination) -> list[Share]:
    """Each cluster once, with the sum of its weights. A redirect is nothing that a gRPC client can follow."""
    if destination.rule is not None and destination.rule.redirect is not None:
        return [Share(BLACKHOLE, 1)]
    weights: dict[str, int] = {}
    for share in destination.shares:
        weights[share.cluster] = weights.get(share.cluster, 0) + share.weight
    return [Share(cluster, weight) for cluster, weight in weights.items()]


def apply_policy(action: components.RouteAction, policy: Policy) -> None:
    """Timeouts and retries."""
    if policy.timeout_seconds is not None:
        most = duration(policy.timeout_seconds)
        # gRFC A31: the second counts where a client sends its deadline; 0 is no limit from here.
        action.max_stream_duration.max_stream_duration.CopyFrom(most)
        action.max_stream_duration.grpc_timeout_header_max.CopyFrom(most)
    if policy.retry is not None and policy.retry.codes:
        action.retry_policy.CopyFrom(retry_policy(_bounded(policy.retry)))


def _bounded(wanted: Retry) -> Retry:
    """No more retries than clients make, and none too soon (grpc/grpc 41036: after a wait that C-core rounds to 0 ms, a
    call hangs until its deadline instead of being tried again)."""
    base = max(wanted.base_seconds, LEAST_BACKOFF_SECONDS)
    longest = None if wanted.maximum_seconds is None else max(wanted.maximum_seconds, base)
    attempts = min(wanted.attempts, MOST_RETRIES)
    return replace(wanted, attempts=attempts, base_seconds=base, maximum_seconds=longest)


def retry_policy(wanted: Retry) -> components.RetryPolicy:
    """gRFC A44: lower-case codes, with commas and no spaces."""
    longest = wanted.base_seconds * 10 if wanted.maximum_seconds is None else wanted.maximum_seconds
    return components.RetryPolicy(
        retry_on=",".join(wanted.codes),
        num_retries=uint32(wanted.attempts),
        retry_back_off=components.RetryPolicy.RetryBackOff(
            base_interval=duration(wanted.base_seconds), max_interval=duration(longest)
        ),
    )


def hash_keys(shares: Iterable[Share]) -> list[HashKey]:
    """What the rings of the backends want requests to be hashed by, each once; the channel where a client has nothing
    of it, since else each call would go to an endpoint at random."""
    wanted: dict[HashKey, None] = {}
    for share in shares:
        balancing = share.policy.balancing
        if balancing is not None and balancing.algorithm is Algorithm.RING_HASH:
            wanted |= dict.fromkeys(balancing.hash_on)
    usable = [key for key in wanted if key.source is not HashSource.COOKIE]
    return usable or ([CHANNEL] if wanted else [])


def _hash_policy(key: HashKey) -> components.RouteAction.HashPolicy:
    """gRFC A42. The first that a call has counts."""
    policy = components.RouteAction.HashPolicy(terminal=True)
    if key.source is HashSource.HEADER:
        policy.header.header_name = key.name
    else:
        policy.filter_state.key = "io.grpc.channel_id"
    return policy
