"""The catalog: every service that can be served, rebuilt one at a time as facts change.

An EndpointSlice belongs to the Service that its label names, a route to those that it names as parents, a policy to
its targets. A change of any rebuilds the services that it concerns; a service whose value is equal to before is not
reported, so what does not matter to clients goes no further.

The scope limits what clients may ask for, not what references mean: a Service outside the scope is built, and marked
as such, while a route of a Service in the scope names it.

The catalog holds no objects of its own: it reads them from the store that gave the keys.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from steerway.catalog.locality.pod_index import PodIndex
from steerway.catalog.model.mesh import EndpointState, Port, Problem, Service, ServiceId
from steerway.catalog.model.policy import Policy
from steerway.catalog.model.security import ServerConfiguration
from steerway.catalog.policy import annotation, precedence
from steerway.catalog.routing import backend_tls, rule
from steerway.catalog.routing.attachment import KINDS, Attachments, Get, Route
from steerway.catalog.security import port_tls
from steerway.catalog.security.pod_dependence import PodDependence
from steerway.catalog.security.precedence import ServerDefaults
from steerway.catalog.security.servers import Servers
from steerway.catalog.service import service as build_service
from steerway.catalog.service import slice_owner
from steerway.catalog.service.hold_down import HoldDown
from steerway.catalog.service.metadata import ServiceMetadata, read
from steerway.catalog.service.scope import Selection, disabled
from steerway.runtime import isolation
from steerway.runtime.isolation import isolated
from steerway.runtime.steps import run
from steerway.sources.objects.core import Endpoint as EndpointFact
from steerway.sources.objects.core import EndpointSlice, Namespace, Object, ObjectKey
from steerway.sources.objects.core import Service as ServiceFact
from steerway.sources.policy.traffic_policy import ROUTE_KINDS

_K = TypeVar("_K")
_OF_SERVERS = ("Service", "ServerPolicy", "AuthorizationPolicy")
"""Kinds on which configurations of servers depend."""
_NO_TLS = ServerDefaults(trust_domain="")
_HINT = f"its last good version is served; {isolation.HINT}"


class Catalog:
    """Services by identity; see the module's docstring.

    `selection`: the Services that are served; all by default. `nodes_known`: clients are distinguished by their nodes,
    for Services that require it. `named_elsewhere`: routes that are not in this catalog may name its
    Services, so that those outside the scope are all built. `server_defaults`: of xDS servers without a policy.
    `pods`: those whose service accounts are the identities of servers.
    """

    def __init__(
        self,
        selection: Selection | None = None,
        nodes_known: bool = True,
        hold_down: HoldDown | None = None,
        named_elsewhere: bool = False,
        server_defaults: ServerDefaults = _NO_TLS,
        pods: PodIndex | None = None,
    ) -> None:
        self.attachments = Attachments()
        self.servers = Servers(self.attachments, server_defaults)
        self._pods = PodIndex() if pods is None else pods
        self._dependence = PodDependence()
        self._servers_touched: set[str] = set()
        self.changed_servers: frozenset[str] = frozenset()
        """Namespaces whose configurations of servers may be others since the last `update` or `release`."""
        self._hold_down = hold_down if hold_down is not None else HoldDown()
        self._nodes_known = nodes_known
        self._selection = selection if selection is not None else Selection()
        self._named_elsewhere = named_elsewhere
        self._outside: dict[ServiceId, str] = {}
        self._matched: dict[ServiceId, frozenset[tuple[str, str]]] = {}
        self._matches: Counter[tuple[str, str]] = Counter()
        self._read = False
        self._services: dict[ServiceId, Service] = {}
        self._problems: dict[ServiceId, tuple[Problem, ...]] = {}
        self._slices: dict[ServiceId, set[ObjectKey]] = {}
        self._owners: dict[ObjectKey, ServiceId] = {}
        self._others: dict[ObjectKey, tuple[Problem, ...]] = {}
        self._failed: dict[ObjectKey, tuple[Problem, ...]] = {}
        self.new_problems: list[Problem] = []
        """Those that the last `update` brought."""
        self._known: defaultdict[str, set[ServiceId]] = defaultdict(set)
        self._listeners: list[Callable[[Collection[ServiceId]], None]] = []

    def listen(self, listener: Callable[[Collection[ServiceId]], None]) -> None:
        """Call `listener` after each update with the services that were built anew, also those that are equal to
        before: what the catalog does not hold of their objects may have changed."""
        self._listeners.append(listener)

    def update(self, get: Get, changed: Iterable[ObjectKey]) -> frozenset[ServiceId]:
        """Take in changed objects; returns the services whose value changed, appeared or went, those that are outside
        the scope for another reason, and those outside that routes name or name no more."""
        return run(self.steps(get, changed))

    def steps(self, get: Get, changed: Iterable[ObjectKey]) -> Generator[None, None, frozenset[ServiceId]]:
        """`update` in steps of little work each. Until the last one, `service` and the iteration give every service as
        it was before. Nothing else may change the catalog meanwhile, and `get` not its answers."""
        touched: set[ServiceId] = set()
        named: set[ServiceId] = set()
        self._read = True
        self._servers_touched = set()
        self.new_problems = []
        for key in changed:
            with isolated("object", object=key) as part:
                self._take_in(get, key, touched, named)
            failed = (
                (Problem.of(key, f"cannot be understood: {part.failure}", _HINT),) if part.failure else ()
            )
            self._note_problems(self._failed, key, failed)
            yield
        named = {id for id in named if self.outside(get, id)}
        changes: dict[ServiceId, Service | None] = {}
        moved = set(named)
        for id in touched | named:
            service, other = self._rebuild(id, get)
            if other:
                moved.add(id)
                changes[id] = service
            yield
        self._replace(changes)
        self._replace_servers()
        for listener in self._listeners:
            listener(touched | named)
        return frozenset(moved)

    def _take_in(self, get: Get, key: ObjectKey, touched: set[ServiceId], named: set[ServiceId]) -> None:
        """Note one changed object. `touched` gets the services to rebuild, `named` those that routes name before or
        after, where a filter may leave them out."""
        if self._selection.filters:
            named |= self.attachments.beside(self._concerned(get, key))
        if key.kind in _OF_SERVERS:
            self._servers_touched.add(key.namespace)
        if key.kind == "Service":
            touched.add(self._note(ServiceId(key.namespace, key.name), get(key)))
        elif key.kind == "EndpointSlice":
            touched |= self._assign(key, get(key))
        elif key.kind == "Pod":
            touched |= self._dependence.services(get(key))
        elif key.kind == "Namespace":
            self.attachments.note_namespace(key.name)
            self._evaluate_namespace(key, get(key))
            touched |= set(self._services_in(key.name))
        elif key.kind in KINDS:
            touched |= self.attachments.update(get, key, self._services_in)
        if self._selection.filters:
            named |= self.attachments.beside(self._concerned(get, key))

    def release(self, get: Get) -> frozenset[ServiceId]:
        """Apply updates whose hold-down has ended; returns the services whose value changed."""
        self._servers_touched = set()
        built = {id: self._rebuild(id, get) for id in self._hold_down.due()}
        changes = {id: service for id, (service, other) in built.items() if other}
        self._replace(changes)
        self._replace_servers()
        return frozenset(changes)

    def server_configuration(self, get: Get, namespace: str, workload: str, port: int) -> ServerConfiguration:
        """What servers of a workload get for a port that they listen on; see `Servers.configuration`."""
        return self.servers.configuration(get, self._services_in(namespace), namespace, workload, port)

    def owners(self, now: Get, key: ObjectKey) -> Collection[Hashable]:
        """The owners that a change of an object concerns: its service; of an EndpointSlice the one that it named before
        and the one that it names now; of a route or policy those that it is attached to, or itself. A Namespace, the
        ReferenceGrants of a namespace and all raw resources are one owner each; other kinds have none.

        This and the next two methods get objects as they are `now`, while the catalog is as of the last commit. An
        object that fails unexpectedly in them still waits for itself, and fails again in `update`.
        """
        with isolated("object", object=key):
            return self._owners_of(now, key)
        return (key,)

    def _owners_of(self, now: Get, key: ObjectKey) -> Collection[Hashable]:
        match key.kind:
            case "Service":
                return (ServiceId(key.namespace, key.name),)
            case "EndpointSlice":
                return {self._owners.get(key), _named_service(now(key))} - {None}
            case "Namespace":
                return (("Namespace", key.name),)
            case "Pod":
                return self._dependence.services(now(key))
            case "ReferenceGrant":
                return ((key.kind, key.namespace),)
            case "XdsResource":
                return (key.kind,)
        return self.attachments.concerns(now, key, self._services_in) or {key} if key.kind in KINDS else ()

    def references(self, now: Get, key: ObjectKey) -> Collection[Hashable]:
        """The owners that an object depends on, before and after its change: the Services that a route
        names, with their Namespaces and the ReferenceGrants that allow it."""
        named: set[ServiceId] = set()
        with isolated("object", object=key):
            named = self.attachments.references(now, key)
        needed: set[Hashable] = {("Namespace", id.namespace) for id in named} | {("Namespace", key.namespace)}
        needed |= {("ReferenceGrant", id.namespace) for id in named if id.namespace != key.namespace}
        return needed | named

    def keeps_endpoints(
        self, committed: Get, now: Get, changed: Mapping[ObjectKey, Sequence[Object | None]]
    ) -> bool:
        """Whether the services of changed EndpointSlices keep an endpoint on each port that has one, both as of the
        last commit and as the objects were before the changes: what is not committed yet must not lose its endpoints
        before it is. `changed`: key → the EndpointSlice before each of its changes."""
        with isolated("object", objects=len(changed), object=next(iter(changed), None)):
            earlier = {key: max(states, key=_offer) for key, states in changed.items()}
            return self._keep_endpoints(committed, now, earlier)
        return True

    def _keep_endpoints(self, committed: Get, now: Get, changed: Mapping[ObjectKey, Object | None]) -> bool:
        doubtful = [
            key
            for key, earlier in changed.items()
            if not _still_offers(earlier, now(key)) or not _still_offers(committed(key), now(key))
        ]
        if not doubtful:
            return True
        owners = {id for key in doubtful for id in (*self.owners(now, key), _named_service(changed[key]))}
        ids = {id for id in owners if isinstance(id, ServiceId)}

        def before(key: ObjectKey) -> Object | None:
            return changed[key] if key in changed else now(key)

        return all(
            _ports_in_use(self._services.get(id)) <= self._offered(id, committed, now, changed)
            and self._offered(id, now, before, changed) <= self._offered(id, now, now, changed)
            for id in ids
        )

    def _offered(
        self, id: ServiceId, service: Get, slices: Get, changed: Collection[ObjectKey]
    ) -> frozenset[int]:
        """The ports on which a service has endpoints, with its Service and its EndpointSlices as of two moments."""
        fact = service(ObjectKey("Service", *id))
        if not isinstance(fact, ServiceFact):
            return frozenset()
        own = [
            endpoint_slice
            for key in self._slices.get(id, set()).union(changed)
            if isinstance(endpoint_slice := slices(key), EndpointSlice)
            and _named_service(endpoint_slice) == id
        ]
        return _ports_in_use(build_service.build(fact, own)[0])

    def service(self, id: ServiceId) -> Service | None:
        return self._services.get(id)

    def outside(self, get: Get, id: ServiceId) -> str:
        """What leaves a Service out of the scope, also one that does not exist; "" for one in the scope."""
        fact = get(ObjectKey("Service", *id))
        service = fact if isinstance(fact, ServiceFact) else None
        return self._selection.outside(id, service, _namespace(get, id))

    def left_out(self, id: ServiceId) -> str:
        """What leaves an existing Service out of the scope; "" for one in the scope, and one that does not exist."""
        return self._outside.get(id, "")

    def unmatched(self) -> Mapping[tuple[str, str], str]:
        """The filters of the scope that match no Service, by setting and value, with what is wrong."""
        if not self._read:
            return {}
        filters = self._selection.filters
        return {
            selector_name: reason
            for selector_name, reason in filters.items()
            if not self._matches[selector_name]
        }

    def metadata(self, get: Get, id: ServiceId) -> ServiceMetadata:
        """What people wrote of a service, as far as it is not in the service itself."""
        return read(get, id, tuple(self._slices.get(id, ())))

    def endpoint_slices(self, get: Get, id: ServiceId) -> list[EndpointSlice]:
        """The EndpointSlices of a service. Thread-safe if `get` is."""
        keys = tuple(self._slices.get(id, ()))
        return [slice_ for key in keys if isinstance(slice_ := get(key), EndpointSlice)]

    def __iter__(self) -> Iterator[Service]:
        """Those in the scope."""
        return iter([service for service in list(self._services.values()) if not service.outside])

    @property
    def built(self) -> frozenset[ServiceId]:
        """All that `service` finds, those outside the scope among them."""
        return frozenset(self._services)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def problems(self) -> list[Problem]:
        """Everything that is known and not served, by service; then Namespaces, and slices that belong to none."""
        all_problems = [problem for id in sorted(self._problems) for problem in self._problems[id]]
        for problems in (self._others, self._failed):
            all_problems += [problem for key in sorted(problems) for problem in problems[key]]
        return all_problems

    def _assign(self, key: ObjectKey, obj: Object | None) -> set[ServiceId]:
        """Move a slice to the service that its label names now; returns the services before and after."""
        before = self._owners.pop(key, None)
        if before is not None:
            slices = self._slices[before]
            slices.discard(key)
            if not slices:
                del self._slices[before]
        stray = slice_owner.stray(obj) if isinstance(obj, EndpointSlice) else None
        self._note_problems(self._others, key, () if stray is None else (stray,))
        after = _named_service(obj)
        if after is not None:
            self._owners[key] = after
            self._slices.setdefault(after, set()).add(key)
        return {id for id in (before, after) if id is not None}

    def _evaluate_namespace(self, key: ObjectKey, obj: Object | None) -> None:
        problems = annotation.of_namespace(obj) if isinstance(obj, Namespace) else ()
        self._note_problems(self._others, key, tuple(problems))

    def _note_problems(
        self, table: dict[_K, tuple[Problem, ...]], about: _K, now: tuple[Problem, ...]
    ) -> None:
        """Replace the problems of a service or an object."""
        before = table.pop(about, ())
        if now:
            table[about] = now
            self.new_problems += (problem for problem in now if problem not in before)

    def _services_in(self, namespace: str) -> Collection[ServiceId]:
        """All Services of a namespace, also those that are not served."""
        return self._known.get(namespace, frozenset())

    def _note(self, id: ServiceId, obj: Object | None) -> ServiceId:
        """Keep in mind which Services a namespace has, also those that are not served: its word is about them all."""
        self.attachments.note_services((id,))
        known = self._known[id.namespace]
        if isinstance(obj, ServiceFact):
            known.add(id)
        else:
            known.discard(id)
        if not known:
            del self._known[id.namespace]
        return id

    def _rebuild(self, id: ServiceId, get: Get) -> tuple[Service | None, bool]:
        """Build one service anew, with its problems; its value, and whether that or its scope is another one now. One
        service never stops the others."""
        with isolated("service", service=id) as part:
            return self._build(id, get)
        reason = f"cannot be understood: {part.failure}"
        self._note_problems(self._problems, id, (Problem.of(ObjectKey("Service", *id), reason, _HINT),))
        return self._services.get(id), False

    def _replace(self, changes: Mapping[ServiceId, Service | None]) -> None:
        for id, service in changes.items():
            if service is None:
                self._services.pop(id, None)
            else:
                self._services[id] = service

    def _build(self, id: ServiceId, get: Get) -> tuple[Service | None, bool]:
        fact = get(ObjectKey("Service", id.namespace, id.name))
        namespace = _namespace(get, id)
        built: Service | None = None
        problems: list[Problem] = []
        outside, moved = self._scope_of(id, fact if isinstance(fact, ServiceFact) else None, namespace)
        if isinstance(fact, ServiceFact) and (not outside or self._is_named(get, id, fact, namespace)):
            objects = (get(key) for key in self._slices.get(id, ()))
            slices = [
                endpoint_slice for endpoint_slice in objects if isinstance(endpoint_slice, EndpointSlice)
            ]
            attached = self._attached(get, id)
            built, problems = build_service.build(fact, slices, namespace, self._nodes_known, attached)
            if built is not None:
                built = self._hold_down.apply(self._services.get(id), built)
            if outside and built is not None:
                built = replace(built, outside=outside)
        if isinstance(fact, ServiceFact) and built is not None:
            built = self._with_tls(get, fact, built)
        self._note_servers(id, fact if isinstance(fact, ServiceFact) else None, built)
        if built is None:
            self._hold_down.forget(id)
        elif self._hold_down.is_held_down(id):
            hint = "none if the endpoints return; safety in its policy has the time for which they are kept"
            reason = "most or all of its endpoints went: those before are kept"
            problems.append(Problem(str(ObjectKey("Service", *id)), reason, hint))
        self._note_problems(self._problems, id, () if outside else tuple(sorted(problems, key=str)))
        return built, moved or built != self._services.get(id)

    def _with_tls(self, get: Get, fact: ServiceFact, service: Service) -> Service:
        """A service with the TLS of its ports."""
        policies = self.attachments.server_policies(get, service.id.namespace)
        return port_tls.with_tls(service, fact, policies, self.servers.defaults, self._pods.pods)

    def _note_servers(self, id: ServiceId, fact: ServiceFact | None, service: Service | None) -> None:
        """Note on which Pods the identities of a service depend, and which numbers its named target ports have."""
        self._dependence.note(id, service)
        named = {
            port.name or ""
            for port in (fact.spec.ports or () if fact else ())
            if isinstance(port.target_port, str)
        }
        numbers = {
            port.name: frozenset(endpoint.port for endpoint in port.endpoints)
            for port in (() if service is None or not named else service.ports)
            if port.name in named and port.endpoints
        }
        if self.servers.note_numbers(id, numbers):
            self._servers_touched.add(id.namespace)

    def _replace_servers(self) -> None:
        """Have the configurations of servers made anew where an update has touched them."""
        self.changed_servers = frozenset(self._servers_touched)
        self.servers.forget(self.changed_servers)

    def _scope_of(
        self, id: ServiceId, fact: ServiceFact | None, namespace: Namespace | None
    ) -> tuple[str, bool]:
        """What leaves a Service out of the scope now, and whether that is another reason than before."""
        before = self._outside.pop(id, "")
        self._matches.subtract(self._matched.pop(id, ()))
        if fact is None:
            return "", bool(before)
        if matched := self._selection.matched(id, fact, namespace):
            self._matched[id] = matched
            self._matches.update(matched)
        if outside := self._selection.outside(id, fact, namespace):
            self._outside[id] = outside
        return outside, outside != before

    def _is_named(self, get: Get, id: ServiceId, fact: ServiceFact, namespace: Namespace | None) -> bool:
        """Whether a route may send requests to a Service outside the scope, or has it as a further parent. Its owner's
        annotation leaves it out altogether."""
        if disabled(fact, namespace):
            return False
        return self._named_elsewhere or self.is_named(get, id)

    def is_named(self, get: Get, id: ServiceId) -> bool:
        """Whether a route of a Service in the scope names a service."""
        return any(not self.outside(get, parent) for parent in self.attachments.parents_beside(id))

    def _concerned(self, get: Get, key: ObjectKey) -> Collection[ServiceId]:
        """The services whose scope or whose routes an object is about."""
        if key.kind == "Service":
            return (ServiceId(key.namespace, key.name),)
        if key.kind == "Namespace":
            return self._services_in(key.name)
        if key.kind in ROUTE_KINDS:
            return self.attachments.concerns(get, key, self._services_in)
        return ()

    def _attached(self, get: Get, id: ServiceId) -> build_service.Attached:
        """The routes, policies and grants of a service."""
        routes = self.attachments.routes(get, id)
        key = ObjectKey("Service", *id)
        policies = self.attachments.policies(get, key)
        granted = self.attachments.granted(get, id)
        named = self.attachments.is_named(id)
        tls = self.attachments.tls_policies(get, key)
        if not (routes or policies or granted or named or tls):
            return build_service.NOTHING_ATTACHED

        def of_rule(route: Route, name: str) -> Policy:
            return precedence.applied(self.attachments.policies(get, route.key), route.key, name)

        return build_service.Attached(
            policy=lambda name: precedence.applied(policies, key, name),
            routing=lambda port, name: rule.build(id, port, routes, of_rule, name),
            named_by=lambda port, name: self.attachments.kinds_naming(id, port, name),
            tls=lambda name: backend_tls.applied(tls, key, name),
            granted=granted,
        )


def _namespace(get: Get, id: ServiceId) -> Namespace | None:
    """The Namespace of a service, where it is known."""
    obj = get(ObjectKey("Namespace", "", id.namespace))
    return obj if isinstance(obj, Namespace) else None


def _named_service(obj: Object | None) -> ServiceId | None:
    """The service that a slice's label names."""
    return slice_owner.owner(obj) if isinstance(obj, EndpointSlice) else None


