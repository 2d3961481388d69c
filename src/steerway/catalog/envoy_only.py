"""What of a route or policy no gRPC client does, whatever its language and version; and what no client at all does.

Its owner is to hear of it where he looks, on the object. What single clients cannot do depends on who is connected, and
is said of them (`translate.limitation`).
"""

from collections.abc import Iterator
from typing import Any

from steerway.catalog.attachment import Route
from steerway.sources.gateway import HTTPMatch, SessionPersistence
from steerway.sources.traffic_policy import TrafficPolicy

_PASSED_OVER = ("RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "URLRewrite")
_MOST_RETRIES = 4
"""gRFC A44: five attempts in all."""


def of_route(route: Route) -> list[str]:
    """Sentences about the rules, each with the rule's name or number."""
    rules: Any = route.spec.rules or ()
    found = [
        f"rule {rule.name or index}: {said}" for index, rule in enumerate(rules) for said in _of_rule(rule)
    ]
    if route.spec.hostnames:
        found.append("hostnames are for Envoy only")
    return found


def of_policy(policy: TrafficPolicy) -> list[str]:
    """Sentences about the sections."""
    spec = policy.spec
    found = []
    if (balancing := spec.balancing) is not None:
        if balancing.policy == "Random":
            found.append("balancing Random is for Envoy only, gRPC clients take turns")
        if balancing.slow_start is not None:
            found.append("slowStart is for Envoy only")
        keys = balancing.ring_hash.hash_on if balancing.ring_hash is not None else None
        if any(key.cookie is not None for key in keys or ()):
            found.append("hashing a cookie is for Envoy only")
    if spec.health_check is not None:
        found.append("healthCheck is for Envoy only")
    return found


def _of_rule(rule: Any) -> Iterator[str]:
    for each in rule.filters or ():
        if each.type in _PASSED_OVER:
            yield f"{each.type} is for Envoy only"
        elif each.type == "RequestRedirect":
            yield "RequestRedirect is for Envoy only, calls of gRPC clients fail"
    for ref in rule.backend_refs or ():
        yield from (f"{each.type} of a backend is for Envoy only" for each in ref.filters or ())
    for match in rule.matches or ():
        yield from _of_match(match)
    if (timeouts := getattr(rule, "timeouts", None)) is not None and timeouts.backend_request is not None:
        yield "timeouts.backendRequest is not done, timeouts.request is"
    if (retry := getattr(rule, "retry", None)) is not None and (retry.attempts or 0) > _MOST_RETRIES:
        yield f"a call is tried again {_MOST_RETRIES} times at the most"
    if rule.session_persistence is not None:
        yield from _of_session(rule.session_persistence)


def _of_match(match: Any) -> Iterator[str]:
    for header in match.headers or ():
        if header.name.lower().endswith("-bin"):
            yield f"the binary header {header.name} is matched by Envoy only"
    if isinstance(match, HTTPMatch):
        if match.query_params:
            yield "queryParams are for Envoy only, a gRPC call has none"
        if match.method not in (None, "POST"):
            yield f"method {match.method} is for Envoy only, a gRPC call is a POST"


def _of_session(session: SessionPersistence) -> Iterator[str]:
    if session.type != "Cookie":
        yield f"sessionPersistence by {session.type} is not done, by Cookie it is"
    elif session.idle_timeout is not None:
        yield "sessionPersistence.idleTimeout is not done"
