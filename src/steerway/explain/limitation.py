"""The limitations of clients for routes and policies: which rows of the capability table concern an object.

Sentences name the setting, the client, and what it does instead. A sentence about a rule begins with the rule, one
about a backend of a route with that backend. What the control plane does by itself (zones, subsets, safety) has none.

The status of routes and policies and `steerway check` use `stated`, `explain` and the list of streams `of` and the
functions that it calls.
"""

from collections.abc import Iterable, Iterator, Mapping

from steerway.catalog.model.mesh import Port, Service
from steerway.catalog.model.policy import (
    MOST_RETRIES,
    Algorithm,
    Balancing,
    HashKey,
    HashSource,
    Policy,
    Retry,
)
from steerway.catalog.model.route import Match, MatchType, Rule, Table, Unapplied
from steerway.catalog.model.security import ServerConfiguration, TlsMode
from steerway.catalog.routing.rule import STATUS_CODES
from steerway.catalog.service import connection
from steerway.translate import destination
from steerway.translate.client.capability import HEADER_MATCHES, Feature, Restriction
from steerway.translate.client.client import CURRENT, Client
from steerway.translate.client.library import Library
from steerway.translate.client.limit import Limit, merged, missing, restricted
from steerway.translate.client.metadata import CERTIFICATE_PROVIDER
from steerway.translate.destination import Destination, Find, Share
from steerway.translate.envoy import match as envoy_match
from steerway.translate.grpc import route

_ALGORITHMS: Mapping[Algorithm, Feature] = {
    Algorithm.LEAST_REQUEST: Feature.LEAST_REQUEST,
    Algorithm.RING_HASH: Feature.RING_HASH,
    Algorithm.WEIGHTED_ROUND_ROBIN: Feature.WEIGHTED_ROUND_ROBIN,
    Algorithm.PICK_FIRST: Feature.PICK_FIRST,
    Algorithm.RANDOM: Feature.RANDOM,
}
_UNAPPLIED: Mapping[Unapplied, Feature] = {
    Unapplied.SESSION_TYPE: Feature.SESSION_TYPE,
    Unapplied.IDLE_TIMEOUT: Feature.IDLE_TIMEOUT,
    Unapplied.ABSOLUTE_TIMEOUT: Feature.ABSOLUTE_TIMEOUT,
    Unapplied.BACKEND_FILTER: Feature.BACKEND_FILTER,
    Unapplied.BACKEND_PATH: Feature.BACKEND_PATH,
}


def stated(source: Table | Policy) -> list[str]:
    """What current clients do not support of a route or of a policy, for its owner: independent of connected clients.

    What makes a rule invalid is not included: the status has other conditions for that.
    """
    return merged(
        limit
        for client in CURRENT
        for limit in (_of_policy(source, client) if isinstance(source, Policy) else _of_table(source, client))
    )


def _of_table(table: Table, client: Client) -> Iterator[Limit]:
    for match, rule in table:
        if not rule.not_done:
            yield from _of_destination(Destination(match, (), rule.policy, rule), client)


def _of_policy(policy: Policy, client: Client) -> Iterator[Limit]:
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
    """About calls, by routes and policies. `pod`: of one pod, which routes do not concern."""
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
    limits = _sentences([*missing(client, Feature.ROUTE), *all_limits])
    return tuple(dict.fromkeys((*refused, *limits)))


def _refused(port: Port, envoy: bool) -> Iterator[str]:
    if reason := connection.refusal(port, envoy):
        yield f"{reason}: calls to port {port.label} fail"


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
    """About the choice among the endpoints of a port."""
    if service.external_name:
        # DNS gives one endpoint: there is nothing to choose.
        limits = [*missing(client, Feature.EXTERNAL_NAME), *_of_use(port.policy, client)]
        return _sentences(limits)
    # Envoys are refused the connection; see `connection.refusal`.
    secured = port.mtls.mode is not TlsMode.OFF and client.is_grpc
    tls = missing(client, Feature.SERVER_TLS) if secured else ()
    return _sentences([*tls, *_of_choice(port.policy, client)])


def of_bootstrap(port: Port) -> tuple[str, ...]:
    """About calls to a port of clients whose bootstrap has no certificate provider."""
    if port.mtls.mode is TlsMode.OFF:
        return ()
    return (
        f"the bootstrap of the client has no certificate provider {CERTIFICATE_PROVIDER!r}: connections are in"
        f" plaintext, which servers with TLS refuse ({port.mtls.origin})",
    )


def of_server(configuration: ServerConfiguration, client: Client) -> tuple[str, ...]:
    """About the authorization of calls at servers of a library."""
    rules = configuration.authorization
    enforced = (*rules.deny, *(rules.allow or ()))
    audited = (*rules.audit_deny, *(rules.audit_allow or ()))
    limits = [*missing(client, Feature.RBAC)] if rules.enforces else []
    if rules.audit_deny or rules.audit_allow is not None:
        limits += missing(client, Feature.AUDIT)
    identified = any(rule.principals is not None for rule in (*enforced, *audited))
    if configuration.tls is TlsMode.PERMISSIVE and identified:
        limits += restricted(client, Restriction.UNASKED_IDENTITY)
    return _sentences(limits)


