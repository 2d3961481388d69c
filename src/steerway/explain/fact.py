"""A service and the objects that are attached to it, as plain values."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from steerway.catalog.model.mesh import EndpointState, Port, Service
from steerway.catalog.model.route import Entry, Match, MatchType, Rule, Table, ValueMatch
from steerway.catalog.service import connection
from steerway.catalog.service.metadata import ServiceMetadata
from steerway.explain import wording
from steerway.translate import destination
from steerway.translate.destination import Find


def of(
    service: Service, port: Port, metadata: ServiceMetadata, namespace: str, find: Find, envoy: bool = False
) -> dict[str, Any]:
    """Facts of a service, those about endpoints of one port. `namespace`: of the clients in question, by which, and by
    whether they are Envoys, it is decided whether a backend is one for them."""
    exported = service.exported_to
    return {
        "slices": metadata.slices,
        "endpoints": _endpoints(port),
        "why_no_endpoint": [*_why_no_endpoint(service, port, metadata)],
        "external_name": service.external_name or None,
        "private": service.private,
        "exported_to": None if exported is None else sorted({service.id.namespace, *exported}),
        "traffic_distribution": service.distribution or None,
        "local_only": service.local_only,
        "annotations": dict(metadata.annotations),
        "protocol": {
            "name": None if port.protocol.protocol is None else port.protocol.protocol.value,
            "stated_by": port.protocol.origin or None,
            "note": connection.note(port) or None,
        },
        "backend_tls": None
        if port.tls is None
        else {
            "policy": port.tls.origin,
            "hostname": port.tls.hostname,
            "fault": port.tls.fault or None,
        },
        "rules": [*_rules(service, port, namespace, find, envoy)],
    }


def _why_no_endpoint(service: Service, port: Port, metadata: ServiceMetadata) -> tuple[str, ...]:
    if service.external_name or port.has_healthy:
        return ()
    return metadata.missing.get(port.number, ())


def _endpoints(port: Port) -> list[dict[str, Any]]:
    """How many of each state, by zone."""
    zones: dict[tuple[str, str], Counter[EndpointState]] = {}
    for endpoint in port.endpoints:
        locality = endpoint.locality.region, endpoint.locality.zone
        zones.setdefault(locality, Counter())[endpoint.state] += 1
    return [
        {"region": region, "zone": zone, **{state.value: states[state] for state in EndpointState}}
        for (region, zone), states in sorted(zones.items())
    ]


def _rules(service: Service, port: Port, namespace: str, find: Find, envoy: bool) -> Iterator[dict[str, Any]]:
    """In the order in which they are tried; `in_use`: whether they apply to the clients in question. Their policy
    includes the sections of their backends about calls then."""
    routing = port.routing
    used = routing.table(namespace)
    # The names of clusters, of which the domain is a part, do not matter here.
    resolved = iter(
        destination.resolve(service, port, namespace, find, "", envoy) if used is not None else ()
    )
    tables: list[tuple[str, str, Table]] = [("consumer", name, table) for name, table in routing.consumers]
    if routing.producer is not None:
        tables.insert(0, ("producer", service.id.namespace, routing.producer))
    for kind, origin, table in tables:
        for entry in table:
            policy = next(resolved).policy if table is used else entry.rule.policy
            yield {
                "rule": entry.rule.where,
                "kind": kind,
                "namespace": origin,
                "in_use": table is used,
                **_entry(entry, namespace, find, envoy),
                "policy": wording.spoken(policy),
            }


def _entry(entry: Entry, namespace: str, find: Find, envoy: bool) -> dict[str, Any]:
    return {
        "match": match(entry.match),
        "backends": [
            {
                "port": None if backend.to is None else str(backend.to),
                "weight": backend.weight,
                "served": backend.to is not None and destination.connects(backend.to, namespace, find, envoy),
            }
            for backend in entry.rule.backends
        ],
        "actions": [*actions(entry.rule)],
    }


def actions(rule: Rule) -> Iterator[str]:
    """What a rule does to the requests that match."""
    changes = [rule.changes, *(backend.changes for backend in rule.backends)]
    if any(change.request for change in changes):
        yield "changes headers of requests"
    if any(change.response for change in changes):
        yield "changes headers of responses"
    if any(change.rewrite for change in changes):
        yield "rewrites the URL"
    yield from (f"mirrors {mirror.share:.0%} to {mirror.to}" for mirror in rule.mirrors)
    if rule.redirect is not None:
        yield f"redirects with {rule.redirect.status}"
    if rule.attempt_seconds:
        yield f"ends each attempt after {wording.time(rule.attempt_seconds)}"
    yield from (f"has a filter {name} that no client supports: calls fail" for name in rule.not_done)


def match(criteria: Match) -> str:
    """`exact /a/b with header x=1`."""
    path = criteria.path or "/"
    if criteria.match_type is MatchType.PREFIX and path == "/":
        words = "any path"
    else:
        words = (
            f"path {path}"
            if criteria.match_type is MatchType.EXACT
            else f"{criteria.match_type.value} {path}"
        )
    if criteria.method:
        words += f" by {criteria.method}"
    for kind, values in (("header", criteria.headers), ("query", criteria.query)):
        words += "".join(f" with {kind} {_value(value)}" for value in values)
    return words


def _value(value: ValueMatch) -> str:
    return f"{value.name}{'~' if value.match_type is MatchType.REGEX else '='}{value.value}"
