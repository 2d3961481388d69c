"""What of all that is said of a service port a client cannot do: sentences that name the thing, the client, and what it
does instead.

What is honoured is not mentioned, nor is what the control plane does by itself (zones, subsets, safety). A sentence
about a rule begins with the rule, one about a backend of a route with that backend.

The status of routes and policies and `steerway check` (`stated`), `explain` and the list of streams (`of` and what it
calls) have their sentences from here, so that all of them say the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from steerway.catalog.model.mesh import Port, Service
from steerway.catalog.model.policy import Algorithm, Balancing, HashKey, HashSource, Policy, Retry
from steerway.catalog.model.route import Match, MatchType, Rule, Table
from steerway.catalog.routing.rule import STATUS_CODES
from steerway.catalog.service import connection
from steerway.translate import destination
from steerway.translate.client import capability as clients
from steerway.translate.client.capability import Client, Feature, Library
from steerway.translate.destination import Destination, Find, Share
from steerway.translate.envoy import match as envoy_match
from steerway.translate.grpc import route

_ROUND_ROBIN = "it falls back to round_robin"
_AS_IT_IS = "gRPC clients send the request as it is"
_INSTEAD: Mapping[Feature, str] = {
    Feature.ROUTE: "it takes the last rule alone",
    Feature.EXTERNAL_NAME: "it refuses the cluster, and calls fail",
    Feature.TIMEOUT: "calls last as long as their callers wait",
    Feature.LIMITS: "requests are not limited",
    Feature.FAULT: "calls go on without faults",
    Feature.RETRY: "failed calls are not tried again",
    Feature.MANY_RETRIES: f"calls are tried again {clients.MOST_RETRIES} times at most",
    Feature.ATTEMPT_TIMEOUT: "all attempts together have the time of the call",
    Feature.RING_HASH: _ROUND_ROBIN,
    Feature.LEAST_REQUEST: _ROUND_ROBIN,
    Feature.WEIGHTED_ROUND_ROBIN: _ROUND_ROBIN,
    Feature.PICK_FIRST: _ROUND_ROBIN,
    Feature.RANDOM: _ROUND_ROBIN,
    Feature.OUTLIER_DETECTION: "no endpoint is ejected",
    Feature.SESSION: "calls go to any endpoint",
    Feature.HEADER_SESSION: "calls go to any endpoint",
    Feature.SLOW_START: "a new endpoint gets its full share at once",
    Feature.HEALTH_CHECK: "the readiness that Kubernetes tells counts",
    Feature.HEADER_CHANGES: _AS_IT_IS,
    Feature.MIRROR: "gRPC clients send the request once",
    Feature.REWRITE: _AS_IT_IS,
    Feature.REDIRECT: "calls fail with UNAVAILABLE",
    Feature.HOSTNAMES: "rules count whatever the name that is dialled",
    Feature.HTTP_MATCH: "they never match a gRPC call",
    Feature.BINARY_HEADER_MATCH: "they never match, and calls go to the next rule that matches",
}
_ALGORITHMS: Mapping[Algorithm, Feature] = {
    Algorithm.LEAST_REQUEST: Feature.LEAST_REQUEST,
    Algorithm.RING_HASH: Feature.RING_HASH,
    Algorithm.WEIGHTED_ROUND_ROBIN: Feature.WEIGHTED_ROUND_ROBIN,
    Algorithm.PICK_FIRST: Feature.PICK_FIRST,
    Algorithm.RANDOM: Feature.RANDOM,
}


class _Limit(NamedTuple):
    """What one kind of client does not do, or (without `client`) what none does: words about a rule or backend, words
    before the name of the client, and after it."""

    before: str
    after: str = ""
    client: Client | None = None
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where}{self.before}{self.client or ''}{self.after}"


def stated(source: Table | Policy) -> list[str]:
    """What current clients of some kind do not do of a route or of a policy, whoever is connected, for its owner.

    What makes a rule invalid is not among it: the status has other conditions for that.
    """
    named: dict[_Limit, list[Client]] = {}
    for client in clients.CURRENT:
        for limit in _of_policy(source, client) if isinstance(source, Policy) else _of_table(source, client):
            holders = named.setdefault(limit._replace(client=None), [])
            holders += [] if limit.client is None else [limit.client]
    return [
        f"{merged_limit.where}{merged_limit.before}{_names(client_names)}{merged_limit.after}"
        for merged_limit, client_names in named.items()
    ]


def _names(kinds: Sequence[Client]) -> str:
    """`grpc-go, grpc-java`; all libraries of gRPC have one name."""
    grpc = [client for client in kinds if client.is_grpc]
    if len(grpc) < len(clients.CURRENT) - 1:
        return ", ".join(map(str, kinds))
    return ", ".join(["gRPC clients", *(str(client) for client in kinds if not client.is_grpc)])


def _of_table(table: Table, client: Client) -> Iterator[_Limit]:
    for match, rule in table:
        if not rule.not_done:
            yield from _of_destination(Destination(match, (), rule.policy, rule), client)


def _of_policy(policy: Policy, client: Client) -> Iterator[_Limit]:
    yield from _of_choice(policy, client)
    yield from _of_destination(Destination(Match(), (Share("", 1, policy),), policy), client)


def of(service: Service, port: Port, namespace: str, find: Find, client: Client) -> tuple[str, ...]:
    """Everything, for clients of one namespace: of the port's routes, and of the endpoints where its calls end."""
    limits = [*of_calls(service, port, namespace, find, client)]
    table = port.routing.table(namespace)
    if table is None:
        limits += of_endpoints(service, port, client)
    backends = (
        backend.to for _, rule in table or () for backend in rule.backends if backend.to and backend.weight
    )
    for to in dict.fromkeys(backends):
        seen = destination.visible(to, namespace, find)
        limits += [f"backend {to}: {sentence}" for sentence in of_endpoints(*seen, client)] if seen else []
    return tuple(dict.fromkeys(limits))


