"""The dialect of Envoy: a listener, its routes and all clusters for who subscribes to everything, and assignments.

An Envoy says in its Node what it is (see `audience`). A sidecar and a gateway are told different things, so each kind
has resources of its own: a wildcard sees whatever is published for its audience. `raw` ones are told nothing but what
files and names give.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from steerway.catalog.model.mesh import Port, Service
from steerway.catalog.service import connection
from steerway.errors import TranslateError
from steerway.translate import destination, resource_name
from steerway.translate.answer import Content, Denied, Plan, Reason, Resource, missing, same
from steerway.translate.client.audience import GATEWAY, SIDECAR, Audience, Width
from steerway.translate.destination import Find
from steerway.translate.dialect.grpc import GrpcDialect
from steerway.translate.envoy import cluster, exposure, listener, route
from steerway.translate.envoy.virtual_host import VirtualHosts
from steerway.translate.xds import type_url

Services = Callable[[], Iterable[Service]]

_NAMES = {SIDECAR: "steerway.sidecar", GATEWAY: "steerway.gateway"}
"""Of the listener and its routes, by the role of the Envoy."""
ROUTES = {name: role for role, name in _NAMES.items()}
"""The names of the routes of all services, and the role of the Envoys that have them."""


class Addresses(NamedTuple):
    """Where Envoys listen, as HOST:PORT."""

    sidecar: str
    gateway: str


class EnvoyDialect:
    """Answers for Envoys. `services` gives all of the catalog; the rest is as for gRPC clients."""

    def __init__(
        self,
        grpc: GrpcDialect,
        find: Find,
        services: Services,
        domain: str,
        addresses: Addresses,
        scope_all: bool,
        left_out: resource_name.LeftOut,
        system_ca_file: str,
    ) -> None:
        self._left_out = left_out
        self._grpc = grpc
        self._find = find
        self._services = services
        self._domain = domain
        self._addresses = addresses
        self._scope_all = scope_all
        self._system_ca_file = system_ca_file
        self._virtual_hosts = VirtualHosts(find, domain)

    def listeners(self, audience: Audience) -> Iterable[str]:
        """The listeners that a wildcard sees, whatever services there are."""
        name = _NAMES.get(audience.kind)
        return () if name is None else (name,)

    def clusters(self, service: Service, audience: Audience) -> Iterable[str]:
        """The clusters that a wildcard sees because there is this service."""
        role = audience.kind
        if role not in _NAMES:
            return ()
        gateway = role == GATEWAY
        return exposure.clusters(service, audience.namespace, self._domain, gateway)

    def root(self, served: str, _name: str, audience: Audience) -> Audience:
        """The audience of all who would share an answer that is the same for them."""
        if served == type_url.ROUTE:
            return audience.widened(Width.NAMESPACE)
        if served in (type_url.LISTENER, type_url.CLUSTER, type_url.ENDPOINT):
            return audience.widened(Width.KIND)
        return audience.widened(Width.DIALECT)

    def plan(self, served: str, name: str, root: Audience) -> Plan:
        """How a name is answered to audiences under `root`."""
        if served == type_url.ENDPOINT:
            return self._assignments(name, root)
        role = root.kind
        if role in _NAMES:
            if served == type_url.CLUSTER:
                return self._clusters(name, root)
            if served == type_url.LISTENER and name == _NAMES[role]:
                return same(root, self._listener(name, role))
            if served == type_url.ROUTE and name == _NAMES[role]:
                return self._routes(name, root)
        return missing(root, Reason("no file gives it"))

    def _listener(self, name: str, role: str) -> Resource:
        gateway = role == GATEWAY
        address = self._addresses.gateway if gateway else self._addresses.sidecar
        return Resource(listener.build(name, address, edge=gateway), ((type_url.ROUTE, name),))

    def _routes(self, name: str, root: Audience) -> Plan:
        """For one namespace: what a name means, and who is told of what, differ between them."""
        services = list(self._services())
        number = int(self._addresses.gateway.rpartition(":")[2])
        gateway = number if root.kind == GATEWAY else None
        backends = {
            id for service in services for port in service.ports for id in destination.dependencies(port)
        }

        def contents(_: Iterable[Audience]) -> Mapping[Audience, Content]:
            limit = root.program_size
            parts = self._virtual_hosts.parts(services, root.namespace, gateway, limit)
            named = sorted({(type_url.CLUSTER, cluster) for part in parts for cluster in part.clusters})
            return {root: Resource(route.build(name, parts), tuple(named))}

        return Plan(contents, frozenset(service.id for service in services) | backends, further=True)

    def _clusters(self, name: str, root: Audience) -> Plan:
        try:
            target = resource_name.parse_canonical(destination.plaintext(name), self._domain)
        except TranslateError as error:
            return missing(root, Reason(error))
        needed = frozenset({target.service})
        try:
            service, port = self._select(target)
        except TranslateError as error:
            nothing = missing if self._find(target.service) is None else same
            return nothing(root, Reason(error), needed)
        if reason := connection.refusal(port, envoy=True):
            return same(root, Reason(reason), needed)
        plaintext = destination.plaintext(name)
        if name != destination.secured(plaintext, port, envoy=True):
            return same(
                root, Reason(f"port {port.number} of service {service.id} has another cluster"), needed
            )
        references = () if service.external_name else ((type_url.ENDPOINT, plaintext),)
        scope = str(service.id) if self._scope_all or service.private else ""
        body = cluster.build(name, port, service.external_name, plaintext, self._system_ca_file)
        encoded = Resource(body, references, scope)
        return Plan(lambda users: _told(service, root, users, encoded), needed)

    def _select(self, target: resource_name.Target) -> tuple[Service, Port]:
        service = self._find(target.service)
        if service is None:
            raise TranslateError(resource_name.unknown(target.service, self._left_out))
        if target.pod:
            raise TranslateError("Envoy gets clusters of whole services, not of single pods")
        return service, resource_name.select_port(service, target.port)

    def _assignments(self, name: str, root: Audience) -> Plan:
        plan = self._grpc.plan(type_url.ENDPOINT, name, root)
        if root.kind not in _NAMES:
            return plan
        return plan._replace(contents=lambda users: _any_health(plan.contents(users)))


def _any_health(contents: Mapping[Audience, Content]) -> Mapping[Audience, Content]:
    return {
        audience: content._replace(body=cluster.any_health(content.body))
        if isinstance(content, Resource)
        else content
        for audience, content in contents.items()
    }


def _told(
    service: Service, root: Audience, users: Iterable[Audience], encoded: Resource
) -> Mapping[Audience, Content]:
    """The same for all; or for each namespace, where not all of them are told of the service."""
    if service.exported_to is None:
        return {root: encoded}
    contents: dict[Audience, Content] = {}
    for user in users:
        namespace = user.namespace
        content = encoded if service.is_for(namespace) else None
        contents[user.widened(Width.NAMESPACE)] = content or Denied(
            f"service {service.id} is not exported to {namespace}"
        )
    return contents
