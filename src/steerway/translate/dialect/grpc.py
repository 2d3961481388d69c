"""The dialect of gRPC clients: Listener, route, cluster and assignment of one name, for those who ask for it.

A name stands for one service port. Who must be told apart is decided here, resource by resource, so that what is the
same for all is made and published once: by namespace where routes or exports differ, by the generation of the library
where old ones would refuse something, by place and bucket where assignments differ.
"""

import functools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from steerway.catalog.locality import assignment
from steerway.catalog.locality.assignment import ClientView
from steerway.catalog.locality.traffic_distribution import ClientLocality
from steerway.catalog.model.mesh import Endpoint, Port, Service
from steerway.catalog.model.policy import NOTHING, Algorithm
from steerway.catalog.service.connection import refusal
from steerway.errors import TranslateError
from steerway.translate import destination, resource_name
from steerway.translate.answer import Content, Denied, Plan, Reason, Resource, missing, same
from steerway.translate.client.audience import ENVOY, Audience, Width
from steerway.translate.destination import BLACKHOLE, Destination, Find
from steerway.translate.grpc import cluster, listener, route
from steerway.translate.xds import endpoint, type_url

_EARLY_SECONDS = 2.0
"""grpc/grpc 34547 and 40633: between one and two in each process of C-core, seen in 1.85."""
_TYPES = (type_url.LISTENER, type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT)
_OF_TARGETS = (type_url.LISTENER, type_url.ROUTE)
"""The types by which clients begin, or a Service outside the scope would be a target."""
_Build = Callable[[Hashable], Resource]


class VariantKey(NamedTuple):
    """How many parts of an audience tell users apart, and what follows from them. 0: they are all told the same."""

    width: Width = Width.EVERYBODY
    variant: Callable[[Audience], Hashable] = lambda _: None


_ALIKE = VariantKey()


class _Assigned(NamedTuple):
    """Users whose assignments are the same."""

    client_view: ClientView = ClientView()
    never_empty: bool = False