def of_calls(
    service: Service, port: Port, namespace: str, find: Find, client: Client, pod: bool = False
) -> tuple[str, ...]:
    """What routes and policies say of calls. `pod`: of one pod, which routes do not concern."""
    envoy = client.library is Library.ENVOY
    if pod:
        only = Destination(Match(), (Share("", 1, port.policy),), port.policy)
        return (*_refused(port, envoy), *_sentences(_of_destination(only, client)))
    # The names of clusters, of which the domain is a part, do not matter here.
    destinations = destination.resolve(service, port, namespace, find, "", envoy)
    all_limits = [limit for target in destinations for limit in _of_destination(target, client)]
    if (table := port.routing.table(namespace)) is None:
        return (*_refused(port, envoy), *_sentences(all_limits))
    refused = (limit for _, rule in table for limit in _refused_backends(rule, namespace, find, envoy))
    limits = _sentences([*_missing(client, Feature.ROUTE), *all_limits])
    return tuple(dict.fromkeys((*refused, *limits)))


def _refused(port: Port, envoy: bool) -> Iterator[str]:
    if reason := connection.refusal(port, envoy):
        yield f"{reason}: calls to port {port.number} fail"


def _refused_backends(rule: Rule, namespace: str, find: Find, envoy: bool) -> Iterator[str]:
    """The backends of a rule that clients may not connect to, those of mirrors too."""
    for to in (
        *(backend.to for backend in rule.backends if backend.weight),
        *(mirror.to for mirror in rule.mirrors),
    ):
        seen = None if to is None else destination.visible(to, namespace, find)
        if seen is not None:
            yield from (f"{rule.where}: backend {to}: {sentence}" for sentence in _refused(seen[1], envoy))


