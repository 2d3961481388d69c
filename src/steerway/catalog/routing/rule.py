"""From the routes that are attached to a Service to the rules of its ports.

A route of the Service's own namespace is for all clients (producer route), one of another namespace for clients of that
namespace alone, where it stands instead of the producer's (consumer route). On one port GRPCRoutes come before
HTTPRoutes, which are not used beside them. Rules of several routes merge: the most specific match first, then the older
route, then the earlier rule.

A method match is one of paths, since gRPC's paths are `/SERVICE/METHOD`. Backends are not looked up here: one may exist
in another cluster, or later.

Sources: Gateway API reference, GRPCRouteRule.matches and HTTPRouteRule.matches (precedence); GEP-1294, GEP-1324.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.policy import NOTHING, Policy, Retry, Session
from steerway.catalog.model.route import (
    Backend,
    BackendPort,
    Changes,
    Entry,
    HeaderChange,
    Match,
    MatchType,
    Mirror,
    Redirect,
    Rewrite,
    Routing,
    Rule,
    Table,
    Unapplied,
    ValueMatch,
)
from steerway.catalog.routing.attachment import Route, backend_of, parent_of
from steerway.sources.policy import gateway as facts
from steerway.sources.policy.duration import seconds
from steerway.sources.policy.gateway import GRPCRoute

PolicyOf = Callable[[Route, str], Policy]
"""The policy of a rule, by its route and its name ("" for none), without the fields of the rule itself."""

_MATCH_TYPES = {
    "Exact": MatchType.EXACT,
    "RegularExpression": MatchType.REGEX,
    "PathPrefix": MatchType.PREFIX,
}
_VALUES = ("Exact", "RegularExpression")
_DEFAULT_MATCH = {"GRPCRoute": facts.GRPCMatch(), "HTTPRoute": facts.HTTPMatch()}
_DONE = frozenset(
    {"RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect", "URLRewrite"}
)
STATUS_CODES = {
    429: "resource-exhausted",
    500: "internal",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}
"""HTTP status codes after which to retry → gRPC's (GEP-1731; gRPC, "HTTP to gRPC Status Code Mapping")."""
_MOST_ATTEMPTS = 2**32 - 1
"""What Envoy's field takes. The Gateway API has no limit."""
_NOT_OF_BACKENDS = ("RequestMirror", "RequestRedirect")


def build(id: ServiceId, port: int, routes: Sequence[Route], policy_of: PolicyOf, name: str = "") -> Routing:
    """The rules of one port, by its number and its name. `routes` are those of the Service, in the order of
    `attachment.rank`."""
    attached = [route for route in routes if is_attached(route, id, port, name)]
    spaces: dict[str, list[Route]] = {}
    for route in attached:
        spaces.setdefault(route.metadata.namespace, []).append(route)
    tables = {
        namespace: _table(used(namespace_routes), policy_of) for namespace, namespace_routes in spaces.items()
    }
    return Routing(
        producer=tables.pop(id.namespace, None),
        consumers=tuple(sorted(tables.items(), key=lambda item: item[0])),
    )


def entries(route: Route) -> Table:
    """The rules of a route, independent of where it is attached."""
    return _table([route], lambda *_: NOTHING)


def is_attached(route: Route, id: ServiceId, port: int, name: str) -> bool:
    """Whether some parentRef of the route is this port of the Service."""
    return any(
        parent_of(route, ref) == id and names_port(ref, port, name) for ref in route.spec.parent_refs or ()
    )


def names_port(ref: facts.ParentRef, port: int, name: str) -> bool:
    """Whether a reference to a Service is one to this port of it (ParentReference: `sectionName` is a port's name)."""
    return ref.port in (None, port) and (not ref.section_name or ref.section_name == name)


def used(rivals: Sequence[Route]) -> list[Route]:
    """Of the routes of one port and namespace those that count: of one kind."""
    grpc: list[Route] = [route for route in rivals if isinstance(route, GRPCRoute)]
    return grpc or list(rivals)


def _table(routes: Iterable[Route], policy_of: PolicyOf) -> Table:
    rows = []
    for order, route in enumerate(routes):
        rules: Sequence[Any] = route.spec.rules or ()
        for index, rule in enumerate(rules):
            built = _rule(route, rule, index, policy_of)
            wanted = rule.matches or [_DEFAULT_MATCH[route.key.kind]]
            matches = [_match(route, rule_match) for rule_match in wanted if not unknown_types(rule_match)]
            rows += [(precedence(match), order, index, Entry(match, built)) for match in matches]
    rows.sort(key=lambda entry: entry[:3])
    return tuple(entry for *_, entry in rows)


