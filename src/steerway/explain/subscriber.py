"""The clients of streams, and their limitations for the services that they are subscribed to."""

from collections.abc import Collection, Iterable, Iterator

from steerway.catalog.locality.traffic_distribution import UNKNOWN
from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.mesh import Port, Service
from steerway.catalog.model.policy import NOTHING
from steerway.errors import TranslateError
from steerway.explain import limitation
from steerway.explain.subscribed_name import find_target
from steerway.translate import resource_name, server_name
from steerway.translate.client import node as nodes
from steerway.translate.client.audience import Audience, Width, decode, unlocated
from steerway.translate.client.client import Client
from steerway.translate.client.metadata import GATEWAY
from steerway.translate.destination import Find
from steerway.translate.dialect.base import Configuration, unrestricted
from steerway.translate.dialect.envoy import ROUTES
from steerway.translate.envoy import exposure
from steerway.translate.xds import type_url

_OF_CALLS = (type_url.LISTENER, type_url.ROUTE)


class Subscribers:
    """For one list of streams. Limitations are kept by kind of client and name, since many streams share them.

    `services`: all, since the routes of an Envoy are of all services. `configuration`: of xDS servers.
    """

    def __init__(
        self,
        find: Find,
        domain: str,
        services: Collection[ServiceId] = (),
        configuration: Configuration = unrestricted,
    ) -> None:
        self._configuration = configuration
        self._find = find
        self._domain = domain
        self._services = services
        self._by_name: dict[tuple[Client, Audience, str, str], tuple[str, ...]] = {}

    def client(self, node: bytes) -> str:
        """The library and version that a Node names."""
        return str(nodes.client_of(node))

    def limitations(self, node: bytes, audience: str, subscribed: Iterable[tuple[str, str]]) -> list[str]:
        """Sentences about each service, which begin with it. `subscribed`: (type_url, name) of a stream."""
        return self.limitations_of(nodes.client_of(node), unlocated(decode(audience)), subscribed)

    def limitations_of(
        self, client: Client, audience: Audience, subscribed: Iterable[tuple[str, str]]
    ) -> list[str]:
        """The same of a client of an audience without a locality."""
        sentences: dict[str, None] = {}
        namespace_alone = audience.widened(Width.NAMESPACE)
        for served, name in subscribed:
            of_server = served == type_url.LISTENER and server_name.is_listener(name)
            key = (client, audience if of_server else namespace_alone, served, name)
            if key not in self._by_name:
                self._by_name[key] = self._of_name(*key)
            sentences |= dict.fromkeys(self._by_name[key])
        return list(sentences)

    def _of_name(self, client: Client, audience: Audience, served: str, name: str) -> tuple[str, ...]:
        """For a listener or route the limitations of calls, for a cluster those of its endpoints; for the routes of an
        Envoy both, of all services."""
        namespace = audience.namespace
        if served == type_url.LISTENER and server_name.is_listener(name):
            return tuple(self._of_server(client, audience, name))
        if served == type_url.ROUTE and name in ROUTES:
            gateway = ROUTES[name] == GATEWAY
            return tuple(self._of_envoy(client, namespace, gateway))
        target = find_target(served, name, namespace if served == type_url.LISTENER else "", self._domain)
        service = None if target is None else self._find(target.service)
        if target is None or service is None or not service.is_for(namespace):
            return ()
        try:
            port = resource_name.select_port(service, target.port)
        except TranslateError:
            return ()
        sentences: tuple[str, ...] = ()
        if served in _OF_CALLS:
            pod = bool(target.pod)
            sentences = limitation.of_calls(service, port, namespace, self._find, client, pod)
        elif served == type_url.CLUSTER:
            bootstrap = () if audience.provider or not client.is_grpc else limitation.of_bootstrap(port)
            sentences = (*bootstrap, *limitation.of_endpoints(service, port, client))
        return tuple(_about(service, port, sentences))

    def _of_server(self, client: Client, audience: Audience, name: str) -> Iterator[str]:
        """About a server, by the address that it listens on."""
        try:
            address = server_name.parse_listener(name)
        except TranslateError:
            return
        workload = "" if audience.workload == UNKNOWN else audience.workload
        configuration = self._configuration(audience.namespace, workload, address.port)
        about = ", ".join(map(str, configuration.services)) or audience.namespace
        for sentence in limitation.of_server(configuration, client):
            yield f"server of {about}, port {address.port}: {sentence}"

    def _of_envoy(self, client: Client, namespace: str, gateway: bool) -> Iterator[str]:
        for id in sorted(self._services):
            service = self._find(id)
            for port in () if service is None else exposure.ports(service, namespace, gateway):
                if service is not None and (port.policy is not NOTHING or port.routing.tables):
                    yield from _about(
                        service, port, limitation.of(service, port, namespace, self._find, client)
                    )


def _about(service: Service, port: Port, sentences: Iterable[str]) -> Iterator[str]:
    about = f"{service.id}:{port.number}" if port.number else str(service.id)
    return (f"{about}: {sentence}" for sentence in sentences)
