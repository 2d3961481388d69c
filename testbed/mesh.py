"""Services and EndpointSlices in few words, and a mesh of catalog and translator that a test's client can dial.

There are no sockets: a client follows Listener, route, cluster and assignment as a gRPC client does, and checks each by
`tests.support.model.client_rules`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import health_check_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from steerway.catalog.catalog import Catalog
from steerway.catalog.locality.assignment import ClientView, Group, assign
from steerway.catalog.model.mesh import Endpoint as CatalogEndpoint
from steerway.catalog.model.mesh import Port, ServiceId
from steerway.catalog.model.mesh import Service as CatalogService
from steerway.catalog.model.policy import NOTHING
from steerway.catalog.model.route import Match
from steerway.catalog.service.scope import Selection
from steerway.commit import Commit
from steerway.sources.objects.core import (
    SERVICE_NAME_LABEL,
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
    Object,
    ObjectKey,
    ObjectMeta,
    Service,
    ServiceMeta,
    ServicePort,
    ServiceSpec,
    XdsResource,
)
from steerway.translate.destination import Destination, Share
from steerway.translate.translator import Demand, Translator
from steerway.translate.xds import type_url
from testbed.translator_options import translator_options
from tests.support.model import client_rules

NAMESPACE = "shop"
BUCKETS = 4
UNKNOWN = f"grpc/unknown/{NAMESPACE}"
CORE = f"grpc/core/{NAMESPACE}"
NO_LRS = f"grpc/no-lrs/{NAMESPACE}"
ENVOY = f"envoy/sidecar/{NAMESPACE}"
GATEWAY = f"envoy/gateway/{NAMESPACE}"


def service(
    *ports: ServicePort | int,
    name: str = "backend",
    namespace: str = NAMESPACE,
    type: str | None = None,
    ip_families: list[str] | None = None,
    publish_not_ready_addresses: bool = False,
    external_name: str | None = None,
    uid: str | None = None,
    **spec: str,
) -> Service:
    """A Service; a port that is a number is an unnamed one. With `external_name` it has that type."""
    made = ServiceSpec(
        ports=[ServicePort(port) if isinstance(port, int) else port for port in ports],
        type="ExternalName" if external_name is not None else type,
        external_name=external_name,
        ip_families=ip_families,
        publish_not_ready_addresses=publish_not_ready_addresses,
        **spec,
    )
    return Service(ServiceMeta(name, namespace, uid=uid), made)


def endpoint(
    address: str,
    zone: str | None = None,
    hostname: str | None = None,
    ready: bool | None = None,
    serving: bool | None = None,
    terminating: bool | None = None,
    node: str | None = None,
) -> Endpoint:
    """One pod, with the conditions that are given."""
    conditions = EndpointConditions(ready, serving, terminating)
    return Endpoint([address], conditions, hostname, node_name=node, zone=zone)


def endpoint_slice(
    *endpoints: Endpoint | str,
    port: int | None = 50051,
    port_name: str | None = None,
    protocol: str | None = None,
    ports: list[EndpointPort] | None = None,
    name: str = "backend-1",
    service: str = "backend",
    namespace: str = NAMESPACE,
    address_type: str = "IPv4",
) -> EndpointSlice:
    """A slice of a Service with one port, or with `ports`; an endpoint that is an address is a ready pod."""
    return EndpointSlice(
        ObjectMeta(name, namespace, labels={SERVICE_NAME_LABEL: service}),
        address_type,
        [endpoint(item) if isinstance(item, str) else item for item in endpoints],
        [EndpointPort(port_name, port, protocol)] if ports is None else ports,
    )


Content = tuple[bytes, tuple[tuple[str, str], ...], str]
"""A resource, the others that it names, and its scope."""


def groups(endpoints: Sequence[CatalogEndpoint], draining: bool = True) -> list[Group]:
    """The state of endpoints without a health status as a client gets it; `draining`: it knows that state."""
    port = Port(1, endpoints=tuple(endpoints))
    return assign(
        CatalogService(ServiceId(NAMESPACE, "backend"), (port,)),
        port,
        endpoints,
        ClientView(draining=draining),
    )


def everything(cluster: str) -> Destination:
    """Every call goes to one cluster."""
    return Destination(Match(), (Share(cluster, 1),), NOTHING)


class AbsentError(LookupError):
    """A resource does not exist for a client; `str()` is the reason that operators see."""


@dataclass
class Published:
    """The engine's store, as far as its answers go: (type_url, name, audience) → content, or the reason for none."""

    entries: dict[tuple[str, str, str], Content | str] = field(default_factory=dict)
    complete: set[tuple[str, str]] = field(default_factory=set)
    missing: dict[Demand, str] = field(default_factory=dict)
    """Demands that the translator keeps nothing of, with the service that each waits for."""

    def changed(self, services: Iterable[ServiceId], names: Sequence[tuple[str, str]]) -> list[Demand]:
        """What is demanded anew because these changed."""
        ids = {str(service) for service in services}
        again = [key for key, service in self.missing.items() if service in ids or key[:2] in names]
        for key in again:
            del self.missing[key], self.entries[key]
        return again

    def apply(self, commit: Commit) -> None:
        """Take in a commit. A key stands in it once; what is forgotten was there; what is put is another one."""
        keys = [entry[:3] for changes in _keyed(commit) for entry in changes]
        assert len(keys) == len(set(keys)), keys
        for put in commit.put:
            key, content = list(put[:3]), (put.body, put.references, put.scope)
            assert self._replace(key, content), f"{key} is published again without a change"
        for missing in commit.missing:
            assert self._replace(list(missing[:3]), missing.reason), f"{missing} is reported missing again"
            self.missing[missing[:3]] = missing.service
        for absent in (*commit.absent, *commit.denied):
            assert absent.reason
            assert self._replace(list(absent[:3]), absent.reason), f"{absent} is reported absent again"
        for forgotten in commit.forget:
            del self.entries[tuple(forgotten)]
        self.complete |= set(commit.complete)

    def _replace(self, key: list[str], content: Content | str) -> bool:
        served, name, audience = key
        before = self.entries.get((served, name, audience))
        self.entries[served, name, audience] = content
        return content != before

    def body(self, served: str, name: str, audience: str) -> bytes:
        """What a client of this audience gets."""
        result = self.seen(served, name, audience)
        if isinstance(result, str):
            raise AbsentError(result)
        assert result is not None, f"{name} was demanded and is not answered"
        return result[0]

    def seen(self, served: str, name: str, audience: str) -> Content | str | None:
        """The entry of the most exact audience that has one."""
        parts = audience.split("/")
        wider = ("/".join(parts[:length]) for length in range(len(parts), -1, -1))
        entries = (self.entries.get((served, name, at)) for at in wider)
        return next((content for content in entries if content is not None), None)

    def as_seen(self, wanted: Iterable[Demand]) -> tuple[object, object]:
        """All resources, and the answer to each demand: the order of absent names does not matter."""
        resources = {key: content for key, content in self.entries.items() if not isinstance(content, str)}
        return resources, {key: self.seen(*key) for key in wanted}


