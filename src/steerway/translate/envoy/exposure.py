"""What an Envoy sees of the services: which clusters, and which virtual hosts.

A sidecar has every port of every service that is exported to its namespace, by the names that a client would dial. A
gateway has nothing but what somebody exposed, by a route of the Service's own namespace: a Service is not open to the
outside because it exists. There the hostnames of routes count, too, and several Services may share one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from steerway.catalog.model.mesh import ANY_PORT, Port, Service
from steerway.catalog.model.route import BackendPort
from steerway.catalog.routing.rule import precedence
from steerway.errors import TranslateError
from steerway.translate import resource_name
from steerway.translate.destination import Destination, Find, canonical, either, resolve, secured
from steerway.translate.envoy.route import Host

_WELL_KNOWN = (80, 443)


def clusters(service: Service, namespace: str, domain: str, gateway: bool) -> Iterator[str]:
    """The clusters that Envoys of a namespace need for a service: also of backends that do not exist yet, which may
    be with TLS or without."""
    for port in ports(service, namespace, gateway):
        if not gateway:
            yield secured(canonical(BackendPort(service.id, port.number), domain), port, envoy=True)
        for _, rule in port.routing.table(namespace) or ():
            for to in (*(backend.to for backend in rule.backends), *(mirror.to for mirror in rule.mirrors)):
                if to is not None:
                    yield from either(canonical(to, domain))


def ports(service: Service, namespace: str, gateway: bool) -> Sequence[Port]:
    """The ports of a service that Envoys of a namespace serve."""
    if not service.is_for(namespace) or (service.private and service.id.namespace != namespace):
        return ()
    return [port for port in service.ports if not gateway or port.routing.producer is not None]


def service_hosts(service: Service, namespace: str, find: Find, domain: str, gateway: bool) -> Iterator[Host]:
    """The virtual hosts of a service by its own names, for Envoys of a namespace."""
    for port in ports(service, namespace, gateway):
        name = resource_name.Target(service.id).canonical(port.number, domain)
        domains = tuple(_own_domains(service, port, namespace, domain, gateway))
        yield Host(name, domains, tuple(resolve(service, port, namespace, find, domain, envoy=True)))


def hostname_hosts(
    services: Iterable[Service], namespace: str, find: Find, domain: str, port: int
) -> Iterator[Host]:
    """The virtual hosts of a gateway on this port by the hostnames of routes, each with the rules of those alone that
    name it."""
    destinations_of: defaultdict[str, list[Destination]] = defaultdict(list)
    for service in services:
        for exposed in ports(service, namespace, gateway=True):
            for destination in resolve(service, exposed, namespace, find, domain, envoy=True):
                for hostname in destination.rule.hostnames if destination.rule is not None else ():
                    destinations_of[hostname.lower()].append(destination)
    for hostname, destinations in sorted(destinations_of.items()):
        ordered = sorted(destinations, key=lambda target: precedence(target.match))
        yield Host(f"hostname {hostname}", tuple(_hostname_domains(hostname, port)), tuple(ordered))


def _own_domains(service: Service, port: Port, namespace: str, domain: str, gateway: bool) -> Iterator[str]:
    """The names of a service port as a client in the namespace may dial it, as `names.parse_target` reads them."""
    name, own = service.id.name.lower(), service.id.namespace.lower()
    spellings = [f"{name}.{own}", f"{name}.{own}.svc", f"{name}.{own}.svc.{domain}"]
    if service.id.namespace == namespace and not gateway:
        spellings.append(name)
    try:
        alone = resource_name.select_port(service, "") == port
    except TranslateError:
        alone = False
    number = "*" if port.number == ANY_PORT else port.number
    for spelling in spellings:
        yield f"{spelling}:{number}"
        if alone:
            yield spelling


def _hostname_domains(hostname: str, port: int) -> Iterator[str]:
    """A hostname with and without a port: whichever a client writes is that of the way to the gateway. Envoy takes any
    port of a whole name, and none of a wildcard, so that those in use are spelled out; of the whole name they are, too,
    since Envoy looks at wildcards in front before those behind."""
    yield hostname
    for number in dict.fromkeys((port, *_WELL_KNOWN)):
        yield f"{hostname}:{number}"
    if not hostname.startswith("*"):
        yield f"{hostname}:*"