def _sentences(limits: Iterable[Limit]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(str, limits)))


def _of_choice(policy: Policy, client: Client) -> Iterator[Limit]:
    """About balancing, and the use of endpoints."""
    chosen = () if policy.balancing is None else _balancing(policy.balancing)
    yield from missing(client, *chosen)
    yield from _of_use(policy, client)


def _of_use(policy: Policy, client: Client) -> Iterator[Limit]:
    wanted: dict[Feature, object] = {
        Feature.LIMITS: policy.maximum_requests,
        Feature.OUTLIER_DETECTION: policy.outlier_detection,
        Feature.HEALTH_CHECK: policy.health_check,
    }
    yield from missing(client, *_wanted(wanted))
    if policy.maximum_requests is not None and client.can(Feature.LIMITS):
        yield from restricted(client, Restriction.LIMITS_WITH_LOAD_REPORTS)


def _balancing(wanted: Balancing) -> Iterator[Feature]:
    if wanted.algorithm in _ALGORITHMS:
        yield _ALGORITHMS[wanted.algorithm]
    if wanted.slow_start is not None:
        yield Feature.SLOW_START


def _of_destination(target: Destination, client: Client) -> Iterator[Limit]:
    rule = target.rule
    where = "" if rule is None else f"{rule.where}: "
    if rule is not None and rule.hostnames:
        yield from (limit._replace(where=f"{rule.route}: ") for limit in missing(client, Feature.HOSTNAMES))
    yield from (limit._replace(where=where) for limit in _of_calls(target, client))


def _of_calls(target: Destination, client: Client) -> Iterator[Limit]:
    """Without the name of the rule."""
    unmatched = [*missing(client, *_matching(target.match))]
    if unmatched:
        yield from unmatched
        return
    rule = target.rule
    if rule is not None and rule.not_done:
        yield from missing(client, Feature.OTHER_FILTER, name=", ".join(rule.not_done))
        return
    if client.has(Restriction.REGEX_SIZE) and envoy_match.too_large(target.match, client.program_size):
        yield from restricted(client, Restriction.REGEX_SIZE, size=str(client.program_size))
        return
    if MatchType.REGEX in {target.match.match_type, *(header.match_type for header in target.match.headers)}:
        yield from restricted(client, Restriction.REGEX_LEAK)
    if rule is not None:
        yield from missing(client, *_changing(rule))
        for setting, value in rule.not_applied:
            yield from missing(client, _UNAPPLIED[setting], name=value)
    yield from missing(client, *_calling(target.policy))
    yield from _retrying(target.policy.retry, client)
    yield from _hashing(target.shares, client)
    if target.policy.timeout_seconds and client.can(Feature.TIMEOUT):
        yield from restricted(client, Restriction.EARLY_TIMEOUT)


def _matching(match: Match) -> Iterator[Feature]:
    if match.query or match.method not in ("", "POST"):
        yield Feature.HTTP_MATCH
    if any(header.name.endswith("-bin") for header in match.headers):
        yield Feature.BINARY_HEADER_MATCH
    for header in match.headers:
        if header.name in HEADER_MATCHES:
            yield HEADER_MATCHES[header.name]


def _changing(rule: Rule) -> Iterable[Feature]:
    changes = [rule.changes, *(backend.changes for backend in rule.backends)]
    return _wanted(
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
    return _wanted(
        {
            Feature.TIMEOUT: policy.timeout_seconds or None,
            Feature.RETRY: retry if retry and retry.codes else None,
            Feature.SESSION: session if session and not session.header else None,
            Feature.HEADER_SESSION: session if session and session.header else None,
            Feature.FAULT: policy.fault,
        }
    )


def _retrying(retry: Retry | None, client: Client) -> Iterator[Limit]:
    """About retries that only clients of HTTP support."""
    if retry is None:
        return
    unknown = [str(status) for status in retry.statuses if status not in STATUS_CODES]
    if unknown:
        yield from missing(client, Feature.STATUS_RETRY, statuses=", ".join(unknown))
    if retry.codes and retry.attempts > MOST_RETRIES:
        yield from missing(client, Feature.MANY_RETRIES)


def _hashing(shares: Iterable[Share], client: Client) -> Iterator[Limit]:
    """About the keys of rings, which are a part of routes."""
    policies = [share.policy.balancing for share in shares]
    keys = [
        key
        for policy in policies
        if policy and policy.algorithm is Algorithm.RING_HASH
        for key in policy.hash_on
    ]
    if any(key.source is HashSource.COOKIE for key in keys) and client.can(Feature.RING_HASH):
        used = " and ".join(map(_key, route.hash_keys(shares)))
        yield from missing(client, Feature.COOKIE_HASH, keys=used)
    for key in dict.fromkeys(keys):
        if key.source is HashSource.HEADER and key.name.endswith("-bin"):
            yield from missing(client, Feature.BINARY_HEADER_HASH, header=key.name)


def _key(key: HashKey) -> str:
    return f"the header {key.name}" if key.source is HashSource.HEADER else "the channel"


def _wanted(wanted: Mapping[Feature, object]) -> list[Feature]:
    return [feature for feature, value in wanted.items() if value is not None]