def _still_offers(before: Object | None, now: Object | None) -> bool:
    """Whether a slice offers an endpoint on each port on which it did; False where that takes a closer look."""
    if before is None:
        return True
    return (
        _same_ports(before, now)
        and isinstance(now, EndpointSlice)
        and any(map(_is_ready, now.endpoints or ()))
    )


def _offer(obj: Object | None) -> int:
    """On how many ports a slice offers an endpoint."""
    if not isinstance(obj, EndpointSlice) or not any(map(_is_ready, obj.endpoints or ())):
        return 0
    return len(obj.ports or ())


def _same_ports(before: Object | None, now: Object | None) -> bool:
    """Whether a slice is still there, for the same Service and with the same ports."""
    if not isinstance(before, EndpointSlice) or not isinstance(now, EndpointSlice):
        return False
    same = before.ports == now.ports and before.address_type == now.address_type
    return same and _named_service(before) == _named_service(now)


def _is_ready(endpoint: EndpointFact) -> bool:
    return endpoint.conditions is None or endpoint.conditions.ready is not False


def _ports_in_use(service: Service | None) -> frozenset[int]:
    """The ports of a service that have an endpoint."""
    return (
        frozenset(port.number for port in service.ports if _in_use(port))
        if service is not None
        else frozenset()
    )


def _in_use(port: Port) -> bool:
    return any(endpoint.state is not EndpointState.UNREADY for endpoint in port.endpoints)
