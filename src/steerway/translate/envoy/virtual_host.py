"""The virtual hosts of all Envoys of a namespace, put together from what was made of each service before.

A change of one service changes the routes of every namespace that has Envoys. With thousands of services nearly all of
a RouteConfiguration is as before then: it is the bytes that are kept, and made anew for the service that changed and
those whose routes lead to it.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from steerway.catalog.model.mesh import Service, ServiceId
from steerway.translate import destination
from steerway.translate.client.capability import DEFAULT_PROGRAM_SIZE
from steerway.translate.destination import Find
from steerway.translate.envoy import exposure
from steerway.translate.envoy.route import Host, Part, part


class _Viewers(NamedTuple):
    """Envoys that have the same of a service: `namespace` is "" where it makes no difference. `limit`: see `size`."""

    service: ServiceId
    namespace: str
    gateway: bool
    limit: int


class _Made(NamedTuple):
    facts: tuple[Service | None, ...]
    """What it was made from: the service, and the backends of its routes."""
    hosts: tuple[Host, ...]
    part: Part


class VirtualHosts:
    """`find` gives a service of the catalog by its identity."""

    def __init__(self, find: Find, domain: str) -> None:
        self._find = find
        self._domain = domain
        self._made: dict[_Viewers, _Made] = {}

    def parts(
        self,
        services: Iterable[Service],
        namespace: str,
        gateway: int | None = None,
        limit: int = DEFAULT_PROGRAM_SIZE,
    ) -> list[Part]:
        """For Envoys in a namespace with a limit (see `size`), in the order of the services; `gateway`: the port of
        those that are gateways.

        A name is one of DNS, where capital letters make no difference, and Envoy refuses a domain that is there twice:
        the first has it, and a hostname that a route claims comes last.
        """
        order = sorted(services, key=lambda service: service.id)
        made = [
            self._of(service, _Viewers(service.id, namespace, gateway is not None, limit))
            for service in order
        ]
        taken: set[str] = set()
        groups = [_without(taken, row.hosts, row.part, limit) for row in made]
        if gateway is not None:
            hosts = tuple(exposure.hostname_hosts(order, namespace, self._find, self._domain, gateway))
            groups.append(_without(taken, hosts, part(hosts, limit), limit))
        self._forget({service.id for service in order})
        return groups

    def _of(self, service: Service, viewers: _Viewers) -> _Made:
        namespace = viewers.namespace
        facts = (service, *(self._find(id) for id in _dependencies(service)))
        private = service.private or service.exported_to is not None
        alike = namespace != service.id.namespace and len(facts) == 1 and not private
        key = viewers._replace(namespace="") if alike else viewers
        before = self._made.get(key)
        if before is not None and before.facts == facts:
            return before
        hosts = tuple(exposure.service_hosts(service, namespace, self._find, self._domain, key.gateway))
        self._made[key] = _Made(facts, hosts, part(hosts, key.limit))
        return self._made[key]

    def _forget(self, present: set[ServiceId]) -> None:
        for key in [key for key in self._made if key.service not in present]:
            del self._made[key]


def _dependencies(service: Service) -> Iterator[ServiceId]:
    for port in service.ports:
        if port.routing.tables:
            yield service.id
            yield from destination.dependencies(port)


def _without(taken: set[str], hosts: Iterable[Host], made: Part, limit: int) -> Part:
    """The part without the domains that others have."""
    if not taken.isdisjoint(made.domains):
        left = (
            host._replace(domains=tuple(domain for domain in host.domains if domain not in taken))
            for host in hosts
        )
        made = part([host for host in left if host.domains], limit)
    taken.update(made.domains)
    return made