class GrpcDialect:
    """Answers for gRPC clients. `find` gives a service of the catalog by its identity, `left_out` says why there is
    none.

    `scope_all`: every service may be withheld from some clients; else only private ones. `buckets`: how many parts
    clients are divided into, 0 for none.
    """

    def __init__(
        self,
        find: Find,
        domain: str,
        scope_all: bool,
        load_reporting: bool,
        buckets: int,
        left_out: resource_name.LeftOut,
    ) -> None:
        self._find = find
        self._left_out = left_out
        self._domain = domain
        self._scope_all = scope_all
        self._load_reporting = load_reporting
        self._buckets = buckets

    def root(self, served: str, name: str, audience: Audience) -> Audience:
        """The audience of all who would share an answer that is the same for them."""
        if served == type_url.LISTENER and resource_name.needs_namespace(name):
            return audience.widened(Width.NAMESPACE)
        return audience.widened(Width.DIALECT)

    def plan(self, served: str, name: str, root: Audience) -> Plan:
        """How a name is answered to audiences under `root`."""
        try:
            target = self._target(served, name, root)
        except TranslateError as error:
            if name == BLACKHOLE and served in (type_url.CLUSTER, type_url.ENDPOINT):
                return same(root, self._blackhole(served))
            return missing(root, Reason(error))
        services = {target.service}
        try:
            service, port = self._select(target, served)
        except TranslateError as error:
            nothing = missing if self._find(target.service) is None else same
            return nothing(root, Reason(error), frozenset(services))
        if served == type_url.ROUTE and not target.pod:
            services |= set(destination.dependencies(port))
        by_envoy = root.dialect == ENVOY
        variant_key, build = self._by_type(served, name, target, service, port, by_envoy)
        cached = functools.cache(functools.partial(_made, build))
        return Plan(
            lambda users: _contents(root, users, service, variant_key, cached),
            frozenset(services),
            endpoints=served == type_url.ENDPOINT,
        )

    def _target(self, served: str, name: str, root: Audience) -> resource_name.Target:
        if served not in _TYPES:
            raise TranslateError("no file gives it")
        if served == type_url.LISTENER:
            return resource_name.parse_target(name, root.namespace, self._domain)
        # Of an object that is gone, too: a client leaves those names only after it has heard of the new ones.
        canonical = name if served == type_url.ENDPOINT else resource_name.without_object(name)
        return resource_name.parse_canonical(canonical, self._domain)

    def _select(self, target: resource_name.Target, served: str) -> tuple[Service, Port]:
        service = self._find(target.service)
        if service is None or (service.outside and served in _OF_TARGETS):
            raise TranslateError(resource_name.unknown(target.service, self._left_out))
        port = resource_name.select_port(service, target.port)
        if service.external_name and target.pod:
            raise TranslateError(f"service {service.id} is an external name, and has no pods")
        return service, port

    def _by_type(
        self,
        served: str,
        name: str,
        target: resource_name.Target,
        service: Service,
        port: Port,
        by_envoy: bool,
    ) -> tuple[VariantKey, _Build]:
        """How users differ (None: not at all), and how the resource for those of one kind is made."""
        scope = str(service.id) if self._scope_all or service.private else ""
        canonical = target.canonical(port.number, self._domain)
        if served == type_url.LISTENER:
            return self._listeners(name, canonical, service, scope)
        if served == type_url.ROUTE:
            return self._routes(name, target, service, port, scope)
        if served == type_url.CLUSTER:
            return self._clusters(name, canonical, service, port, scope)
        return self._assignments(name, target, service, port, scope, by_envoy)

    def _listeners(
        self, name: str, canonical: str, service: Service, scope: str
    ) -> tuple[VariantKey, _Build]:
        def build(misses_returns: Hashable) -> Resource:
            route_name = resource_name.of_object(canonical, service.uid if misses_returns else "")
            return Resource(listener.build(name, route_name), ((type_url.ROUTE, route_name),), scope)

        return VariantKey(Width.KIND, lambda user: user.misses_returns) if service.uid else _ALIKE, build

    def _routes(
        self, name: str, target: resource_name.Target, service: Service, port: Port, scope: str
    ) -> tuple[VariantKey, _Build]:
        only: list[Destination] = []
        if target.pod:
            only = [destination.own(target.canonical(port.number, self._domain), port)]

        def build(variant: Hashable) -> Resource:
            namespace, early = variant if isinstance(variant, tuple) else ("", False)
            destinations, spare = only, []
            if not target.pod:
                destinations = destination.resolve(service, port, namespace, self._find, self._domain)
                spare = destination.spare(port, namespace, self._find, self._domain)
            if early:
                destinations = [_prolonged(routed) for routed in destinations]
            if name != resource_name.without_object(name):
                destinations, spare = (
                    [self._of_objects(routed) for routed in destinations],
                    [*map(self._of_object, spare)],
                )
            named = tuple((type_url.CLUSTER, cluster) for cluster in route.clusters(destinations, spare))
            return Resource(route.build(name, destinations, spare), named, scope)

        backends = [] if target.pod else [self._find(id) for id in destination.dependencies(port)]
        by_space = (not target.pod and bool(port.routing.consumers)) or any(
            backend is not None and (backend.exported_to is not None or backend.private)
            for backend in backends
        )
        timed = _is_timed(port, backends)

        def variant_key(user: Audience) -> Hashable:
            return user.namespace if by_space else "", timed and user.ends_early

        if by_space:
            return VariantKey(Width.NAMESPACE, variant_key), build
        return VariantKey(Width.KIND, variant_key) if timed else _ALIKE, build

    def _of_objects(self, target: Destination) -> Destination:
        shares = [replace(share, cluster=self._of_object(share.cluster)) for share in target.shares]
        return replace(target, shares=tuple(shares))

    def _of_object(self, cluster: str) -> str:
        """The name of a cluster for clients that miss returns."""
        if cluster == BLACKHOLE:
            return cluster
        service = self._find(resource_name.parse_canonical(cluster, self._domain).service)
        return cluster if service is None else resource_name.of_object(cluster, service.uid)

    def _clusters(
        self, name: str, canonical: str, service: Service, port: Port, scope: str
    ) -> tuple[VariantKey, _Build]:
        balancing, refused = port.policy.balancing, bool(refusal(port, envoy=False))
        aged = balancing is not None and balancing.algorithm is Algorithm.RING_HASH

        def variant_key(user: Audience) -> Hashable:
            report = self._load_reporting and user.reports_load
            return report, user.generation if aged else ""

        def build(variant: Hashable) -> Resource:
            report, level = variant if isinstance(variant, tuple) else (False, "")
            if service.external_name and not refused:
                body = cluster.build_dns(name, port.policy, service.external_name, port.number, report)
                return Resource(body, (), scope)
            body = cluster.build(name, port.policy, report, level, canonical)
            return Resource(body, ((type_url.ENDPOINT, canonical),), scope)

        return VariantKey(Width.KIND, variant_key) if self._load_reporting or aged else _ALIKE, build

    def _assignments(
        self,
        name: str,
        target: resource_name.Target,
        service: Service,
        port: Port,
        scope: str,
        by_envoy: bool,
    ) -> tuple[VariantKey, _Build]:
        # What nobody may connect to has no endpoints, also for one who knows the name of its cluster.
        refused = not by_envoy and bool(refusal(port, envoy=False))
        endpoints: Sequence[Endpoint] = () if refused else port.endpoints
        if target.pod:
            endpoints = [e for e in endpoints if e.hostname == target.pod]
        depends = assignment.sensitivity_of(service, port, endpoints, self._buckets)
        assigner = assignment.Assigner(service, port, endpoints)

        def variant_key(user: Audience) -> _Assigned:
            client_view = ClientView(
                user.locality if depends.locality else ClientLocality(),
                max(user.bucket, 0) if depends.bucket else 0,
                self._buckets if depends.bucket else 0,
                depends.draining and user.keeps_draining,
            )
            return _Assigned(client_view, user.keeps_withdrawn)

        def build(variant: Hashable) -> Resource:
            if service.external_name and not refused:
                raise TranslateError(
                    f"service {service.id} is an external name; clients of its cluster ask DNS"
                )
            to = variant if isinstance(variant, _Assigned) else _Assigned()
            return Resource(endpoint.build(name, assigner.assign(to.client_view), to.never_empty), (), scope)

        # By kind also while nothing drains: what comes and goes in every rollout must not move what is published.
        width = Width.BUCKET if depends.locality or depends.bucket else Width.KIND
        return VariantKey(width, variant_key), build

    def _blackhole(self, served: str) -> Resource:
        if served == type_url.CLUSTER:
            return Resource(cluster.build(BLACKHOLE, NOTHING), ((type_url.ENDPOINT, BLACKHOLE),))
        return Resource(endpoint.build(BLACKHOLE, ()))


