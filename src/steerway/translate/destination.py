"""Where requests of a service port end, for clients of one namespace: its routes with every backend looked up.

A backend that does not exist, or is not exported to these clients, gets nothing: its share of the requests fails,
as the Gateway API wants it. It must not be named, for one name without a resource holds up every call of a gRPC
channel for 15 seconds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from steerway.catalog.model.mesh import Port, Service, ServiceId
from steerway.catalog.model.policy import NOTHING, SECTIONS, Policy
from steerway.catalog.model.route import UNCHANGED, Backend, BackendPort, Changes, Match, Rule
from steerway.catalog.service.connection import refusal
from steerway.translate.resource_name import Target

Find = Callable[[ServiceId], Service | None]

BLACKHOLE = "steerway.blackhole"
"""The cluster of requests that are to fail: it has no endpoints, so they fail at once with UNAVAILABLE."""
_TLS = "tls/"
_OF_CALLS = ("timeout_seconds", "retry", "session", "fault")
"""Sections about calls, which are the caller's part and may be set on a backend for all its callers."""


@dataclass(frozen=True, slots=True)
class Share:
    """A cluster and its part of the requests. `policy` is the backend's."""

    cluster: str
    weight: int
    policy: Policy = NOTHING
    changes: Changes = UNCHANGED


@dataclass(frozen=True, slots=True)
class Destination:
    """One match, where its requests go, and their policy. `rule` None: the port's own endpoints."""

    match: Match
    shares: tuple[Share, ...]
    policy: Policy
    rule: Rule | None = None
    mirrors: tuple[tuple[str, float], ...] = ()


class Sensitivity(NamedTuple):
    """What the destinations of a port depend on. `services`: besides its own."""

    services: frozenset[ServiceId]
    namespace: bool
    """Whether they may differ between the namespaces of clients."""
    timeout: bool
    """Whether any call may have a timeout."""


def resolve(
    service: Service, port: Port, namespace: str, find: Find, domain: str, envoy: bool = False
) -> list[Destination]:
    """All destinations of a port, in the order in which they are tried, for gRPC clients or, `envoy`, for Envoys."""
    table = port.routing.table(namespace)
    if table is None:
        cluster = canonical(BackendPort(service.id, port.number), domain)
        return [own(cluster, port, envoy)]
    seen = _WildcardMember(namespace, find, domain, envoy)
    return [_resolve(match, rule, port, seen) for match, rule in table]


def own(cluster: str, port: Port, envoy: bool = False) -> Destination:
    """Where all requests of a port without a route go: `cluster`, unless nothing may connect to its endpoints."""
    name = BLACKHOLE if refusal(port, envoy) else secured(cluster, port, envoy)
    share = Share(name, 1, port.policy)
    return Destination(Match(), (share,), port.policy)


def spare(port: Port, namespace: str, find: Find, domain: str) -> list[str]:
    """The clusters of backends that get nothing yet: a weight of 0 is the word that they are to come."""
    table = port.routing.table(namespace) or ()
    named = {backend.to for _, rule in table for backend in rule.backends if not backend.weight} - {None}
    seen = _WildcardMember(namespace, find, domain)
    return sorted(canonical(to, domain) for to in named if to and seen.of(to) is not None)


def with_spare(
    service: Service, port: Port, namespace: str, find: Find, domain: str
) -> tuple[list[Destination], list[str]]:
    """All destinations of a port for gRPC clients, and its spare clusters."""
    return resolve(service, port, namespace, find, domain), spare(port, namespace, find, domain)


def sensitivity_of(port: Port, find: Find, pod: str = "") -> Sensitivity:
    """What the destinations of a port depend on, for gRPC clients; of one pod of it, its own policy alone."""
    services = frozenset(dependencies(port)) if not pod else frozenset()
    backends = [backend for backend in map(find, services) if backend is not None]
    exports_differ = any(backend.exported_to is not None or backend.private for backend in backends)
    policies = [port.policy, *(rule.policy for table in port.routing.tables for _, rule in table)]
    policies += [exposed.policy for backend in backends for exposed in backend.ports]
    timeout = any(policy.timeout_seconds for policy in policies)
    consumers = bool(port.routing.consumers) and not pod
    return Sensitivity(services, consumers or exports_differ, timeout)


