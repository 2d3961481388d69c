"""The endpoints that one client gets for a target, and why it does not get the others.

Clusters and assignments are those that the client receives, byte by byte; thread-safe if the explainer is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from envoy.config.core.v3 import health_check_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2

from steerway.catalog.locality.client_locality import PodLocality
from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.mesh import EndpointState, Port, Service
from steerway.errors import TranslateError
from steerway.explain import left_out
from steerway.explain.explainer import Case, Connected, Explainer, Question
from steerway.explain.left_out import LeftOut, Receiver
from steerway.explain.target_row import LeftOutRow, TargetCluster, TargetEndpoint, TargetRow
from steerway.sources.objects.core import EndpointSlice
from steerway.translate import destination, resource_name
from steerway.translate.destination import BLACKHOLE
from steerway.translate.resource_name import Target
from steerway.translate.xds import endpoint, type_url

_STATES: Mapping[int, EndpointState] = {
    health_check_pb2.HEALTHY: EndpointState.HEALTHY,
    health_check_pb2.DRAINING: EndpointState.DRAINING,
}
_Locality: TypeAlias = endpoint_components_pb2.LocalityLbEndpoints


class Targets(NamedTuple):
    """`slices` returns the EndpointSlices of a service, `pod_at` the pod at an address, if one is known."""

    explainer: Explainer
    slices: Callable[[ServiceId], Sequence[EndpointSlice]]
    pod_at: Callable[[str], PodLocality | None]

    def row(self, question: Question, connected: Connected | None = None) -> TargetRow:
        """What the client in the question, or the connected one, gets. An invalid target is an error in the row."""
        try:
            case = self.explainer.case(question, connected)
        except TranslateError as invalid:
            return TargetRow(question.target, None, None, None, [], [], str(invalid))
        resources = self.explainer.resources(question, case)
        absent: str | None = resources[0]["absent"] if resources else None
        return TargetRow(
            target=question.target,
            service=str(case.service.id),
            port=case.port.number or None,
            name=case.target.canonical(case.port.number, self.explainer.domain),
            clusters=[] if absent else self._clusters(case, resources),
            limitations=self.explainer.limitations(case),
            error=absent,
        )

    def _clusters(self, case: Case, resources: Iterable[dict[str, Any]]) -> list[TargetCluster]:
        weights = self._weights(case)
        bodies = {
            (resource["type_url"], resource["name"]): resource["body"]
            for resource in resources
            if resource["body"] is not None
        }
        names = {name for served, name in bodies if served == type_url.CLUSTER}
        return [
            self._cluster(case, name, weights.get(_canonical(name)), bodies)
            for name in sorted(names, key=lambda name: (-(weights.get(_canonical(name)) or 0), name))
            if name != BLACKHOLE or BLACKHOLE in weights
        ]

    def _weights(self, case: Case) -> dict[str, float | None]:
        """The share of the requests of each cluster, None where rules differ."""
        explainer = self.explainer
        if case.target.pod:
            return {case.target.canonical(case.port.number, explainer.domain): 1.0}
        destinations = destination.resolve(
            case.service, case.port, case.namespace, explainer.find, explainer.domain, case.envoy
        )
        tables: list[dict[str, float]] = []
        for choice in destinations:
            total = sum(share.weight for share in choice.shares)
            table: dict[str, float] = {}
            for share in choice.shares:
                name = _canonical(share.cluster)
                table[name] = table.get(name, 0.0) + share.weight / total
            tables.append(table)
        same = all(table == tables[0] for table in tables)
        return {name: round(share, 4) if same else None for table in tables for name, share in table.items()}

    def _cluster(
        self, case: Case, name: str, weight: float | None, bodies: Mapping[tuple[str, str], bytes]
    ) -> TargetCluster:
        canonical = _canonical(name)
        body = bodies.get((type_url.ENDPOINT, canonical), b"")
        localities = [
            member
            for member in endpoint_pb2.ClusterLoadAssignment.FromString(body).endpoints
            if not endpoint.is_unreachable(member)
        ]
        rows = [row for member in localities for row in self._endpoints(member, _share(member, localities))]
        return TargetCluster(name, weight, rows, self._left_out(case, canonical, rows))

    def _endpoints(self, member: _Locality, share: float) -> Iterable[TargetEndpoint]:
        """Those of one locality. `share`: of each healthy one."""
        for entry in member.lb_endpoints:
            socket = entry.endpoint.address.socket_address
            pod = self.pod_at(socket.address) or PodLocality()
            state = _STATES.get(entry.health_status, EndpointState.HEALTHY)
            yield TargetEndpoint(
                address=socket.address,
                port=socket.port_value,
                zone=member.locality.zone or None,
                region=member.locality.region or None,
                node=pod.node or None,
                pod=pod.pod or None,
                state=state.value,
                priority=member.priority,
                weight=entry.load_balancing_weight.value or 1,
                locality_weight=member.load_balancing_weight.value,
                share=round(share, 4) if state is EndpointState.HEALTHY else 0.0,
            )

    def _left_out(self, case: Case, name: str, rows: Iterable[TargetEndpoint]) -> list[LeftOutRow]:
        backend = self._backend(name)
        if backend is None:
            return []
        service, port, target = backend
        given = {(row.address, row.port) for row in rows}
        receiver = Receiver(case.audience.locality, target.pod, case.envoy)
        unused = [
            *left_out.of_client(service, port, receiver, given),
            *left_out.of_port(port, self.slices(service.id)),
        ]
        return left_out_rows(unused, self.pod_at)

    def _backend(self, name: str) -> tuple[Service, Port, Target] | None:
        """The service port of a cluster."""
        try:
            target = resource_name.parse_canonical(name, self.explainer.domain)
        except TranslateError:  # the cluster without endpoints, and those of files
            return None
        service = self.explainer.find(target.service)
        port = None if service is None else service.port(int(target.port))
        return None if service is None or port is None else (service, port, target)


def left_out_rows(unused: Iterable[LeftOut], pod_at: Callable[[str], PodLocality | None]) -> list[LeftOutRow]:
    """With the pod at each address."""
    return [
        LeftOutRow(
            row.address, row.reason, row.zone or None, (pod_at(row.address) or PodLocality()).pod or None
        )
        for row in unused
    ]


def _canonical(name: str) -> str:
    """The name of the assignment of a cluster."""
    return resource_name.without_object(destination.plaintext(name))


def _healthy(member: _Locality) -> int:
    """How many endpoints of a locality get new requests. No status is UNKNOWN, which counts as healthy (gRFC A27)."""
    return sum(
        _STATES.get(entry.health_status, EndpointState.HEALTHY) is EndpointState.HEALTHY
        for entry in member.lb_endpoints
    )


def _share(member: _Locality, localities: Iterable[_Locality]) -> float:
    """The share of the requests of each healthy endpoint of a locality, while all of them can be reached: those of the
    first priority with a healthy one get all."""
    used = [other for other in localities if _healthy(other)]
    first = min((other.priority for other in used), default=0)
    if member.priority != first or not _healthy(member):
        return 0.0
    total: int = sum(other.load_balancing_weight.value for other in used if other.priority == first)
    weight: int = member.load_balancing_weight.value
    return weight / total / _healthy(member)