def _contents(
    root: Audience,
    users: Iterable[Audience],
    service: Service,
    variant_key: VariantKey,
    made: Callable[[Hashable], Content],
) -> Mapping[Audience, Content]:
    """One answer for all; or one for each part of the users that must be told apart, equal ones made once."""
    width = max(variant_key.width, Width.NAMESPACE if service.exported_to is not None else Width.EVERYBODY)
    if not width:
        return {root: made(None)}
    contents: dict[Audience, Content] = {}
    for at in sorted({user.widened(width) for user in users}):
        namespace = at.namespace
        if not service.is_for(namespace):
            contents[at] = Denied(f"service {service.id} is not exported to {namespace}")
            continue
        contents[at] = made(variant_key.variant(at))
    return contents


def _is_timed(port: Port, backends: Iterable[Service | None]) -> bool:
    """Whether any call of a port may have a time-out."""
    policies = [port.policy, *(rule.policy for table in port.routing.tables for _, rule in table)]
    policies += [port.policy for service in backends if service is not None for port in service.ports]
    return any(policy.timeout_seconds for policy in policies)


def _prolonged(target: Destination) -> Destination:
    """For clients that count a time-out from one to two seconds before the call began: they end it up to a second late
    then, where they would else end calls that nobody wants ended, short ones always."""
    seconds = target.policy.timeout_seconds
    if not seconds:
        return target
    return replace(target, policy=replace(target.policy, timeout_seconds=seconds + _EARLY_SECONDS))


def _made(build: _Build, variant: Hashable) -> Content:
    try:
        return build(variant)
    except TranslateError as error:
        return Reason(error)
