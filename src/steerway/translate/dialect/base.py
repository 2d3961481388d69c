"""What the dialects share: the service port that a name means, and assignments."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from steerway.catalog.locality import assignment
from steerway.catalog.model.mesh import Port, Service, ServiceId
from steerway.catalog.model.security import ServerConfiguration
from steerway.catalog.service.connection import refusal
from steerway.errors import TranslateError
from steerway.translate import resource_name
from steerway.translate.answer import Reason, Resource
from steerway.translate.client.audience import ENVOY, Audience, Width
from steerway.translate.client.metadata import GATEWAY, SIDECAR
from steerway.translate.destination import BLACKHOLE, Find
from steerway.translate.plan import Plan, fixed, missing
from steerway.translate.resource_name import LeftOut, Target
from steerway.translate.xds import endpoint
from steerway.translate.xds.endpoint import EndpointBuilder

Configuration = Callable[[str, str, int], ServerConfiguration]
"""Of the servers of a workload ("": not known) in a namespace, for a port that they listen on."""


class DialectOptions(NamedTuple):
    """`find` gives a service of the catalog by its identity, `left_out` the reason why there is none.

    `scope_all`: every service may be withheld from some clients; else only private ones. `buckets`: how many parts
    clients are divided into, 0 for none.
    """

    find: Find
    domain: str
    scope_all: bool
    load_reporting: bool
    buckets: int
    left_out: LeftOut
    configuration: Configuration


def unrestricted(_namespace: str, _workload: str, _port: int) -> ServerConfiguration:
    """Plaintext, and every call."""
    return ServerConfiguration()


class Selection(NamedTuple):
    """The service port that a name means."""

    service: Service
    port: Port
    scope: str
    """What a grant must cover; see `commit.Put`."""


class UnselectedError(TranslateError):
    """A name means a service, and there is no such service or port."""

    def __init__(self, reason: str, service: ServiceId) -> None:
        super().__init__(reason)
        self.service = service


class Dialect(ABC):
    """What clients of one kind are answered."""

    def __init__(self, options: DialectOptions) -> None:
        self._options = options
        self._find = options.find
        self._domain = options.domain

    @abstractmethod
    def root(self, served: str, name: str, audience: Audience) -> Audience:
        """The audience of all clients that would share an answer without variants."""

    def plan(self, served: str, name: str, root: Audience) -> Plan:
        """How a name is answered to audiences under `root`."""
        try:
            return self._plan(served, name, root)
        except UnselectedError as error:
            nothing = missing if self._find(error.service) is None else fixed
            return nothing(root, Reason(error), frozenset({error.service}))
        except TranslateError as error:
            return missing(root, Reason(error))

    @abstractmethod
    def _plan(self, served: str, name: str, root: Audience) -> Plan:
        """TranslateError where the name means nothing, UnselectedError where its service or port does not exist."""

    def _select(self, target: Target, *, routed: bool = False, pods: bool = True) -> Selection:
        """The service port of a target. `routed`: clients begin with the name, so that the service must be in the
        scope. `pods`: whether it may be a single pod."""
        service = self._find(target.service)
        if service is None or (routed and service.outside):
            reason = resource_name.unknown(target.service, self._options.left_out)
            raise UnselectedError(reason, target.service)
        if target.pod and not pods:
            raise UnselectedError("Envoy gets clusters of whole services, not of single pods", service.id)
        try:
            port = resource_name.select_port(service, target.port)
        except TranslateError as error:
            raise UnselectedError(str(error), service.id) from None
        if service.external_name and target.pod:
            raise UnselectedError(f"service {service.id} is an external name, and has no pods", service.id)
        scope = str(service.id) if self._options.scope_all or service.private else ""
        return Selection(service, port, scope)

    def _endpoints(self, name: str, root: Audience) -> Plan:
        any_health = root.dialect == ENVOY and root.kind in (SIDECAR, GATEWAY)
        if name == BLACKHOLE:
            body = endpoint.build(BLACKHOLE, ())
            return fixed(root, Resource(endpoint.any_health(body) if any_health else body))
        target = resource_name.parse_canonical(name, self._domain)
        service, port, scope = self._select(target)
        # A port that nothing may connect to has no endpoints, also for a client that knows the name of its cluster.
        refused = root.dialect != ENVOY and bool(refusal(port, envoy=False))
        endpoints = () if refused else port.endpoints
        if target.pod:
            endpoints = tuple(member for member in endpoints if member.hostname == target.pod)
        sensitivity = assignment.sensitivity_of(service, port, endpoints, self._options.buckets)
        # By kind also while nothing drains: what comes and goes in every rollout must not move what is published.
        located = sensitivity.locality or sensitivity.bucket
        builder = EndpointBuilder(
            name,
            service,
            assignment.Assigner(service, port, endpoints),
            sensitivity,
            self._options.buckets,
            scope,
            by_dns=bool(service.external_name) and not refused,
            any_health=any_health,
            width=Width.BUCKET if located else Width.KIND,
        )
        return Plan(root, builder, frozenset({target.service}), service, endpoints=True)
