"""Attachments: routes to Services, policies to Services and routes, and their references.

An index of keys over the objects of the store, kept up by what changed. Rivals are ranked by the Gateway API's rule:
the older one comes first, then the one whose namespace and name come first in the alphabet.

What an attachment means is in `routing` and `traffic`, whether it is accepted in `status`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, get_args

from steerway.catalog.model.identity import ServiceId
from steerway.sources.objects.core import ANY_PORT, Attached, Object, ObjectKey
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.gateway import (
    BackendRef,
    BackendTLSPolicy,
    GRPCRoute,
    GRPCRule,
    HTTPRoute,
    HTTPRule,
    ParentRef,
    ReferenceGrant,
)
from steerway.sources.policy.server_policy import ServerPolicy
from steerway.sources.policy.traffic_policy import ROUTE_KINDS, TrafficPolicy

Get = Callable[[ObjectKey], Object | None]
Route = GRPCRoute | HTTPRoute
Policy = TrafficPolicy | BackendTLSPolicy | ServerPolicy | AuthorizationPolicy
_POLICIES = frozenset(kind.__name__ for kind in get_args(Policy))
KINDS = frozenset({*ROUTE_KINDS, *_POLICIES, "ReferenceGrant"})
"""Kinds that are attached to something and that steerway acts on."""


class PortName(NamedTuple):
    """Ports of a Service as a route names them: by number, by name, or (None and "") all."""

    number: int | None = None
    name: str = ""

    def names(self, number: int, name: str) -> bool:
        return (number == ANY_PORT or self.number in (None, number)) and self.name in ("", name)


def rank(obj: Attached) -> tuple[str, str, str, str]:
    """The order of rivals (Gateway API, "Conflicts"). An object without a time of creation, from a file, is older."""
    meta = obj.metadata
    return meta.creation_timestamp, meta.namespace, meta.name, obj.key.kind


def is_service(group: str, kind: str) -> bool:
    """Whether a reference names a Service. The core group is written `""`, and `core` by habit."""
    return kind == "Service" and group in ("", "core")


def parent_of(route: Route, ref: ParentRef) -> ServiceId | None:
    """The Service that a route is attached to by `ref`; None when it is something else."""
    if not is_service(ref.group, ref.kind):
        return None
    return ServiceId(ref.namespace or route.metadata.namespace, ref.name)


def backend_of(route: Route, ref: BackendRef) -> ServiceId | None:
    """The Service that gets requests by `ref`; None when it is something else."""
    if not is_service(ref.group, ref.kind):
        return None
    return ServiceId(ref.namespace or route.metadata.namespace, ref.name)


def backend_refs(rule: GRPCRule | HTTPRule) -> Iterator[BackendRef]:
    """Every backend that a rule names, those of mirrors too."""
    for ref in rule.backend_refs or ():
        yield ref
        yield from (
            route_filter.request_mirror.backend_ref
            for route_filter in ref.filters or ()
            if route_filter.request_mirror
        )
    yield from (
        route_filter.request_mirror.backend_ref
        for route_filter in rule.filters or ()
        if route_filter.request_mirror
    )


class Attachments:
    """The index; see the module's docstring."""

    def __init__(self) -> None:
        self._routes: defaultdict[ServiceId, set[ObjectKey]] = defaultdict(set)
        self._policies: defaultdict[ObjectKey, set[ObjectKey]] = defaultdict(set)
        self._grants: defaultdict[str, set[ObjectKey]] = defaultdict(set)
        self._of_servers: defaultdict[str, set[ObjectKey]] = defaultdict(set)
        self._referrers: defaultdict[ServiceId, set[ObjectKey]] = defaultdict(set)
        self._parents: dict[ObjectKey, frozenset[ServiceId]] = {}
        self._targets: dict[ObjectKey, frozenset[ObjectKey]] = {}
        self._backends: dict[ObjectKey, frozenset[ServiceId]] = {}
        self._named: dict[ObjectKey, frozenset[ServiceId]] = {}
        self._ports: dict[ObjectKey, frozenset[tuple[ServiceId, PortName]]] = {}
        self._kinds: defaultdict[ServiceId, Counter[tuple[PortName, str]]] = defaultdict(Counter)
        self._unevaluated: set[ObjectKey] = set()

    def update(self, get: Get, key: ObjectKey, known: Callable[[str], Iterable[ServiceId]]) -> set[ServiceId]:
        """Take in a changed object; returns the services that it concerns, before and after.

        `known`: the services of a namespace.
        """
        touched = self.concerns(get, key, known)
        ports = self._ports.get(key, frozenset())
        self.note_services(touched)
        self._note_rivals(key)
        self._forget(key)
        obj = get(key)
        if isinstance(obj, GRPCRoute | HTTPRoute):
            self._take_route(key, obj)
        elif isinstance(obj, Policy):
            self._take_policy(key, obj)
        elif isinstance(obj, ReferenceGrant):
            self._grants[key.namespace].add(key)
        self._unevaluated.add(key)
        self._note_rivals(key)
        # The protocol of a backend may depend on the routes that name it; one that is named as before does not change.
        return touched | {id for id, _ in ports ^ self._ports.get(key, frozenset())}

    def concerns(
        self, get: Get, key: ObjectKey, known: Callable[[str], Iterable[ServiceId]]
    ) -> set[ServiceId]:
        """The services that an object concerns: by the index, and as it is now."""
        obj = get(key)
        if key.kind == "ReferenceGrant":
            return set(known(key.namespace))
        if key.kind == "AuthorizationPolicy":
            return set()  # it is about servers, and changes nothing for clients
        if key.kind in _POLICIES:
            targets = set(self._targets.get(key, ()))
            if isinstance(obj, Policy):
                targets |= _targets(obj)
            return {id for target in targets for id in self._services_of(get, target, known)}
        parents = set(self._parents.get(key, ()))
        if isinstance(obj, GRPCRoute | HTTPRoute):
            parents |= _parents(obj)
        return parents

    def references(self, get: Get, key: ObjectKey) -> set[ServiceId]:
        """The services that a route names as backends, by the index and as it is now; for a Service, those that the
        routes attached to it name. A route's parents are not among them, unless they are backends too."""
        if key.kind == "Service":
            routes = self._routes.get(ServiceId(key.namespace, key.name), ())
            return {id for route in routes for id in self._backends.get(route, ())}
        named = set(self._backends.get(key, ()))
        route = get(key)
        if isinstance(route, GRPCRoute | HTTPRoute):
            named |= _backends(route)
        return named

    def note_services(self, ids: Iterable[ServiceId]) -> None:
        """Services came, went or are others: their referrers must be evaluated again."""
        for id in ids:
            self._unevaluated |= self._referrers.get(id, set())

    def note_namespace(self, name: str) -> None:
        """A Namespace is another one: referrers to Services in it, also to missing ones, must be evaluated again."""
        self.note_services([id for id in self._referrers if id.namespace == name])

    def beside(self, ids: Iterable[ServiceId]) -> set[ServiceId]:
        """The services that routes attached to these name, as backends or as further parents."""
        return {named for id in ids for key in self._routes.get(id, ()) for named in self._named[key]}

    def parents_beside(self, id: ServiceId) -> set[ServiceId]:
        """The services that routes which name this one are attached to."""
        return {parent for key in self._referrers.get(id, ()) for parent in self._parents.get(key, ())}

    def parents(self, key: ObjectKey) -> frozenset[ServiceId]:
        """The services that a route is attached to."""
        return self._parents.get(key, frozenset())

    def routes(self, get: Get, id: ServiceId) -> list[Route]:
        """The routes that name a service as a parent, in their order."""
        objects = (get(key) for key in self._routes.get(id, ()))
        return sorted((route for route in objects if isinstance(route, GRPCRoute | HTTPRoute)), key=rank)

    def policies(self, get: Get, target: ObjectKey) -> list[TrafficPolicy]:
        """The policies that target an object, in their order."""
        objects = (get(key) for key in self._policies.get(target, ()))
        return sorted((policy for policy in objects if isinstance(policy, TrafficPolicy)), key=rank)

    def tls_policies(self, get: Get, service: ObjectKey) -> list[BackendTLSPolicy]:
        """The BackendTLSPolicies that target a Service, in their order."""
        objects = (get(key) for key in self._policies.get(service, ()))
        return sorted((policy for policy in objects if isinstance(policy, BackendTLSPolicy)), key=rank)

    def server_policies(self, get: Get, namespace: str) -> list[ServerPolicy]:
        """The ServerPolicies of a namespace, in their order."""
        objects = (get(key) for key in self._of_servers.get(namespace, ()))
        return sorted((policy for policy in objects if isinstance(policy, ServerPolicy)), key=rank)

    def authorization_policies(self, get: Get, namespace: str) -> list[AuthorizationPolicy]:
        """The AuthorizationPolicies of a namespace, in their order."""
        objects = (get(key) for key in self._of_servers.get(namespace, ()))
        return sorted((policy for policy in objects if isinstance(policy, AuthorizationPolicy)), key=rank)

    def granted(self, get: Get, id: ServiceId) -> frozenset[str]:
        """The namespaces whose routes may refer to a service, by ReferenceGrants of its namespace."""
        return frozenset(
            origin.namespace
            for key in self._grants.get(id.namespace, ())
            if isinstance(grant := get(key), ReferenceGrant)
            for to in grant.spec.to or ()
            if is_service(to.group, to.kind) and to.name in (None, "", id.name)
            for origin in grant.spec.from_ or ()
            if origin.kind in ROUTE_KINDS
        )

    def is_named(self, id: ServiceId) -> bool:
        """Whether a route of its own namespace names a service, as a parent or backend."""
        return id in self._kinds

    def kinds_naming(self, id: ServiceId, port: int, name: str) -> frozenset[str]:
        """The kinds of the routes of a service's own namespace that name a port of it, as a parent or backend. Those of
        other namespaces must not change what all clients of the service get."""
        return frozenset(kind for ref, kind in self._kinds.get(id, ()) if ref.names(port, name))

    def take_unevaluated(self) -> set[ObjectKey]:
        """The attached objects whose status may have changed since the last call, including deleted ones."""
        taken, self._unevaluated = self._unevaluated, set()
        # What becomes of a policy on a route depends on what becomes of the route.
        return taken.union(*(self._policies.get(key, ()) for key in taken))

    def _note_rivals(self, key: ObjectKey) -> None:
        """Policies on one target are evaluated together."""
        for target in self._targets.get(key, ()):
            self._unevaluated |= self._policies.get(target, set())

    def _services_of(
        self, get: Get, target: ObjectKey, known: Callable[[str], Iterable[ServiceId]]
    ) -> Iterable[ServiceId]:
        if target.kind == "Service":
            return (ServiceId(target.namespace, target.name),)
        if target.kind == "Namespace":
            return known(target.name)
        route = get(target)
        parents = _parents(route) if isinstance(route, GRPCRoute | HTTPRoute) else frozenset()
        return parents | self._parents.get(target, frozenset())

    def _take_route(self, key: ObjectKey, route: Route) -> None:
        self._parents[key] = parents = _parents(route)
        for id in parents:
            self._routes[id].add(key)
        self._backends[key] = backends = _backends(route)
        self._name(key, parents | backends)
        self._ports[key] = ports = _ports_of(route)
        for id, ref in ports:
            self._kinds[id][ref, key.kind] += 1

    def _take_policy(self, key: ObjectKey, policy: Policy) -> None:
        if isinstance(policy, ServerPolicy | AuthorizationPolicy):
            self._of_servers[key.namespace].add(key)
        self._targets[key] = targets = _targets(policy)
        for target in targets:
            self._policies[target].add(key)
        self._name(key, frozenset(ServiceId(*target[1:]) for target in targets if target.kind == "Service"))

    def _name(self, key: ObjectKey, services: frozenset[ServiceId]) -> None:
        self._named[key] = services
        for id in services:
            self._referrers[id].add(key)

    def _forget(self, key: ObjectKey) -> None:
        for id in self._parents.pop(key, ()):
            _discard(self._routes, id, key)
        self._backends.pop(key, None)
        for target in self._targets.pop(key, ()):
            _discard(self._policies, target, key)
        for id in self._named.pop(key, ()):
            _discard(self._referrers, id, key)
        for id, ref in self._ports.pop(key, ()):
            kinds = self._kinds[id]
            kinds[ref, key.kind] -= 1
            if not kinds[ref, key.kind]:
                del kinds[ref, key.kind]
            if not kinds:
                del self._kinds[id]
        if key.kind == "ReferenceGrant":
            _discard(self._grants, key.namespace, key)
        _discard(self._of_servers, key.namespace, key)


