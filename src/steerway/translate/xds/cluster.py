"""Builders of Clusters."""

from typing import NamedTuple

from steerway.catalog.model.mesh import Port, Service
from steerway.catalog.model.security import PLAINTEXT, PortTls, TlsMode
from steerway.catalog.service.connection import refusal
from steerway.translate.answer import Resource
from steerway.translate.client.audience import Audience, Width
from steerway.translate.envoy import cluster as envoy_cluster
from steerway.translate.grpc import cluster as grpc_cluster
from steerway.translate.xds import type_url


class _GrpcClusterVariant(NamedTuple):
    reports_load: bool
    generation: str
    tls: bool


class GrpcClusterBuilder(NamedTuple):
    """The Cluster of a service port for gRPC clients: with load reports for those that may send them, and the balancing
    of their generation where old clients would refuse it."""

    name: str
    assignment: str
    """The canonical name of the service port."""
    service: Service
    port: Port
    scope: str
    load_reporting: bool
    by_generation: bool
    by_provider: bool
    width: Width

    def variant_key(self, audience: Audience) -> _GrpcClusterVariant:
        return _GrpcClusterVariant(
            self.load_reporting and audience.reports_load,
            audience.generation if self.by_generation else "",
            self.by_provider and audience.provider,
        )

    def build(self, variant: _GrpcClusterVariant) -> Resource:
        reports_load, generation, tls = variant
        policy, external_name = self.port.policy, self.service.external_name
        if external_name and not refusal(self.port, envoy=False):
            body = grpc_cluster.build_dns(self.name, policy, external_name, self.port.number, reports_load)
            return Resource(body, (), self.scope)
        assignment, mtls = self._secured() if tls else (self.assignment, PLAINTEXT)
        # Never to a client without the provider, which refuses the cluster and keeps its last one (gRFC A29).
        identities = () if mtls.mode is TlsMode.OFF else mtls.identities
        body = grpc_cluster.build(self.name, policy, reports_load, generation, assignment, identities)
        return Resource(body, ((type_url.ENDPOINT, assignment),), self.scope)

    def _secured(self) -> tuple[str, PortTls]:
        """The assignment and the TLS of clients with a certificate provider: those of the port that replaces this
        one."""
        number = self.port.mtls.replaced_by
        other = self.service.port(number) if number else None
        if other is None:
            return self.assignment, self.port.mtls
        return f"{self.assignment.rpartition(':')[0]}:{number}", other.mtls


class EnvoyClusterBuilder(NamedTuple):
    """The Cluster of a service port for Envoys."""

    name: str
    assignment: str
    """The canonical name of the service port."""
    service: Service
    port: Port
    scope: str
    system_ca_file: str
    width: Width = Width.EVERYBODY

    def variant_key(self, _audience: Audience) -> None:
        return None

    def build(self, _variant: None) -> Resource:
        external_name = self.service.external_name
        body = envoy_cluster.build(self.name, self.port, external_name, self.assignment, self.system_ca_file)
        references = () if external_name else ((type_url.ENDPOINT, self.assignment),)
        return Resource(body, references, self.scope)