def of_endpoints(service: Service, port: Port, client: Client) -> tuple[str, ...]:
    """What is said of how clients choose among the endpoints of a port."""
    if service.external_name:
        # DNS gives one endpoint: there is nothing to choose.
        limits = [*_missing(client, Feature.EXTERNAL_NAME), *_of_use(port.policy, client)]
        return _sentences(limits)
    return _sentences(_of_choice(port.policy, client))


def _sentences(limits: Iterable[_Limit]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(str, limits)))


def _of_choice(policy: Policy, client: Client) -> Iterator[_Limit]:
    """How a client chooses among endpoints, and what it does with them."""
    chosen = () if policy.balancing is None else _balancing(policy.balancing)
    yield from _missing(client, *chosen)
    yield from _of_use(policy, client)


def _of_use(policy: Policy, client: Client) -> Iterator[_Limit]:
    wanted: dict[Feature, object] = {
        Feature.LIMITS: policy.maximum_requests,
        Feature.OUTLIER_DETECTION: policy.outlier_detection,
        Feature.HEALTH_CHECK: policy.health_check,
    }
    yield from _missing(client, *_said(wanted))
    # grpc-java 1.85 counts the requests of a cluster where it counts its load, and there alone.
    if client.library is Library.JAVA and client.can(Feature.LIMITS) and policy.maximum_requests is not None:
        after = " limits requests only where it is asked for load reports (load_reporting_enabled)"
        yield _Limit("", after, client)


def _balancing(wanted: Balancing) -> Iterator[Feature]:
    if wanted.algorithm in _ALGORITHMS:
        yield _ALGORITHMS[wanted.algorithm]
    if wanted.slow_start is not None:
        yield Feature.SLOW_START


def _of_destination(target: Destination, client: Client) -> Iterator[_Limit]:
    rule = target.rule
    where = "" if rule is None else f"{rule.where}: "
    if rule is not None and rule.hostnames:
        yield from (limit._replace(where=f"{rule.route}: ") for limit in _missing(client, Feature.HOSTNAMES))
    yield from (limit._replace(where=where) for limit in _of_calls(target, client))


def _of_calls(target: Destination, client: Client) -> Iterator[_Limit]:
    """Without the name of the rule."""
    unmatched = [*_missing(client, *_matching(target.match)), *_hidden(target.match, client)]
    if unmatched:
        yield from unmatched
        return
    rule = target.rule
    if rule is not None and rule.not_done:
        filters = ", ".join(rule.not_done)
        yield _Limit(f"filter {filters} is supported by no client: calls fail with UNAVAILABLE")
        return
    if client.library is Library.ENVOY and envoy_match.too_large(target.match, client.program_size):
        yield _Limit("a regular expression is too large for ", _too_large(client), client)
        return
    yield from _compiling(target.match, client)
    if rule is not None:
        yield from _missing(client, *_changing(rule))
        yield from map(_Limit, rule.not_applied)
    yield from _missing(client, *_calling(target.policy))
    yield from _retrying(target.policy.retry, client)
    yield from _hashing(target.shares, client)
    if target.policy.timeout_seconds and client.library is Library.CORE and client.can(Feature.TIMEOUT):
        # grpc/grpc 34547 and 40633, seen in 1.85: it is told two seconds more, of which it takes one to two off.
        yield _Limit("exact timeouts are not supported by ", ": calls end up to a second late", client)


def _too_large(client: Client) -> str:
    return (
        f" with re2.max_program_size.error_level {client.program_size}: requests that may match fail with 500; raise it"
        " in the bootstrap, see docs/guides/envoy.md"
    )


def _matching(match: Match) -> Iterator[Feature]:
    if match.query or match.method not in ("", "POST"):
        yield Feature.HTTP_MATCH
    if any(header.name.endswith("-bin") for header in match.headers):
        yield Feature.BINARY_HEADER_MATCH