def _discard(index: "defaultdict[Any, set[ObjectKey]]", at: object, key: ObjectKey) -> None:
    keys = index[at]
    keys.discard(key)
    if not keys:
        del index[at]


def _parents(route: Route) -> frozenset[ServiceId]:
    parents = (parent_of(route, ref) for ref in route.spec.parent_refs or ())
    return frozenset(id for id in parents if id is not None)


def _backends(route: Route) -> frozenset[ServiceId]:
    rules: Sequence[GRPCRule | HTTPRule] = route.spec.rules or ()
    named = (backend_of(route, ref) for rule in rules for ref in backend_refs(rule))
    return frozenset(id for id in named if id is not None)


def _ports_of(route: Route) -> frozenset[tuple[ServiceId, PortName]]:
    """The ports of Services of its own namespace that a route names, as parents and as backends."""
    rules: Sequence[GRPCRule | HTTPRule] = route.spec.rules or ()
    ports = [
        (parent_of(route, ref), PortName(ref.port, ref.section_name or ""))
        for ref in route.spec.parent_refs or ()
    ]
    backends = (ref for rule in rules for ref in backend_refs(rule) if ref.port is not None)
    ports += [(backend_of(route, ref), PortName(ref.port)) for ref in backends]
    space = route.metadata.namespace
    return frozenset((id, port) for id, port in ports if id is not None and id.namespace == space)


def _targets(policy: Policy) -> frozenset[ObjectKey]:
    """A BackendTLSPolicy is for Services alone, and others may be named in it. A policy of servers without targets is
    for its namespace."""
    namespace = policy.metadata.namespace
    if isinstance(policy, ServerPolicy | AuthorizationPolicy) and policy.spec.target_refs is None:
        return frozenset({ObjectKey("Namespace", "", namespace)})
    return frozenset(
        ObjectKey(ref.kind, namespace, ref.name)
        for ref in policy.spec.target_refs or ()
        if not isinstance(policy, BackendTLSPolicy) or (ref.group, ref.kind) == ("", "Service")
    )
