"""What of all that is said of a service port a client cannot do: sentences that name the thing, the client, and what it
does instead.

What is honoured is not mentioned, nor is what the control plane does by itself (zones, subsets, safety). A sentence
about a rule begins with the rule, one about a backend of a route with that backend.
"""

from collections.abc import Iterable, Iterator, Mapping

from steerway.catalog.model import Port, Service
from steerway.catalog.policy import Algorithm, Balancing, HashKey, HashSource, Policy
from steerway.catalog.route import How, Match, Rule
from steerway.translate import destination, route
from steerway.translate.client import Client, Feature, Library
from steerway.translate.destination import Destination, Find, Share
from steerway.translate.envoy import match as envoy_match

_ROUND_ROBIN = "it falls back to round_robin"
_AS_IT_IS = "gRPC clients send the request as it is"
_INSTEAD: Mapping[Feature, str] = {
    Feature.ROUTE: "it takes the last rule alone",
    Feature.EXTERNAL_NAME: "it refuses the cluster, and calls fail",
    Feature.TIMEOUT: "calls last as long as their callers wait",
    Feature.LIMITS: "requests are not limited",
    Feature.FAULT: "calls go on without faults",
    Feature.RETRY: "failed calls are not tried again",
    Feature.STATUS_RETRY: "failed calls are not tried again",
    Feature.RING_HASH: _ROUND_ROBIN,
    Feature.LEAST_REQUEST: _ROUND_ROBIN,
    Feature.WEIGHTED_ROUND_ROBIN: _ROUND_ROBIN,
    Feature.PICK_FIRST: _ROUND_ROBIN,
    Feature.RANDOM: _ROUND_ROBIN,
    Feature.OUTLIER_DETECTION: "no endpoint is ejected",
    Feature.SESSION: "calls go to any endpoint",
    Feature.SLOW_START: "a new endpoint gets its full share at once",
    Feature.HEALTH_CHECK: "the readiness that Kubernetes tells counts",
    Feature.HEADER_CHANGES: _AS_IT_IS,
    Feature.MIRROR: "gRPC clients send the request once",
    Feature.REWRITE: _AS_IT_IS,
    Feature.REDIRECT: "calls fail with UNAVAILABLE",
    Feature.HTTP_MATCH: "they never match a gRPC call",
    Feature.BINARY_HEADER_MATCH: "they never match",
}
_ALGORITHMS: Mapping[Algorithm, Feature] = {
    Algorithm.LEAST_REQUEST: Feature.LEAST_REQUEST,
    Algorithm.RING_HASH: Feature.RING_HASH,
    Algorithm.WEIGHTED_ROUND_ROBIN: Feature.WEIGHTED_ROUND_ROBIN,
    Algorithm.PICK_FIRST: Feature.PICK_FIRST,
    Algorithm.RANDOM: Feature.RANDOM,
}


def of(service: Service, port: Port, namespace: str, find: Find, client: Client) -> tuple[str, ...]:
    """Everything, for clients of one namespace: of the port's routes, and of the endpoints where its calls end."""
    found = [*of_calls(service, port, namespace, find, client)]
    table = port.routing.table(namespace)
    if table is None:
        found += of_endpoints(service, port, client)
    backends = (each.to for _, rule in table or () for each in rule.backends if each.to and each.weight)
    for to in dict.fromkeys(backends):
        seen = destination.visible(to, namespace, find)
        found += [f"backend {to}: {said}" for said in of_endpoints(*seen, client)] if seen else []
    return tuple(dict.fromkeys(found))


def of_calls(
    service: Service, port: Port, namespace: str, find: Find, client: Client, pod: bool = False
) -> tuple[str, ...]:
    """What routes and policies say of calls. `pod`: of one pod, which routes do not concern."""
    if pod:
        only = Destination(Match(), (Share("", 1, port.policy),), port.policy)
        return tuple(_of_destination(only, client))
    # The names of clusters, of which the domain is a part, do not matter here.
    destinations = destination.resolve(service, port, namespace, find, "")
    found = [said for each in destinations for said in _of_destination(each, client)]
    if port.routing.table(namespace) is not None:
        found = [*_missing(client, Feature.ROUTE), *found]
    return tuple(dict.fromkeys(found))


def of_endpoints(service: Service, port: Port, client: Client) -> tuple[str, ...]:
    """What is said of how clients choose among the endpoints of a port."""
    policy = port.policy
    wanted: dict[Feature, object] = {
        Feature.LIMITS: policy.maximum_requests,
        Feature.OUTLIER_DETECTION: policy.outlier_detection,
        Feature.HEALTH_CHECK: policy.health_check,
    }
    if service.external_name:
        # DNS gives one endpoint: there is nothing to choose.
        found = _missing(client, Feature.EXTERNAL_NAME, *_said(wanted))
        return (*found, *_uncounted(policy, client))
    chosen = () if policy.balancing is None else _balancing(policy.balancing)
    return (*_missing(client, *chosen, *_said(wanted)), *_uncounted(policy, client))


