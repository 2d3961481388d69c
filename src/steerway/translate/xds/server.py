"""Builders of the resources of xDS servers.

A configuration that a server must not be served with gives no Listener, so that a starting server does not serve. One
that serves already keeps its Listener where it ignores deletions (gRFC A53), as in the bootstraps of steerway; its
routes refuse every call then. So a policy counts at once, on every replica alike, and connections stay until it is met.
"""

from collections.abc import Callable
from typing import NamedTuple

from steerway.catalog.locality.traffic_distribution import UNKNOWN
from steerway.catalog.model.security import Authorization, ServerConfiguration, TlsMode
from steerway.translate.answer import Content, Reason, Resource
from steerway.translate.client.audience import Audience, Width
from steerway.translate.client.metadata import CERTIFICATE_PROVIDER
from steerway.translate.grpc import rbac, server_listener, server_route
from steerway.translate.server_name import ListeningAddress, ServerRoute
from steerway.translate.xds import type_url


class _Library(NamedTuple):
    """What matters of the library and the bootstrap of a server."""

    provider: bool
    rbac: bool
    audit: bool

    @classmethod
    def of(cls, audience: Audience) -> "_Library":
        return cls(audience.provider, audience.has_rbac, audience.audits)

    @property
    def filters(self) -> tuple[str, ...]:
        """All RBAC filters that the library supports, so that none is added to a listener that is in use."""
        filters = (rbac.DENY, rbac.ALLOW) if self.rbac else ()
        return (*filters, rbac.AUDIT) if self.audit else filters

    def refusal(self, configuration: ServerConfiguration) -> str:
        """Why a server is not served; "" when it is."""
        if configuration.fault:
            return configuration.fault
        origins = dict(configuration.origins)
        if configuration.tls is not TlsMode.OFF and not self.provider:
            return (
                f"TLS is {configuration.tls.name.lower()} ({origins.get('tls', 'by policy')}), and the bootstrap of the"
                f" server has no certificate provider {CERTIFICATE_PROVIDER!r}: inject certificates, or write the"
                " bootstrap with `steerway bootstrap --certificates`"
            )
        if configuration.authorization.enforces and not self.rbac and not configuration.serve_unsupported:
            return (
                f"calls are authorized ({origins.get('authorization', 'by policy')}), which the library of the server"
                " does not support: use another library, or set authorization.unsupported: Serve in a ServerPolicy"
            )
        return ""

    def authorization(self, configuration: ServerConfiguration) -> Authorization:
        """The part that the library supports."""
        return configuration.authorization if self.rbac else Authorization()


class _ListenerVariant(NamedTuple):
    workload: str
    library: _Library


class ServerListenerBuilder(NamedTuple):
    """The Listener of servers in one namespace that listen on one address, by their workload."""

    name: str
    address: ListeningAddress
    namespace: str
    configuration: Callable[[str, str, int], ServerConfiguration]
    width: Width = Width.WORKLOAD

    def variant_key(self, audience: Audience) -> _ListenerVariant:
        workload = "" if audience.workload == UNKNOWN else audience.workload
        return _ListenerVariant(workload, _Library.of(audience))

    def build(self, variant: _ListenerVariant) -> Content:
        workload, library = variant
        configuration = self.configuration(self.namespace, workload, self.address.port)
        if reason := library.refusal(configuration):
            return Reason(reason)
        route = str(ServerRoute(self.namespace, workload, self.address.port))
        body = server_listener.build(self.name, self.address, route, configuration.tls, library.filters)
        return Resource(body, ((type_url.ROUTE, route),))


class ServerRouteBuilder(NamedTuple):
    """The routes of the servers of one workload for a port: for clients of their namespace alone."""

    name: str
    route: ServerRoute
    configuration: ServerConfiguration
    width: Width = Width.NAMESPACE

    def variant_key(self, audience: Audience) -> _Library | None:
        return _Library.of(audience) if audience.namespace == self.route.namespace else None

    def build(self, variant: _Library | None) -> Content:
        if variant is None:
            return Reason(f"routes of servers are for clients in namespace {self.route.namespace} alone")
        if variant.refusal(self.configuration):
            return Resource(server_route.build_refusal(self.name))
        authorization = variant.authorization(self.configuration)
        return Resource(server_route.build(self.name, authorization, variant.audit))