def _hidden(match: Match, client: Client) -> Iterator[_Limit]:
    after = (
        ": the header is written after the route is chosen, so that they never match, and calls go to the next rule"
        " that matches"
    )
    for header in match.headers:
        if not client.routes_by(header.name):
            yield _Limit(f"matches by the header {header.name} are not supported by ", after, client)


def _compiling(match: Match, client: Client) -> Iterator[_Limit]:
    """grpc-js-xds 1.14: re2-wasm frees nothing of its 16 MiB, and every EDS update compiles the whole route again."""
    if client.library is Library.NODE and MatchType.REGEX in {
        match.match_type,
        *(header.match_type for header in match.headers),
    }:
        after = (
            " compiles the regular expression anew with each change of endpoints and never frees one: its process ends"
            " after some thousands of changes"
        )
        yield _Limit("", after, client)


def _changing(rule: Rule) -> Iterable[Feature]:
    changes = [rule.changes, *(backend.changes for backend in rule.backends)]
    return _said(
        {
            Feature.REDIRECT: rule.redirect,
            Feature.HEADER_CHANGES: any(change.request or change.response for change in changes) or None,
            Feature.REWRITE: any(change.rewrite for change in changes) or None,
            Feature.MIRROR: rule.mirrors or None,
            Feature.ATTEMPT_TIMEOUT: rule.attempt_seconds or None,
        }
    )


def _calling(policy: Policy) -> Iterable[Feature]:
    retry, session = policy.retry, policy.session
    return _said(
        {
            Feature.TIMEOUT: policy.timeout_seconds or None,
            Feature.RETRY: retry if retry and retry.codes else None,
            Feature.SESSION: session if session and not session.header else None,
            Feature.HEADER_SESSION: session if session and session.header else None,
            Feature.FAULT: policy.fault,
        }
    )


def _retrying(retry: Retry | None, client: Client) -> Iterator[_Limit]:
    """What of retries is for clients of HTTP."""
    if retry is None:
        return
    unknown = [str(status) for status in retry.statuses if status not in STATUS_CODES]
    if unknown and not client.can(Feature.STATUS_RETRY):
        before = f"{Feature.STATUS_RETRY.value} {', '.join(unknown)} are not supported by "
        yield _Limit(before, ": calls that fail so are not tried again", client)
    if retry.codes and retry.attempts > clients.MOST_RETRIES:
        yield from _missing(client, Feature.MANY_RETRIES)


def _hashing(shares: Iterable[Share], client: Client) -> Iterator[_Limit]:
    """A ring's keys are a matter of the route. What a client has nothing of it passes over."""
    policies = [share.policy.balancing for share in shares]
    keys = [
        key
        for policy in policies
        if policy and policy.algorithm is Algorithm.RING_HASH
        for key in policy.hash_on
    ]
    cookies = any(key.source is HashSource.COOKIE for key in keys)
    if cookies and client.can(Feature.RING_HASH) and not client.can(Feature.COOKIE_HASH):
        used = " and ".join(map(_key, route.hash_keys(shares)))
        yield _Limit("ring_hash by cookie is not supported by ", f": it hashes by {used}", client)
    for key in dict.fromkeys(keys):
        binary = key.source is HashSource.HEADER and key.name.endswith("-bin")
        if binary and client.is_grpc:
            before = f"ring_hash by the binary header {key.name} is not supported by "
            yield _Limit(before, ": it passes the header over", client)


def _key(key: HashKey) -> str:
    return f"the header {key.name}" if key.source is HashSource.HEADER else "the channel"


def _said(wanted: Mapping[Feature, object]) -> list[Feature]:
    return [feature for feature, value in wanted.items() if value is not None]


def _missing(client: Client, *wanted: Feature) -> Iterator[_Limit]:
    for feature in wanted:
        if not client.can(feature):
            verb = "are" if feature.value.split()[0].endswith("s") else "is"
            yield _Limit(f"{feature.value} {verb} not supported by ", f": {_INSTEAD[feature]}", client)
