"""The services as rows. What follows from the catalog is kept, and computed again for services that changed."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.mesh import ANY_PORT, EndpointState, Port, Service
from steerway.catalog.service import endpoints
from steerway.inventory.missing_backend import Find, Missing, backend_services, missing
from steerway.inventory.row.service import (
    EndpointCounts,
    PortRow,
    ServiceClients,
    ServiceRow,
    ServiceState,
)
from steerway.inventory.subscription_table import Subscription, states_of
from steerway.sources.objects.core import EndpointSlice

Slices = Callable[[ServiceId], Sequence[EndpointSlice]]
_WARNING = ("waiting", "behind", "absent")


@dataclass(slots=True)
class ServiceFacts:
    """What a row has of the catalog. `empty_ports`: numbers, as text, of ports without a healthy endpoint; `objects`:
    those whose problems are problems of the service, as `KIND NAME`; `calls`: that on which limitations depend;
    `missing`: backends of its routes."""

    id: str
    ports: list[PortRow]
    counts: EndpointCounts
    zones: dict[str, int]
    policies: list[str]
    routes: list[str]
    empty_ports: frozenset[str]
    objects: tuple[str, ...]
    calls: tuple[object, ...]
    missing: Missing


class ServiceTable:
    """`find` gives a service, from any thread; `slices` its EndpointSlices."""

    def __init__(self, find: Find, slices: Slices, clock: Callable[[], float] = time.monotonic) -> None:
        self._find = find
        self._slices = slices
        self._clock = clock
        self._touched: dict[ServiceId, None] = {}
        self._changed_at: dict[str, float] = {}
        self._facts: dict[str, ServiceFacts] = {}
        self._backends: dict[ServiceId, frozenset[ServiceId]] = {}
        self._routed_to: dict[ServiceId, set[ServiceId]] = {}
        """By backend, also by a missing one: the services with a route to it."""
        self.changed_at: float | None = None
        """When a service changed last; None: never."""
        self.calls_version = 0
        """Of everything on which limitations of clients depend."""

    def touch(self, ids: Iterable[ServiceId]) -> None:
        """Services were built anew; their values may be equal to before."""
        self._touched.update(dict.fromkeys(ids))

    def change(self, ids: Iterable[ServiceId]) -> None:
        """Services changed, appeared or went."""
        now = self._clock()
        for id in ids:
            self._touched[id] = None
            self._changed_at[str(id)] = self.changed_at = now

    def forget_ages(self) -> None:
        """What was read so far is no change: it is the state at the start."""
        self._changed_at.clear()

    @property
    def touched(self) -> bool:
        """Whether `refresh` has something to do."""
        return bool(self._touched)

    def refresh(self, limit: int | None = None) -> frozenset[str]:
        """Compute the facts of touched services, `limit` at most; returns their ids. In one thread at a time, any."""
        done: set[str] = set()
        while self._touched and (limit is None or len(done) < limit):
            id, _ = self._touched.popitem()
            service = self._find(id)
            if service is not None and not service.outside:
                now = facts(service, self._slices(id), self._find)
                before = self._facts.get(str(id))
                self._facts[str(id)] = now
            else:
                now, before = None, self._facts.pop(str(id), None)
                self._changed_at.pop(str(id), None)
            if (before and before.calls) != (now and now.calls):
                self.calls_version += 1
            if (before and before.ports) != (now and now.ports):
                self._touched.update(dict.fromkeys(self._routed_to.get(id, set()) - {id}))
            self._follow(id, frozenset() if service is None else backend_services(service))
            done.add(str(id))
        return frozenset(done)

    def _follow(self, id: ServiceId, backends: frozenset[ServiceId]) -> None:
        before = self._backends.pop(id, frozenset())
        if backends:
            self._backends[id] = backends
        for backend in before - backends:
            others = self._routed_to[backend]
            others.discard(id)
            if not others:
                del self._routed_to[backend]
        for backend in backends - before:
            self._routed_to.setdefault(backend, set()).add(id)

    def age_seconds(self) -> float | None:
        """Since the last change of any service."""
        return None if self.changed_at is None else round(self._clock() - self.changed_at, 3)

    @property
    def facts(self) -> Mapping[str, ServiceFacts]:
        """By id. Not to be changed."""
        return self._facts

    def changed_age_seconds(self, id: str) -> float | None:
        """Since the last change of a service."""
        changed_at = self._changed_at.get(id)
        return None if changed_at is None else round(self._clock() - changed_at, 3)


def facts(service: Service, slices: Iterable[EndpointSlice], find: Find) -> ServiceFacts:
    """Those of one service. `slices`: with the endpoints that the catalog leaves out since they are not ready. `find`
    gives the services of backends."""
    best: dict[str, tuple[EndpointState, str]] = {}
    for port in service.ports:
        for endpoint in port.endpoints:
            known = best.get(endpoint.address)
            if known is None or _ORDER[endpoint.state] < _ORDER[known[0]]:
                best[endpoint.address] = endpoint.state, endpoint.locality.zone
    states = Counter(state for state, _ in best.values())
    states[EndpointState.UNREADY] += len(_unready(slices) - best.keys())
    zones = Counter(zone for state, zone in best.values() if state is EndpointState.HEALTHY)
    counts = EndpointCounts(
        states[EndpointState.HEALTHY],
        states[EndpointState.DRAINING],
        states[EndpointState.UNREADY],
        states.total(),
    )
    policies, routes = policies_of(service), routes_of(service)
    by_dns = bool(service.external_name)
    return ServiceFacts(
        str(service.id),
        [port_row(port) for port in service.ports],
        counts,
        dict(sorted(zones.items())),
        policies,
        routes,
        frozenset(str(port.number) for port in service.ports if not (port.has_healthy or by_dns)),
        (
            f"Service {service.id}",
            *(f"EndpointSlice {_name(slice_)}" for slice_ in slices),
            *policies,
            *routes,
        ),
        (service.exported_to, service.local_only, service.private, *map(_calls, service.ports)),
        missing(service, find),
    )


_ORDER = {EndpointState.HEALTHY: 0, EndpointState.DRAINING: 1, EndpointState.UNREADY: 2}


def _calls(port: Port) -> tuple[object, ...]:
    return port.number, port.name, port.app_protocol, port.policy, port.routing, port.tls


def _name(slice_: EndpointSlice) -> str:
    return f"{slice_.metadata.namespace}/{slice_.metadata.name}"


def _unready(slices: Iterable[EndpointSlice]) -> set[str]:
    """Addresses in slices of endpoints that may get no traffic."""
    return {
        address
        for slice_ in slices
        if slice_.address_type in endpoints.FAMILIES
        for endpoint in slice_.endpoints or ()
        if endpoints.state_of(endpoint, False) is None
        and endpoint.addresses
        and (address := endpoints.canonical(endpoint.addresses[0])) is not None
    }


def port_row(port: Port) -> PortRow:
    """A port with its number, name and stated protocol."""
    protocol = port.protocol.protocol
    number = None if port.number == ANY_PORT else port.number
    return PortRow(number, port.name, None if protocol is None else protocol.value)


def policies_of(service: Service) -> list[str]:
    """The objects that set a section of a policy of one of its ports, and those of its TLS."""
    sources = {source for port in service.ports for _, source in port.policy.sources}
    sources |= {port.tls.origin for port in service.ports if port.tls is not None}
    # A source may add what of the object it is: `TrafficPolicy shop/all rule 1`.
    objects = {" ".join(source.split(" ")[:2]) for source in sources}
    return sorted(name for name in objects if name.partition(" ")[0].endswith("Policy"))


def routes_of(service: Service) -> list[str]:
    """The routes of its ports."""
    tables = (table for port in service.ports for table in port.routing.tables)
    return sorted({rule.route for table in tables for _, rule in table})


def row(
    facts_of: ServiceFacts,
    subscriptions: Mapping[str, Subscription],
    problems: int,
    before: ServiceRow | None = None,
) -> ServiceRow:
    """A complete row, but for the age of the last change. `before`: the row that is returned where it is equal."""
    same_facts = before is not None and before.ports is facts_of.ports
    if (
        same_facts
        and before
        and not (subscriptions or before.clients.workloads)
        and before.problems == problems
    ):
        return before  # most of many services
    at_least = [sum(numbers) for numbers in zip(*(s.at_least for s in subscriptions.values()), strict=True)]
    states = states_of(at_least) if at_least else {}
    clients = ServiceClients(at_least[-1] if at_least else 0, len(subscriptions), states)
    state = _state(facts_of, subscriptions, states, problems)
    if (
        before is not None
        and same_facts
        and (before.clients, before.problems, before.state) == (clients, problems, state)
    ):
        return before
    namespace, _, name = facts_of.id.partition("/")
    return ServiceRow(
        id=facts_of.id,
        namespace=namespace,
        name=name,
        ports=facts_of.ports,
        endpoints=facts_of.counts,
        zones=facts_of.zones,
        policies=facts_of.policies,
        routes=facts_of.routes,
        clients=clients,
        problems=problems,
        state=state,
        changed_age_seconds=None,
    )


def _state(
    facts_of: ServiceFacts,
    subscriptions: Mapping[str, Subscription],
    states: Mapping[str, int],
    problems: int,
) -> ServiceState:
    empty = facts_of.empty_ports
    broken = bool(empty) and any(
        not empty.isdisjoint(subscription.ports) for subscription in subscriptions.values()
    )
    if broken or states.get("refused") or (facts_of.missing == "all" and subscriptions):
        return "error"
    if problems or facts_of.missing != "none" or any(states.get(state) for state in _WARNING):
        return "warning"
    return "ok" if subscriptions else "idle"
