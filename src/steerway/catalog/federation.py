"""Services of several clusters as one: equally named Services merge, port by port, by a policy.

A member counts only while it is in use: not before all of it is known, and not after it was lost for too long, as the
caller decides. What is the same in both (ports, their names) is taken from the nearest member that has the service:
the local one, then by priority, then by name.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from steerway.catalog.catalog import Catalog
from steerway.catalog.model.mesh import Endpoint, Port, Problem, Service, ServiceId
from steerway.catalog.model.security import PortTls
from steerway.catalog.model.tls import BackendTLS
from steerway.catalog.service import endpoints

Policy = Literal["local_only", "local_first", "all"]
"""Whose endpoints: of the local cluster; of the others when no local one can be reached; of all alike."""


@dataclass(slots=True)
class Member:
    """A remote cluster. `region`: of endpoints without one; `priority`, from 1: its position among the members that
    take over."""

    name: str
    catalog: Catalog
    region: str = ""
    priority: int = 1
    in_use: bool = False


class Federation:
    """The local catalog and those of the members, seen as one; see the module's docstring.

    `is_named`: whether a route names a service that is outside the scope.
    """

    def __init__(
        self,
        local: Catalog,
        members: Iterable[Member],
        policy: Policy,
        is_named: Callable[[ServiceId], bool] = lambda _: True,
    ) -> None:
        self._local = local
        self._members = sorted(members, key=lambda member: (member.priority, member.name))
        self._policy = policy
        self._is_named = is_named
        self._merged: dict[ServiceId, Service | None] = {}
        self._listeners: list[Callable[[Collection[ServiceId]], None]] = []

    def listen(self, listener: Callable[[Collection[ServiceId]], None]) -> None:
        """Call `listener` with the services that changed in any cluster."""
        self._listeners.append(listener)

    def service(self, id: ServiceId) -> Service | None:
        """The service, merged; None when no member that counts has it."""
        local = self._local.service(id)
        if not self._members or self._policy == "local_only":
            return local
        if id not in self._merged:
            self._merged[id] = self._merge(id, local)
        return self._merged[id]

    def peek(self, id: ServiceId) -> Service | None:
        """The same, from any thread: what is merged here is not kept, for by then it may be old."""
        local = self._local.service(id)
        if not self._members or self._policy == "local_only":
            return local
        return self._merge(id, local)

    def left_out(self, id: ServiceId) -> str:
        """What leaves an existing Service out of the scope, as the end of a sentence; "" where nothing does."""
        catalogs = [self._local, *(member.catalog for member in self._members)]
        return next((reason for catalog in catalogs if (reason := catalog.left_out(id))), "")

    def __iter__(self) -> Iterator[Service]:
        """All services in the scope that some member has that counts."""
        yield from (service for id in self.ids() if (service := self.service(id)) is not None)

    def ids(self) -> set[ServiceId]:
        """Their identities."""
        members = (
            []
            if self._policy == "local_only"
            else [member.catalog for member in self._members if member.in_use]
        )
        return {service.id for catalog in (self._local, *members) for service in list(catalog)}

    def changed(self, services: Collection[ServiceId]) -> None:
        """These services of any member are others now."""
        for id in services:
            self._merged.pop(id, None)
        for listener in self._listeners:
            listener(services)

    def problems(self) -> list[Problem]:
        """Everything that is known and not served; problems of a member begin with its name."""
        remote = (
            replace(problem, where=f"cluster {member.name}: {problem.where}")
            for member in self._members
            for problem in member.catalog.problems()
        )
        return [*self.unmatched(), *self._local.problems(), *remote]

    def unmatched(self) -> Iterator[Problem]:
        """Filters of the scope that match nothing in any cluster."""
        remote = [member.catalog.unmatched() for member in self._members if member.in_use]
        for (setting, value), reason in self._local.unmatched().items():
            if all((setting, value) in filters for filters in remote):
                hint = f"correct or remove {value!r}, or create what it is to match"
                yield Problem(f"setting {setting}", f"{value} {reason}", hint)

    def _merge(self, id: ServiceId, local: Service | None) -> Service | None:
        parts = [] if local is None else [local]
        remote = ((member, member.catalog.service(id)) for member in self._members if member.in_use)
        parts += [self._placed(service, member) for member, service in remote if service is not None]
        # What is in the scope in one cluster stays as it is when another has it outside. What is outside in all of them
        # is there for routes that name it, and those are of the local cluster.
        inside = [part for part in parts if not part.outside]
        parts = inside or (parts if self._is_named(id) else [])
        if len(parts) < 2:
            return next(iter(parts), None)
        ports: dict[int, list[Port]] = {}
        for part in parts:
            for port in part.ports:
                ports.setdefault(port.number, []).append(port)
        merged = (_secured(_merge_ports(same), parts[0].tls) for same in ports.values())
        exported = [part.exported_to for part in parts if part.exported_to is not None]
        return replace(
            parts[0],
            ports=tuple(merged),
            private=any(part.private for part in parts),
            exported_to=frozenset.intersection(*exported) if exported else None,
        )

    def _placed(self, service: Service, member: Member) -> Service:
        priority = member.priority if self._policy == "local_first" else 0
        ports = tuple(
            replace(port, endpoints=tuple(_locality(port.endpoints, member.region, priority)))
            for port in service.ports
        )
        return replace(service, ports=ports)


def _locality(merged_endpoints: Iterable[Endpoint], region: str, priority: int) -> Iterator[Endpoint]:
    for endpoint in merged_endpoints:
        locality = endpoint.locality
        if not locality.region:
            locality = locality._replace(region=region)
        # Nodes of another cluster are no places of clients here, whatever they are called.
        yield endpoint._replace(locality=locality, priority=priority, node="", for_nodes=())


def _secured(port: Port, tls: BackendTLS | None) -> Port:
    """The port, with the TLS of the whole Service where the port is one of another cluster alone."""
    return replace(port, tls=tls) if port.tls is None and tls is not None else port


def _merge_ports(same: Sequence[Port]) -> Port:
    """One port of several members, the nearest first. Pod networks may overlap: then the nearest has the address, since
    a client could not distinguish them."""
    taken: dict[tuple[str, int], Endpoint] = {}
    for port in same:
        for endpoint in port.endpoints:
            taken.setdefault((endpoint.address, endpoint.port), endpoint)
    merged = endpoints.ordered(taken.values())
    return replace(same[0], endpoints=merged, mtls=_merge_tls(port.mtls for port in same))


def _merge_tls(parts: Iterable[PortTls]) -> PortTls:
    """The TLS of the nearest member; servers of the others may have their own identities."""
    first, *others = parts
    if not first.mode:
        return first
    identities = {*first.identities, *(identity for part in others for identity in part.identities)}
    return replace(first, identities=tuple(sorted(identities, key=lambda item: (item.type.value, item.text))))