def all_dependencies(services: Sequence[Service]) -> frozenset[ServiceId]:
    """The services, and all that destinations of their ports depend on."""
    backends = {id for service in services for port in service.ports for id in dependencies(port)}
    return frozenset(service.id for service in services) | backends


def dependencies(port: Port) -> Iterator[ServiceId]:
    """The services that the destinations of a port depend on, besides its own."""
    for table in port.routing.tables:
        for _, rule in table:
            yield from (backend.to.service for backend in rule.backends if backend.to is not None)
            yield from (mirror.to.service for mirror in rule.mirrors)


def secured(cluster: str, port: Port, envoy: bool) -> str:
    """The name of a cluster by the connections of it: that with TLS is another one, so that what Envoys keep of the one
    in plaintext is not used."""
    return _TLS + cluster if envoy and port.tls is not None else cluster


def either(cluster: str) -> tuple[str, str]:
    """Both names of a cluster."""
    return cluster, _TLS + cluster


def plaintext(cluster: str) -> str:
    """The name as it would be without TLS."""
    return cluster.removeprefix(_TLS)


def canonical(to: BackendPort, domain: str) -> str:
    """The cluster of a service port."""
    return Target(to.service).canonical(to.port, domain)


def visible(to: BackendPort, namespace: str, find: Find) -> tuple[Service, Port] | None:
    """A backend, if it is exported to clients of the namespace."""
    service = find(to.service)
    if service is None or not service.backs(namespace):
        return None
    port = service.port(to.port)
    return None if port is None else (service, port)


class _WildcardMember(NamedTuple):
    """Which backends clients of a namespace and kind may connect to."""

    namespace: str
    find: Find
    domain: str
    envoy: bool = False

    def of(self, to: BackendPort) -> Port | None:
        service_port = visible(to, self.namespace, self.find)
        return None if service_port is None or refusal(service_port[1], self.envoy) else service_port[1]

    def cluster(self, to: BackendPort, port: Port) -> str:
        return secured(canonical(to, self.domain), port, self.envoy)


def connects(to: BackendPort, namespace: str, find: Find, envoy: bool) -> bool:
    """Whether a backend is exported to clients of the namespace, and they may connect to it."""
    return _WildcardMember(namespace, find, "", envoy).of(to) is not None


def _resolve(match: Match, rule: Rule, port: Port, seen: _WildcardMember) -> Destination:
    shares = [_share(backend, seen) for backend in rule.backends if backend.weight]
    if rule.not_done or not shares:
        shares = [Share(BLACKHOLE, 1)]
    policy = rule.policy.merged_over(_calls(port.policy)).merged_over(
        _common([share.policy for share in shares if share.cluster != BLACKHOLE])
    )
    mirrors = tuple(
        (seen.cluster(mirror.to, to), mirror.share)
        for mirror in rule.mirrors
        if mirror.share and (to := seen.of(mirror.to)) is not None
    )
    return Destination(match, tuple(shares), policy, rule, mirrors)


def _share(backend: Backend, seen: _WildcardMember) -> Share:
    port = None if backend.to is None else seen.of(backend.to)
    if backend.to is None or port is None:
        return Share(BLACKHOLE, backend.weight)
    return Share(seen.cluster(backend.to, port), backend.weight, port.policy, backend.changes)


def _calls(policy: Policy) -> Policy:
    """Of a policy the sections about calls."""
    others = {name: None for name in SECTIONS if name not in _OF_CALLS}
    sources = tuple(entry for entry in policy.sources if entry[0] in _OF_CALLS)
    return replace(policy, **others, sources=sources) if sources else NOTHING


def _common(policies: list[Policy]) -> Policy:
    """What the policies of all backends of a rule set alike for calls. A backend that does not exist sets nothing."""
    if not policies:
        return NOTHING
    first, *others = map(_calls, policies)
    alike = {
        name for name in _OF_CALLS if all(getattr(other, name) == getattr(first, name) for other in others)
    }
    values = {name: getattr(first, name) if name in alike else None for name in _OF_CALLS}
    sources = tuple(entry for entry in first.sources if entry[0] in alike)
    return Policy(**values, sources=sources) if sources else NOTHING
