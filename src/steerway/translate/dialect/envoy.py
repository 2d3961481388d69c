"""The dialect of Envoy: a listener, its routes and all clusters for wildcard subscriptions, and assignments.

An Envoy has a role (see `audience`). The resources of sidecars and gateways differ, so each role has its own: a
wildcard sees whatever is published for its audience. `raw` ones get nothing but raw resources and assignments by name.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from steerway.catalog.model.mesh import Service
from steerway.catalog.service import connection
from steerway.errors import TranslateError
from steerway.translate import destination, resource_name
from steerway.translate.answer import Reason
from steerway.translate.client.audience import Audience, Width
from steerway.translate.client.metadata import GATEWAY, SIDECAR
from steerway.translate.dialect.base import Dialect, DialectOptions
from steerway.translate.envoy import exposure
from steerway.translate.envoy.virtual_host import VirtualHosts
from steerway.translate.plan import Plan, fixed
from steerway.translate.xds import type_url
from steerway.translate.xds.cluster import EnvoyClusterBuilder
from steerway.translate.xds.listener import EnvoyListenerBuilder
from steerway.translate.xds.route import NamespaceRouteBuilder

Services = Callable[[], Iterable[Service]]

_NAMES = {SIDECAR: "steerway.sidecar", GATEWAY: "steerway.gateway"}
"""Of the listener and its routes, by the role of the Envoy."""
ROUTES = {name: role for role, name in _NAMES.items()}
"""The names of the routes of all services, and the role of the Envoys that have them."""


class Addresses(NamedTuple):
    """Where Envoys listen, as HOST:PORT."""

    sidecar: str
    gateway: str


class EnvoyDialect(Dialect):
    """Answers for Envoys. `services` gives all of the catalog; the rest is as for gRPC clients."""

    def __init__(
        self, options: DialectOptions, services: Services, addresses: Addresses, system_ca_file: str
    ) -> None:
        super().__init__(options)
        self._services = services
        self._addresses = addresses
        self._system_ca_file = system_ca_file
        self._virtual_hosts = VirtualHosts(options.find, options.domain)

    def listeners(self, audience: Audience) -> Iterable[str]:
        """The listeners that a wildcard sees, whatever services there are."""
        name = _NAMES.get(audience.kind)
        return () if name is None else (name,)

    def clusters(self, service: Service, audience: Audience) -> Iterable[str]:
        """The clusters that a wildcard sees because there is this service."""
        if audience.kind not in _NAMES:
            return ()
        return exposure.clusters(service, audience.namespace, self._domain, audience.kind == GATEWAY)

    def root(self, served: str, _name: str, audience: Audience) -> Audience:
        match served:
            case type_url.ROUTE:
                return audience.widened(Width.NAMESPACE)
            case type_url.LISTENER | type_url.CLUSTER | type_url.ENDPOINT:
                return audience.widened(Width.KIND)
        return audience.widened(Width.DIALECT)

    def _plan(self, served: str, name: str, root: Audience) -> Plan:
        own = _NAMES.get(root.kind)
        match served:
            case type_url.ENDPOINT:
                return self._endpoints(name, root)
            case type_url.CLUSTER if own is not None:
                return self._cluster(name, root)
            case type_url.LISTENER if name == own:
                edge = root.kind == GATEWAY
                address = self._addresses.gateway if edge else self._addresses.sidecar
                return Plan(root, EnvoyListenerBuilder(name, address, edge))
            case type_url.ROUTE if name == own:
                return self._route(name, root)
        raise TranslateError("no file gives it")

    def _route(self, name: str, root: Audience) -> Plan:
        """For one namespace: what a name means, and which services clients may see, differ between them."""
        services = list(self._services())
        number = int(self._addresses.gateway.rpartition(":")[2])
        gateway = number if root.kind == GATEWAY else None
        builder = NamespaceRouteBuilder(name, root, services, self._virtual_hosts, gateway)
        return Plan(root, builder, destination.all_dependencies(services), open_ended=True)

    def _cluster(self, name: str, root: Audience) -> Plan:
        plaintext = destination.plaintext(name)
        target = resource_name.parse_canonical(plaintext, self._domain)
        service, port, scope = self._select(target, pods=False)
        services = frozenset({target.service})
        if reason := connection.refusal(port, envoy=True):
            return fixed(root, Reason(reason), services)
        if name != destination.secured(plaintext, port, envoy=True):
            reason = f"port {port.label} of service {service.id} has another cluster"
            return fixed(root, Reason(reason), services)
        builder = EnvoyClusterBuilder(name, plaintext, service, port, scope, self._system_ca_file)
        return Plan(root, builder, services, service)