def _keyed(commit: Commit) -> tuple[Sequence[tuple[Any, ...]], ...]:
    return commit.put, commit.absent, commit.denied, commit.forget, commit.missing


class Mesh:
    """Facts in, answers out; every commit on the way is checked."""

    def __init__(
        self,
        *objects: Object,
        only: Iterable[str] = (),
        cluster_domain: str = "cluster.local",
        scope_all: bool = False,
        load_reporting: bool = False,
    ) -> None:
        self.facts: dict[ObjectKey, Object] = {}
        self.catalog = Catalog(Selection(frozenset(only)))
        self.translator = Translator(
            self.catalog.service,
            **translator_options(
                cluster_domain=cluster_domain, load_reporting=load_reporting, buckets=BUCKETS
            ),
            scope_all=scope_all,
            services=lambda: self.catalog,
            left_out=self.catalog.left_out,
        )
        self.published = Published()
        self.published.apply(self.translator.start(()))
        self.update(*objects)

    def update(self, *objects: Object, delete: Sequence[ObjectKey] = ()) -> Commit:
        """Objects came, changed or went, as one batch."""
        for obj in objects:
            self.facts[obj.key] = obj
        for key in delete:
            del self.facts[key]
        keys = [*(obj.key for obj in objects), *delete]
        raw = [(key.namespace, key.name) for key in keys if key.kind == XdsResource.__name__]
        documents = [(name, self._document(name)) for name in raw]
        services = self.catalog.update(self.facts.get, keys)
        commit = self.translator.refresh(services, documents)
        self.published.apply(commit)
        if again := self.published.changed(services, raw):
            renewed = self.demand(*again)
            commit.put += renewed.put
            commit.absent += renewed.absent
            commit.missing += renewed.missing
        return commit

    def demand(self, *wanted: Demand) -> Commit:
        """Clients subscribed."""
        # The engine raises a demand once, until it is withdrawn.
        new = [key for key in dict.fromkeys(wanted) if key not in self.published.missing]
        commit = self.translator.demand(new)
        self.published.apply(commit)
        return commit

    def withdraw(self, *unwanted: Demand) -> Commit:
        """The last clients of these went."""
        for key in unwanted:
            if self.published.missing.pop(key, None) is not None:
                del self.published.entries[key]
        commit = self.translator.withdraw(unwanted)
        self.published.apply(commit)
        return commit

    def get(self, served: str, name: str, audience: str = UNKNOWN) -> bytes:
        """Subscribe and take the answer, which every gRPC client must accept. AbsentError carries the reason."""
        self.demand((served, name, audience))
        body = self.published.body(served, name, audience)
        assert client_rules.refusals(served, name, body) == []
        return body

    def assignment(self, target: str, audience: str = UNKNOWN) -> endpoint_pb2.ClusterLoadAssignment:
        """What a client that dials `xds:///TARGET` ends at, all resources on the way being valid: host names for an
        external name."""
        listener = listener_pb2.Listener.FromString(self.get(type_url.LISTENER, target, audience))
        manager = hcm_pb2.HttpConnectionManager.FromString(listener.api_listener.api_listener.value)
        name = manager.rds.route_config_name
        route = route_pb2.RouteConfiguration.FromString(self.get(type_url.ROUTE, name, audience))
        action = route.virtual_hosts[0].routes[0].route
        cluster = cluster_pb2.Cluster.FromString(self.get(type_url.CLUSTER, action.cluster, audience))
        if cluster.type == cluster_pb2.Cluster.LOGICAL_DNS:
            return cluster.load_assignment
        name = cluster.eds_cluster_config.service_name
        return endpoint_pb2.ClusterLoadAssignment.FromString(self.get(type_url.ENDPOINT, name, audience))

    def walk(self, target: str, audience: str = UNKNOWN) -> dict[str, bytes]:
        """Every cluster that calls to `xds:///TARGET` may go to, by its name; all resources on the way are there and
        valid."""
        listener = listener_pb2.Listener.FromString(self.get(type_url.LISTENER, target, audience))
        manager = hcm_pb2.HttpConnectionManager.FromString(listener.api_listener.api_listener.value)
        body = self.get(type_url.ROUTE, manager.rds.route_config_name, audience)
        results = {}
        for route in route_pb2.RouteConfiguration.FromString(body).virtual_hosts[0].routes:
            weighted = [cluster.name for cluster in route.route.weighted_clusters.clusters]
            for name in weighted or [route.route.cluster]:
                results[name] = self.get(type_url.CLUSTER, name, audience)
                cluster = cluster_pb2.Cluster.FromString(results[name])
                if cluster.type == cluster_pb2.Cluster.EDS:
                    self.get(type_url.ENDPOINT, cluster.eds_cluster_config.service_name, audience)
        return results

    def dial(self, target: str, audience: str = UNKNOWN) -> list[str]:
        """The addresses that get new traffic from a client that dials `xds:///TARGET`, in order."""
        return addresses(self.assignment(target, audience), health_check_pb2.HEALTHY)

    def _document(self, name: tuple[str, str]) -> XdsResource | None:
        fact = self.facts.get(ObjectKey(XdsResource.__name__, *name))
        return fact if isinstance(fact, XdsResource) else None


def addresses(assignment: endpoint_pb2.ClusterLoadAssignment, health: int) -> list[str]:
    """`ADDRESS:PORT` of the endpoints in this state, in order."""
    return [
        f"{socket.address}:{socket.port_value}"
        for locality in assignment.endpoints
        for lb_endpoint in locality.lb_endpoints
        if lb_endpoint.health_status == health
        for socket in [lb_endpoint.endpoint.address.socket_address]
    ]


def zones(assignment: endpoint_pb2.ClusterLoadAssignment) -> list[tuple[str, int, int]]:
    """(zone, weight, number of endpoints) of each locality, in order."""
    return [
        (item.locality.zone, item.load_balancing_weight.value, len(item.lb_endpoints))
        for item in assignment.endpoints
    ]