def precedence(match: Match) -> tuple[int, ...]:
    """The lesser one is tried first: exact paths, then regular expressions, then prefixes, of each kind the longer
    ones; then a method, then more headers, then more query parameters. Matches of gRPC methods that are no exact path:
    more characters of the service, then of the method, then more headers."""
    if match.characters is not None:
        service, method = match.characters
        return 1, -service, -method, -len(match.headers), 0
    kind = {MatchType.EXACT: 0, MatchType.REGEX: 1, MatchType.PREFIX: 2}[match.match_type]
    return kind, -len(match.path), -bool(match.method), -len(match.headers), -len(match.query)


def unknown_types(match: Any) -> list[str]:
    """Types of a match that the Gateway API does not have, or not yet. Such a match is left
    out."""
    values = (*(match.headers or ()), *(getattr(match, "query_params", None) or ()))
    types: list[tuple[str, Sequence[str]]] = [(value.type, _VALUES) for value in values]
    if (method := getattr(match, "method", None)) is not None and not isinstance(method, str):
        types.append((method.type, _VALUES))
    if (path := getattr(match, "path", None)) is not None:
        types.append((path.type, tuple(_MATCH_TYPES)))
    return [kind for kind, known in types if kind not in known]


def _match(route: Route, match: Any) -> Match:
    headers = _values((header.name.lower(), header) for header in match.headers or ())
    if isinstance(route, GRPCRoute):
        match_type, path = _method(match.method)
        named = match_type is not MatchType.EXACT and path != "/"
        characters = (len(match.method.service or ""), len(match.method.method or "")) if named else None
        return Match(match_type, path, headers, characters=characters)
    wanted: facts.PathMatch = match.path or facts.PathMatch()
    return Match(
        _MATCH_TYPES.get(wanted.type, MatchType.PREFIX),
        wanted.value,
        headers,
        _values((query_param.name, query_param) for query_param in match.query_params or ()),
        match.method or "",
        elements=wanted.type == "PathPrefix",
    )


def _values(matches: Iterable[tuple[str, facts.HeaderMatch]]) -> tuple[ValueMatch, ...]:
    """Of several of one name the first counts (HTTPHeaderMatch.name, HTTPQueryParamMatch.name)."""
    first: dict[str, ValueMatch] = {}
    for name, value in matches:
        first.setdefault(name, ValueMatch(name, _MATCH_TYPES.get(value.type, MatchType.EXACT), value.value))
    return tuple(first.values())


def _method(method_match: facts.MethodMatch | None) -> tuple[MatchType, str]:
    """A gRPC method as a path."""
    if method_match is None or not (method_match.service or method_match.method):
        return MatchType.PREFIX, "/"
    if method_match.type != "RegularExpression":
        if method_match.service and method_match.method:
            return MatchType.EXACT, f"/{method_match.service}/{method_match.method}"
        if method_match.service:
            return MatchType.PREFIX, f"/{method_match.service}/"
        return MatchType.REGEX, f"/[^/]+/{re.escape(method_match.method or '')}"
    service = f"(?:{method_match.service})" if method_match.service else "[^/]+"
    method = f"(?:{method_match.method})" if method_match.method else "[^/]+"
    return MatchType.REGEX, f"/{service}/{method}"


def _rule(route: Route, rule: Any, index: int, policy_of: PolicyOf) -> Rule:
    filters = rule.filters or ()
    redirects = [
        route_filter.request_redirect for route_filter in filters if route_filter.request_redirect is not None
    ]
    where = f"{route.key} rule {rule.name or index}"
    timeouts = getattr(rule, "timeouts", None)
    attempt = timeouts.backend_request if timeouts is not None else None
    return Rule(
        where,
        tuple(_backend(route, ref) for ref in rule.backend_refs or ()),
        _changes(filters),
        tuple(_mirrors(route, filters)),
        _redirect(redirects[0]) if redirects else None,
        _own_policy(where, rule).merged_over(policy_of(route, rule.name or "")),
        not_done=unknown_filters(filters),
        hostnames=tuple(sorted(set(route.spec.hostnames or ()))),
        route=str(route.key),
        attempt_seconds=None if attempt is None else seconds(attempt),
        not_applied=tuple(_not_applied(rule)),
    )


def _not_applied(rule: Any) -> Iterator[tuple[Unapplied, str]]:
    session: facts.SessionPersistence | None = rule.session_persistence
    if session is not None and session.type not in ("Cookie", "Header"):
        yield Unapplied.SESSION_TYPE, session.type
    elif session is not None:
        if session.idle_timeout is not None:
            yield Unapplied.IDLE_TIMEOUT, ""
        if session.absolute_timeout is not None and not _is_permanent(session):
            yield Unapplied.ABSOLUTE_TIMEOUT, ""
    backends = [ref for ref in rule.backend_refs or () if ref.weight]
    for route_filter in (candidate for ref in backends for candidate in ref.filters or ()):
        if route_filter.type in _NOT_OF_BACKENDS:
            yield Unapplied.BACKEND_FILTER, route_filter.type
        if (
            len(backends) > 1
            and route_filter.url_rewrite is not None
            and route_filter.url_rewrite.path is not None
        ):
            yield Unapplied.BACKEND_PATH, ""