def _uncounted(policy: Policy, client: Client) -> Iterator[str]:
    """grpc-java 1.85 counts the requests of a cluster where it counts its load, and there alone."""
    if client.library is Library.JAVA and client.can(Feature.LIMITS) and policy.maximum_requests is not None:
        yield f"{client} limits requests only where it is asked for load reports (load_reporting_enabled)"


def _balancing(wanted: Balancing) -> Iterator[Feature]:
    if wanted.algorithm in _ALGORITHMS:
        yield _ALGORITHMS[wanted.algorithm]
    if wanted.slow_start is not None:
        yield Feature.SLOW_START


def _of_destination(found: Destination, client: Client) -> Iterator[str]:
    rule = found.rule
    where = "" if rule is None else f"{rule.where}: "
    unmatched = [*_missing(client, *_matching(found.match))]
    if unmatched:
        yield from (where + said for said in unmatched)
        return
    if rule is not None and rule.not_done:
        yield f"{where}filter {', '.join(rule.not_done)} is supported by no client: calls fail with UNAVAILABLE"
        return
    if client.library is Library.ENVOY and envoy_match.too_large(found.match, client.program_size):
        yield (
            f"{where}a regular expression is too large for {client} with re2.max_program_size.error_level "
            f"{client.program_size}: requests that may match fail with 500; raise it in the bootstrap, see "
            "docs/guides/envoy.md"
        )
        return
    yield from (where + said for said in _compiling(found.match, client))
    features = [*(() if rule is None else _changing(rule)), *_calling(found.policy)]
    yield from (where + said for said in _missing(client, *features))
    yield from (where + said for said in _hashing(found.shares, client))
    if found.policy.timeout_seconds and client.library is Library.CORE and client.can(Feature.TIMEOUT):
        # grpc/grpc 34547 and 40633, seen in 1.85: it is told two seconds more, of which it takes one to two off.
        yield f"{where}exact timeouts are not supported by {client}: calls end up to a second late"


def _matching(match: Match) -> Iterator[Feature]:
    if match.query or match.method not in ("", "POST"):
        yield Feature.HTTP_MATCH
    if any(header.name.endswith("-bin") for header in match.headers):
        yield Feature.BINARY_HEADER_MATCH


def _compiling(match: Match, client: Client) -> Iterator[str]:
    """grpc-js-xds 1.14: re2-wasm frees nothing of its 16 MiB, and every EDS update compiles the whole route again."""
    if client.library is Library.NODE and How.REGEX in {match.how, *(header.how for header in match.headers)}:
        yield (
            f"{client} compiles the regular expression anew with each change of endpoints and never frees one: its "
            "process ends after some thousands of changes"
        )


def _changing(rule: Rule) -> Iterable[Feature]:
    changes = [rule.changes, *(backend.changes for backend in rule.backends)]
    return _said(
        {
            Feature.REDIRECT: rule.redirect,
            Feature.HEADER_CHANGES: any(each.request or each.response for each in changes) or None,
            Feature.REWRITE: any(each.rewrite for each in changes) or None,
            Feature.MIRROR: rule.mirrors or None,
        }
    )


def _calling(policy: Policy) -> Iterable[Feature]:
    retry = policy.retry
    return _said(
        {
            Feature.TIMEOUT: policy.timeout_seconds or None,
            Feature.RETRY: retry if retry and retry.codes else None,
            Feature.STATUS_RETRY: retry if retry and retry.statuses and not retry.codes else None,
            Feature.SESSION: policy.session,
            Feature.FAULT: policy.fault,
        }
    )


def _hashing(shares: Iterable[Share], client: Client) -> Iterator[str]:
    """A ring's keys are a matter of the route. What a client has nothing of it passes over."""
    policies = [share.policy.balancing for share in shares]
    keys = [
        key for each in policies if each and each.algorithm is Algorithm.RING_HASH for key in each.hash_on
    ]
    cookies = any(key.source is HashSource.COOKIE for key in keys)
    if cookies and client.can(Feature.RING_HASH) and not client.can(Feature.COOKIE_HASH):
        used = " and ".join(map(_key, route.hash_keys(shares)))
        yield f"ring_hash by cookie is not supported by {client}: it hashes by {used}"
    for key in dict.fromkeys(keys):
        binary = key.source is HashSource.HEADER and key.name.endswith("-bin")
        if binary and client.library is not Library.ENVOY:
            yield f"ring_hash by the binary header {key.name} is not supported by {client}: it passes the header over"


def _key(key: HashKey) -> str:
    return f"the header {key.name}" if key.source is HashSource.HEADER else "the channel"


def _said(wanted: Mapping[Feature, object]) -> list[Feature]:
    return [feature for feature, value in wanted.items() if value is not None]


def _missing(client: Client, *wanted: Feature) -> Iterator[str]:
    for feature in wanted:
        if not client.can(feature):
            verb = "are" if feature.value.split()[0].endswith("s") else "is"
            yield f"{feature.value} {verb} not supported by {client}: {_INSTEAD[feature]}"
