"""Builders of Listeners."""

from typing import NamedTuple

from steerway.translate import resource_name
from steerway.translate.answer import Resource
from steerway.translate.client.audience import Audience, Width
from steerway.translate.envoy import listener as envoy_listener
from steerway.translate.grpc import listener as grpc_listener
from steerway.translate.xds import type_url


class TargetListenerBuilder(NamedTuple):
    """The Listener of a target of gRPC clients. Those that miss returns get the route of the Service object."""

    name: str
    route: str
    """The canonical name of the service port."""
    uid: str
    scope: str
    width: Width

    def variant_key(self, audience: Audience) -> bool:
        return audience.misses_returns

    def build(self, misses_returns: bool) -> Resource:
        route = resource_name.of_object(self.route, self.uid) if misses_returns else self.route
        return Resource(grpc_listener.build(self.name, route), ((type_url.ROUTE, route),), self.scope)


class EnvoyListenerBuilder(NamedTuple):
    """The one Listener of an Envoy of a role, with the routes of its own name."""

    name: str
    address: str
    """HOST:PORT."""
    edge: bool
    """Whether its clients are not trusted."""
    width: Width = Width.EVERYBODY

    def variant_key(self, _audience: Audience) -> None:
        return None

    def build(self, _variant: None) -> Resource:
        body = envoy_listener.build(self.name, self.address, self.edge)
        return Resource(body, ((type_url.ROUTE, self.name),))
