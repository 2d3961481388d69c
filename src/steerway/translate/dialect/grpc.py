"""The dialect of gRPC clients: Listener, route, cluster and assignment of one name, on demand.

A name stands for one service port. Resources are divided by as few parts of an audience as possible, so that equal ones
are built and published once: by namespace where routes or exports differ, by the generation of the library where old
ones would refuse something, by locality and bucket where assignments differ.
"""

from steerway.catalog.model.policy import NOTHING, Algorithm
from steerway.catalog.model.security import TlsMode
from steerway.errors import TranslateError
from steerway.translate import destination, resource_name, server_name
from steerway.translate.answer import Resource
from steerway.translate.client.audience import Audience, Width
from steerway.translate.destination import BLACKHOLE
from steerway.translate.dialect.base import Dialect
from steerway.translate.grpc import cluster
from steerway.translate.plan import Plan, fixed
from steerway.translate.xds import type_url
from steerway.translate.xds.cluster import GrpcClusterBuilder
from steerway.translate.xds.listener import TargetListenerBuilder
from steerway.translate.xds.route import PortRouteBuilder
from steerway.translate.xds.server import ServerListenerBuilder, ServerRouteBuilder


class GrpcDialect(Dialect):
    """Answers for gRPC clients."""

    def root(self, served: str, name: str, audience: Audience) -> Audience:
        if served == type_url.LISTENER and (
            server_name.is_listener(name) or resource_name.needs_namespace(name)
        ):
            return audience.widened(Width.NAMESPACE)
        return audience.widened(Width.DIALECT)

    def _plan(self, served: str, name: str, root: Audience) -> Plan:
        match served:
            case type_url.LISTENER:
                of_server = server_name.is_listener(name)
                return self._server_listener(name, root) if of_server else self._listener(name, root)
            case type_url.ROUTE:
                of_server = server_name.is_route(name)
                return self._server_route(name, root) if of_server else self._route(name, root)
            case type_url.CLUSTER:
                return self._cluster(name, root)
            case type_url.ENDPOINT:
                return self._endpoints(name, root)
        raise TranslateError("no file gives it")

    def _listener(self, name: str, root: Audience) -> Plan:
        target = resource_name.parse_target(name, root.namespace, self._domain)
        service, port, scope = self._select(target, routed=True)
        canonical = target.canonical(port.number, self._domain)
        width = Width.KIND if service.uid else Width.EVERYBODY
        builder = TargetListenerBuilder(name, canonical, service.uid, scope, width)
        return Plan(root, builder, frozenset({target.service}), service)

    def _server_listener(self, name: str, root: Audience) -> Plan:
        address = server_name.parse_listener(name)
        builder = ServerListenerBuilder(name, address, root.namespace, self._options.configuration)
        return Plan(root, builder, servers=root.namespace)

    def _server_route(self, name: str, root: Audience) -> Plan:
        route = server_name.parse_route(name)
        builder = ServerRouteBuilder(name, route, self._options.configuration(*route))
        return Plan(root, builder, servers=route.namespace)

    def _route(self, name: str, root: Audience) -> Plan:
        # Of an object that is gone, too: a client drops such a name only after it has received the new one.
        canonical = resource_name.without_object(name)
        target = resource_name.parse_canonical(canonical, self._domain)
        service, port, scope = self._select(target, routed=True)
        sensitivity = destination.sensitivity_of(port, self._find, target.pod)
        width = Width.KIND if sensitivity.timeout else Width.EVERYBODY
        builder = PortRouteBuilder(
            name,
            canonical,
            target.pod,
            service,
            port,
            self._find,
            self._domain,
            scope,
            sensitivity,
            Width.NAMESPACE if sensitivity.namespace else width,
        )
        return Plan(root, builder, sensitivity.services | {target.service}, service)

    def _cluster(self, name: str, root: Audience) -> Plan:
        if name == BLACKHOLE:
            references = ((type_url.ENDPOINT, BLACKHOLE),)
            return fixed(root, Resource(cluster.build(BLACKHOLE, NOTHING), references))
        canonical = resource_name.without_object(name)
        target = resource_name.parse_canonical(canonical, self._domain)
        service, port, scope = self._select(target)
        balancing, load_reporting = port.policy.balancing, self._options.load_reporting
        by_generation = balancing is not None and balancing.algorithm is Algorithm.RING_HASH
        by_provider = port.mtls.mode is not TlsMode.OFF or port.mtls.replaced_by > 0
        builder = GrpcClusterBuilder(
            name,
            canonical,
            service,
            port,
            scope,
            load_reporting,
            by_generation,
            by_provider,
            Width.KIND if load_reporting or by_generation or by_provider else Width.EVERYBODY,
        )
        return Plan(root, builder, frozenset({target.service}), service)