def unknown_filters(filters: Iterable[facts.Filter]) -> tuple[str, ...]:
    """Types of filters that no client of ours has."""
    return tuple(sorted({route_filter.type for route_filter in filters} - _DONE))


def _own_policy(where: str, rule: Any) -> Policy:
    """The sections of the rule's own fields: HTTPRoute's `timeouts` and `retry`, `sessionPersistence`."""
    timeouts, retry = getattr(rule, "timeouts", None), getattr(rule, "retry", None)
    request = timeouts.request if timeouts is not None else None
    session = rule.session_persistence
    return Policy.from_object(
        where,
        timeout_seconds=None if request is None else seconds(request),
        retry=None if retry is None else _retry(retry),
        session=None if session is None else _session(session, where),
    )


def _retry(retry: facts.Retry) -> Retry:
    """No attempts is a value, too: no retries, whatever other policies set."""
    statuses = tuple(retry.codes or (500, 502, 503, 504))
    codes = {STATUS_CODES[status] for status in statuses if status in STATUS_CODES}
    if 504 in statuses:
        codes.add("deadline-exceeded")
    attempts = min(max(1 if retry.attempts is None else retry.attempts, 0), _MOST_ATTEMPTS)
    if not attempts:
        return Retry((), 0)
    base = 0.025 if retry.backoff is None else max(seconds(retry.backoff), 0.001)
    return Retry(tuple(sorted(codes)), attempts, base, statuses=statuses)


def _session(persistence: facts.SessionPersistence, where: str) -> Session | None:
    name = persistence.session_name or re.sub(r"[^a-z0-9]+", "-", where.lower())
    if persistence.type == "Header":
        return Session("", header=name.lower())
    if persistence.type != "Cookie":
        return None
    ttl = (
        seconds(persistence.absolute_timeout)
        if _is_permanent(persistence) and persistence.absolute_timeout
        else None
    )
    return Session(name, "/", ttl)


def _is_permanent(persistence: facts.SessionPersistence) -> bool:
    """Whether its cookie outlives the client's session."""
    config = persistence.cookie_config
    return persistence.type == "Cookie" and config is not None and config.lifetime_type == "Permanent"


def _backend(route: Route, ref: facts.BackendRef) -> Backend:
    to = _port_of(route, ref)
    filters = ref.filters or ()
    return Backend(None if unknown_filters(filters) else to, ref.weight, _changes(filters))


def _port_of(route: Route, ref: facts.BackendRef) -> BackendPort | None:
    id = backend_of(route, ref)
    return None if id is None or ref.port is None else BackendPort(id, ref.port)


def _mirrors(route: Route, filters: Iterable[facts.Filter]) -> Iterator[Mirror]:
    for route_filter in filters:
        if (mirror := route_filter.request_mirror) is None or (
            to := _port_of(route, mirror.backend_ref)
        ) is None:
            continue
        share = 1.0
        if mirror.fraction is not None:
            share = mirror.fraction.numerator / max(1, mirror.fraction.denominator)
        elif mirror.percent is not None:
            share = mirror.percent / 100
        yield Mirror(to, min(max(share, 0.0), 1.0))


def _changes(filters: Iterable[facts.Filter]) -> Changes:
    request, response, rewrite = HeaderChange(), HeaderChange(), None
    for route_filter in filters:
        request = _more(request, route_filter.request_header_modifier)
        response = _more(response, route_filter.response_header_modifier)
        if route_filter.url_rewrite is not None:
            path = route_filter.url_rewrite.path
            rewrite = Rewrite(route_filter.url_rewrite.hostname, *_path(path))
    return Changes(request, response, rewrite)


def _more(before: HeaderChange, modifier: facts.HeaderModifier | None) -> HeaderChange:
    if modifier is None:
        return before
    return HeaderChange(
        before.set + tuple((header.name.lower(), header.value) for header in modifier.set or ()),
        before.add + tuple((header.name.lower(), header.value) for header in modifier.add or ()),
        before.remove + tuple(name.lower() for name in modifier.remove or ()),
    )


def _redirect(redirect: facts.Redirect) -> Redirect:
    return Redirect(
        redirect.scheme, redirect.hostname, redirect.port, *_path(redirect.path), redirect.status_code
    )


def _path(modifier: facts.PathModifier | None) -> tuple[str | None, str | None]:
    """A new path, and a new prefix."""
    if modifier is None:
        return None, None
    return modifier.replace_full_path, modifier.replace_prefix_match
