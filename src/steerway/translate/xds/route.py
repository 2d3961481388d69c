"""Builders of RouteConfigurations."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from steerway.catalog.model.mesh import Port, Service
from steerway.translate import destination, resource_name
from steerway.translate.answer import Resource
from steerway.translate.client.audience import Audience, Width
from steerway.translate.destination import BLACKHOLE, Destination, Find
from steerway.translate.envoy import route as envoy_route
from steerway.translate.envoy.virtual_host import VirtualHosts
from steerway.translate.grpc import route as grpc_route
from steerway.translate.xds import type_url

_EARLY_SECONDS = 2.0
"""grpc/grpc 34547 and 40633: between one and two in each process of C-core, seen in 1.85."""


class _PortRouteVariant(NamedTuple):
    namespace: str
    prolonged: bool


class PortRouteBuilder(NamedTuple):
    """The routes of a service port for gRPC clients: by namespace where they or exports of backends differ, and with
    prolonged timeouts for clients that end calls early."""

    name: str
    canonical: str
    """The name of the service port, and of the cluster of its own endpoints."""
    pod: str
    service: Service
    port: Port
    find: Find
    domain: str
    scope: str
    sensitivity: destination.Sensitivity
    width: Width

    def variant_key(self, audience: Audience) -> _PortRouteVariant:
        namespace = audience.namespace if self.sensitivity.namespace else ""
        return _PortRouteVariant(namespace, self.sensitivity.timeout and audience.ends_early)

    def build(self, variant: _PortRouteVariant) -> Resource:
        destinations, spare = self._destinations(variant.namespace)
        if variant.prolonged:
            destinations = [_prolonged(target) for target in destinations]
        if self.name != self.canonical:
            destinations = [self._of_objects(target) for target in destinations]
            spare = [self._of_object(cluster) for cluster in spare]
        clusters = grpc_route.clusters(destinations, spare)
        references = tuple((type_url.CLUSTER, cluster) for cluster in clusters)
        return Resource(grpc_route.build(self.name, destinations, spare), references, self.scope)

    def _destinations(self, namespace: str) -> tuple[list[Destination], list[str]]:
        if self.pod:
            return [destination.own(self.canonical, self.port)], []
        return destination.with_spare(self.service, self.port, namespace, self.find, self.domain)

    def _of_objects(self, target: Destination) -> Destination:
        shares = [replace(share, cluster=self._of_object(share.cluster)) for share in target.shares]
        return replace(target, shares=tuple(shares))

    def _of_object(self, cluster: str) -> str:
        """The name of a cluster for clients that miss returns."""
        if cluster == BLACKHOLE:
            return cluster
        service = self.find(resource_name.parse_canonical(cluster, self.domain).service)
        return cluster if service is None else resource_name.of_object(cluster, service.uid)


class NamespaceRouteBuilder(NamedTuple):
    """The routes of all services for the Envoys of a namespace and role. `gateway`: the port of gateways."""

    name: str
    audience: Audience
    services: Sequence[Service]
    virtual_hosts: VirtualHosts
    gateway: int | None
    width: Width = Width.EVERYBODY

    def variant_key(self, _audience: Audience) -> None:
        return None

    def build(self, _variant: None) -> Resource:
        limit = self.audience.program_size
        parts = self.virtual_hosts.parts(self.services, self.audience.namespace, self.gateway, limit)
        clusters = sorted({cluster for part in parts for cluster in part.clusters})
        references = tuple((type_url.CLUSTER, cluster) for cluster in clusters)
        return Resource(envoy_route.build(self.name, parts), references)


def _prolonged(target: Destination) -> Destination:
    """For clients that count a timeout from one to two seconds before the call began: they end it up to a second late
    then, where they would else end calls before their timeout, short ones always."""
    seconds = target.policy.timeout_seconds
    if not seconds:
        return target
    return replace(target, policy=replace(target.policy, timeout_seconds=seconds + _EARLY_SECONDS))
