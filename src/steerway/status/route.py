"""The status of a route, for each Service in the scope that it names as a parent.

A rule that cannot be served matches its requests all the same, and they fail, unless its match is of an unknown type.
So a route is refused as a whole only when none of its rules can be served.

Sources: Gateway API reference, RouteConditionType and RouteConditionReason; GEP-1294 for Services as parents.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from steerway.catalog.model.mesh import Port, ServiceId
from steerway.catalog.routing import rule as routing
from steerway.catalog.routing.attachment import Route, backend_of, backend_refs, parent_of
from steerway.catalog.service import connection
from steerway.sources.policy.gateway import GROUP, BackendRef, ParentRef
from steerway.status.condition import (
    ACCEPTED,
    PARTIALLY_INVALID,
    PROGRAMMED,
    RESOLVED_REFS,
    Condition,
    Ignored,
    Reference,
    TargetStatus,
    limited,
    listed,
)
from steerway.status.reference_resolver import ReferenceResolver, Unresolved

_INVALID = "Invalid"
_UNSUPPORTED = "UnsupportedValue"


class _Rule(NamedTuple):
    """One rule: its name, settings that no client supports, unresolved references, whether any request can be
    answered."""

    name: str
    unsupported: tuple[str, ...]
    unresolved: tuple[Unresolved, ...]
    answers: bool


def evaluate(route: Route, resolver: ReferenceResolver) -> tuple[TargetStatus, ...]:
    """One status for each parentRef that names a Service in the scope, in their order."""
    parents = {ref: id for ref, id in _parents(route) if not resolver.outside(id)}
    return _evaluate(route, parents, resolver)


def is_programmed(route: Route, resolver: ReferenceResolver) -> bool:
    """Whether it is in use for any Service that it names, in the scope or not."""
    return any(
        target_status.is_true(PROGRAMMED)
        for target_status in _evaluate(route, dict(_parents(route)), resolver)
    )


def ignored(route: Route, resolver: ReferenceResolver) -> Iterator[Ignored]:
    """The parentRefs without a status, with the reason, and a hint where that is a mistake."""
    for ref in dict.fromkeys(route.spec.parent_refs or ()):
        if (id := parent_of(route, ref)) is not None:
            if reason := resolver.outside(id):
                yield Ignored(f"Service {id} {reason}")
        elif (ref.group, ref.kind) == (GROUP, "Gateway"):
            yield Ignored(f"Gateway {ref.name} is for other controllers")
        elif ref.kind == "Service":
            message = f"parentRefs names Service {ref.name} of group {ref.group}, which has no such kind"
            yield Ignored(message, "write group: '' for a Service")
        else:
            kind = f"{ref.kind} of {ref.group}" if ref.group else ref.kind
            yield Ignored(
                f"parentRefs names {kind} {ref.name}, which is not a Service", "name a Service as parent"
            )


def _parents(route: Route) -> Iterator[tuple[ParentRef, ServiceId]]:
    for ref in route.spec.parent_refs or ():
        if (id := parent_of(route, ref)) is not None:
            yield ref, id


def _evaluate(
    route: Route, parents: Mapping[ParentRef, ServiceId], resolver: ReferenceResolver
) -> tuple[TargetStatus, ...]:
    if not parents:
        return ()
    rules: Sequence[Any] = route.spec.rules or ()
    reviewed = [_review(route, rule, index, resolver) for index, rule in enumerate(rules)]
    about_rules = [*_resolved(reviewed), *_partly_invalid(reviewed), *_limited(route, resolver)]
    target_statuses = []
    for ref, id in parents.items():
        accepted = _attached(route, ref, id, resolver)
        if accepted.status:
            accepted = _supported(reviewed) or accepted
        programmed = _programmed(accepted, reviewed)
        where = Reference(ref.group, ref.kind, ref.name, ref.namespace, ref.section_name, ref.port)
        target_statuses.append(TargetStatus(where, (accepted, programmed, *about_rules)))
    return tuple(target_statuses)


def _review(route: Route, rule: Any, index: int, resolver: ReferenceResolver) -> _Rule:
    unsupported = [
        f"filter {unknown_filter}" for unknown_filter in routing.unknown_filters(rule.filters or ())
    ]
    unsupported += [
        f"match type {unknown_type}"
        for match in rule.matches or ()
        for unknown_type in routing.unknown_types(match)
    ]
    unresolved = [resolver.unresolved(route, ref) for ref in backend_refs(rule)]
    for ref in rule.backend_refs or ():
        unresolved += [
            _unknown_filter(unknown_filter) for unknown_filter in routing.unknown_filters(ref.filters or ())
        ]
    answering = (
        ref.weight
        and resolver.unresolved(route, ref) is None
        and not routing.unknown_filters(ref.filters or ())
        and _connects(route, ref, resolver)
        for ref in rule.backend_refs or ()
    )
    redirects = any(route_filter.request_redirect is not None for route_filter in rule.filters or ())
    return _Rule(
        f"rule {rule.name or index}",
        tuple(unsupported),
        tuple(cause for cause in unresolved if cause is not None),
        not unsupported and (redirects or any(answering)),
    )


def _connects(route: Route, ref: BackendRef, resolver: ReferenceResolver) -> bool:
    """Whether clients of some kind connect to a backend."""
    port = resolver.port(route, ref)
    return port is None or not all(connection.refusal(port, envoy) for envoy in (False, True))


def _unknown_filter(name: str) -> Unresolved:
    return Unresolved(_UNSUPPORTED, f"filter {name} of a backend is not supported", "remove the filter")


def _attached(route: Route, ref: ParentRef, id: ServiceId, resolver: ReferenceResolver) -> Condition:
    """Whether the port exists, and the route is used on it."""
    service = resolver.local(id)
    if service is None:
        hint = "create that Service, or fix parentRefs"
        return _no_parent(f"Service {id} {resolver.why_unserved(id)}", hint)
    ports = [port for port in service.ports if routing.names_port(ref, port.number, port.name)]
    if not ports:
        wanted = ref.section_name or ref.port or "that routes can be for"
        named = (port.label for port in service.ports)
        message = f"Service {id} has no port {wanted}, its ports are: {', '.join(named) or 'none'}"
        return _no_parent(message, "fix parentRefs")
    if not service.is_for(route.metadata.namespace):
        message = f"Service {id} is not exported to {route.metadata.namespace}, the namespace of the route"
        return _no_parent(message, "export the Service, or move the route to its namespace")
    return _conflict(route, id, ports, resolver)


def _conflict(route: Route, id: ServiceId, ports: Sequence[Port], resolver: ReferenceResolver) -> Condition:
    """Whether the route is used on its ports beside those of the other kind."""
    rival_of_port = ((port.number, _rival(route, id, port, resolver)) for port in ports)
    rivals = {number: rival for number, rival in rival_of_port if rival is not None}
    if not rivals:
        return Condition(ACCEPTED, True, "Accepted")
    rival = next(iter(rivals.values()))
    numbers = ", ".join(map(str, rivals))
    message = (
        f"{rival.key} is for port {numbers} of Service {id}: no {route.key.kind} is used beside it there"
    )
    if len(rivals) < len(ports):
        return Condition(ACCEPTED, True, "Accepted", message)
    hint = f"write these rules as a {rival.key.kind}, or name another port in parentRefs"
    return Condition(ACCEPTED, False, "Conflicted", message, hint)


def _no_parent(message: str, hint: str) -> Condition:
    return Condition(ACCEPTED, False, "NoMatchingParent", message, hint)


def _rival(route: Route, id: ServiceId, port: Port, resolver: ReferenceResolver) -> Route | None:
    """A route of the same namespace that prevents the use of this one on a port."""
    routes = resolver.attachments.routes(resolver.get, id)
    space = route.metadata.namespace
    beside = [
        other_route
        for other_route in routes
        if other_route.metadata.namespace == space
        and routing.is_attached(other_route, id, port.number, port.name)
    ]
    used = routing.used(beside)
    return None if route in used else next(iter(used), None)


def _supported(rules: Sequence[_Rule]) -> Condition | None:
    """The refusal of a route of which no rule can be served."""
    if not rules or not all(rule.unsupported for rule in rules):
        return None
    return Condition(ACCEPTED, False, _UNSUPPORTED, _unsupported(rules), "remove it from the rule")


def _partly_invalid(rules: Sequence[_Rule]) -> list[Condition]:
    bad = [rule for rule in rules if rule.unsupported]
    if not bad or len(bad) == len(rules):
        return []
    # RouteConditionPartiallyInvalid: the message begins with these words.
    message = f"Dropped Rule: {_unsupported(bad)}"
    return [Condition(PARTIALLY_INVALID, True, _UNSUPPORTED, message, "remove it from the rule")]


def _unsupported(rules: Sequence[_Rule]) -> str:
    return listed(
        [f"{rule.name}: {setting} is not supported" for rule in rules for setting in rule.unsupported]
    )


def _resolved(rules: Sequence[_Rule]) -> list[Condition]:
    problems = [(rule, problem) for rule in rules for problem in rule.unresolved]
    if not problems:
        return [Condition(RESOLVED_REFS, True, "ResolvedRefs")]
    message = listed([f"{rule.name}: {problem.message}" for rule, problem in problems])
    hint = listed([problem.hint for _, problem in problems])
    return [Condition(RESOLVED_REFS, False, problems[0][1].reason, message, hint)]


def _programmed(accepted: Condition, rules: Sequence[_Rule]) -> Condition:
    if not accepted.status:
        return Condition(PROGRAMMED, False, _INVALID, "the route is not accepted")
    if not any(rule.answers for rule in rules):
        message = "no rule has a backend that is served: all requests fail"
        return Condition(PROGRAMMED, False, _INVALID, message, "add a backend to a rule")
    return Condition(PROGRAMMED, True, "Programmed")


def _limited(route: Route, resolver: ReferenceResolver) -> list[Condition]:
    own = f"{route.key} "
    stated = (limitation.removeprefix(own) for limitation in resolver.limits_of(route))
    return limited([*stated, *_unconnected(route, resolver)])


def _unconnected(route: Route, resolver: ReferenceResolver) -> Iterator[str]:
    """Backends to which clients of some kind do not connect."""
    rules: Sequence[Any] = route.spec.rules or ()
    for index, rule in enumerate(rules):
        for ref in backend_refs(rule):
            port = resolver.port(route, ref)
            clients, reason = ("", "") if port is None else connection.refusals(port)
            if clients:
                where = f"port {ref.port} of Service {backend_of(route, ref)}"
                yield f"rule {rule.name or index}: {clients} do not connect to {where}: {reason}"
