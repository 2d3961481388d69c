"""From the endpoints of a port to the assignment of one kind of client: localities with weights, in priorities.

In this order: which endpoints may be used at all (those that a client must not leave, then safety), in which order (the
traffic distribution of the service, or of a policy), which few of them this client sees (subset), and how requests
spread over their localities.

The same for all clients of one `ClientView`: nothing here knows a single client.
"""

import functools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from steerway.catalog.locality import traffic_distribution, zone
from steerway.catalog.locality.subset import columns
from steerway.catalog.locality.traffic_distribution import ClientLocality
from steerway.catalog.model.mesh import Endpoint, EndpointState, Locality, Port, Service
from steerway.catalog.model.policy import Safety, Subset, WhenEmpty, ZoneMode, Zones
from steerway.catalog.service.endpoints import ordered

_TIERS = 3
"""More than a client's distances to a zone: own, region, rest."""
_ZONE_FIRST = Zones(ZoneMode.FAILOVER)
"""What a subset without a word on zones is taken from: the own zone first."""
_ROUNDING = 1e-9
"""0.07 * 100 is a little more than 7, which is no reason to want an eighth."""
_Weights = Mapping[int, Mapping[str, int]]
"""Priority → zone → the weight that a policy gives it; by the number of endpoints where there is none."""


class ClientView(NamedTuple):
    """Clients with the same assignment. `bucket` of `buckets`; none of 0. `draining`: they know that state."""

    locality: ClientLocality = ClientLocality()
    bucket: int = 0
    buckets: int = 0
    draining: bool = False


class Group(NamedTuple):
    """A locality of an assignment: priorities count from 0 without a gap, weights are at least 1."""

    priority: int
    locality: Locality
    weight: int
    endpoints: tuple[Endpoint, ...]


class Sensitivity(NamedTuple):
    """The fields of a view on which its assignment depends."""

    locality: bool
    bucket: bool
    draining: bool


def sensitivity_of(service: Service, port: Port, endpoints: Sequence[Endpoint], buckets: int) -> Sensitivity:
    """The fields that distinguish views. `endpoints` are those of the port, or some of them."""
    policy = port.policy
    subset_of = policy.subset is not None and buckets > 0 and not service.local_only
    if service.local_only or not (subset_of or policy.zones):
        placed = traffic_distribution.depends_on_locality(service, _ready(endpoints, policy.safety))
    else:
        placed = policy.zones is None or policy.zones.mode is not ZoneMode.DISABLED
    states = {endpoint.state for endpoint in endpoints}
    return Sensitivity(placed, subset_of, states >= {EndpointState.HEALTHY, EndpointState.DRAINING})


def assign(
    service: Service, port: Port, endpoints: Sequence[Endpoint], client_view: ClientView
) -> list[Group]:
    """The assignment of `endpoints` (those of the port, or of one pod) for a view."""
    return Assigner(service, port, endpoints).assign(client_view)


class Assigner:
    """The same for many viewers of the same endpoints. What those of one place have in common is made once for as many
    buckets as are asked for in a row."""

    def __init__(self, service: Service, port: Port, endpoints: Sequence[Endpoint]) -> None:
        self._service = service
        self._policy = port.policy
        self._endpoints = endpoints

    def assign(self, client_view: ClientView) -> list[Group]:
        """The assignment for a view."""
        few = self._policy.subset is not None and client_view.buckets > 0 and not self._service.local_only
        tiered, weights = _latest(self, client_view._replace(bucket=0), few)
        if few and self._policy.subset is not None:
            tiered = _some(tiered, self._policy.subset, weights, client_view)
        return _grouped(tiered, weights)

    def staged(self, client_view: ClientView, few: bool) -> tuple[list[Endpoint], _Weights]:
        """All endpoints for a view, before the subset, by priority, sorted, and the weights of zones."""
        zones = self._policy.zones or (_ZONE_FIRST if few else None)
        within = _within(self._service, self._endpoints, zones, client_view.locality)
        usable = _usable(within, self._policy.safety, client_view.draining)
        if self._service.local_only:
            return list(ordered(usable)), {}
        if zones is None:
            return list(
                ordered(traffic_distribution.reachable(self._service, usable, client_view.locality))
            ), {}
        tiered, weights = _tiered(zones, usable, client_view.locality.zone)
        return list(ordered(tiered)), weights


@functools.lru_cache(maxsize=4)
def _latest(assigner: Assigner, client_view: ClientView, few: bool) -> tuple[list[Endpoint], _Weights]:
    """Not kept with each: what all services have in common for all places is more than their assignments."""
    return assigner.staged(client_view, few)


def _within(
    service: Service, endpoints: Sequence[Endpoint], zones: Zones | None, locality: ClientLocality
) -> Sequence[Endpoint]:
    """The endpoints that a client may reach at all. This comes before safety: what is ready elsewhere is no reason to
    leave out what drains, or is not ready, in the one place that a client has (KEP-1669)."""
    if service.local_only:
        return traffic_distribution.reachable(service, endpoints, locality)
    if zones is not None and zones.mode is ZoneMode.STRICT and locality.zone:
        return [endpoint for endpoint in endpoints if endpoint.locality.zone == locality.zone]
    return endpoints


def _tiered(zones: Zones, endpoints: Iterable[Endpoint], own: str) -> tuple[list[Endpoint], _Weights]:
    """Endpoints with their tiers as priorities, each cluster by a plan of its own: all tiers of a nearer cluster come
    before those of a farther one."""
    clusters: dict[int, list[Endpoint]] = defaultdict(list)
    for endpoint in endpoints:
        clusters[endpoint.priority].append(endpoint)
    tiered: list[Endpoint] = []
    weights: dict[int, Mapping[str, int]] = {}
    for cluster, members in clusters.items():
        plan = zone.plan(zones, [endpoint for endpoint in members if _healthy(endpoint)], own)
        # A zone where all endpoints drain is in no plan; they make no tier of their own.
        last = max(plan.tiers.values(), default=0)
        tiered += [
            endpoint._replace(priority=cluster * _TIERS + plan.tiers.get(endpoint.locality.zone, last))
            for endpoint in members
        ]
        weights[cluster * _TIERS] = plan.weights
    return tiered, weights


def _usable(endpoints: Iterable[Endpoint], safety: Safety | None, draining: bool) -> list[Endpoint]:
    """The endpoints that get requests, all of them healthy to the client, and those that drain if it knows that state.

    Where all of them drain, they are used: serving ones are better than none (KEP-1669, as kube-proxy does), and gRPC
    clients would give draining ones no call at all.
    """
    by_state = _by_state(endpoints)
    draining_endpoints = (
        by_state[EndpointState.DRAINING] if draining and by_state[EndpointState.HEALTHY] else []
    )
    return [
        *(e._replace(state=EndpointState.HEALTHY) for e in _in_use(by_state, safety)),
        *draining_endpoints,
    ]


def _ready(endpoints: Iterable[Endpoint], safety: Safety | None) -> list[Endpoint]:
    """The endpoints that get requests, in their own states."""
    return _in_use(_by_state(endpoints), safety)


def _by_state(endpoints: Iterable[Endpoint]) -> Mapping[EndpointState, list[Endpoint]]:
    by_state: dict[EndpointState, list[Endpoint]] = defaultdict(list)
    for endpoint in endpoints:
        by_state[endpoint.state].append(endpoint)
    return by_state


def _in_use(by_state: Mapping[EndpointState, list[Endpoint]], safety: Safety | None) -> list[Endpoint]:
    unready = by_state[EndpointState.UNREADY] if safety is not None and safety.wants_unready else []
    ready = by_state[EndpointState.HEALTHY] or by_state[EndpointState.DRAINING]
    if safety is not None and unready and _too_few(ready, unready, safety):
        return [*ready, *unready]
    return ready


def _too_few(ready: Sequence[Endpoint], unready: Sequence[Endpoint], safety: Safety) -> bool:
    if not ready:
        return safety.when_empty is WhenEmpty.USE_UNREADY or safety.panic_share > 0
    return len(ready) < safety.panic_share * (len(ready) + len(unready)) - _ROUNDING


def _some(
    endpoints: Sequence[Endpoint], wanted: Subset, weights: _Weights, client_view: ClientView
) -> list[Endpoint]:
    """The few that the viewer's bucket sees, and behind them at least as many of each tier that takes over.

    As many as asked come in the first priority; where its own tier has fewer, the next ones of the same cluster fill it
    up. What drains is kept, since sessions may hang on it. Each choice is one among a whole tier, the same for all
    buckets, so that it is made once for them.
    """
    tiers: dict[int, list[Endpoint]] = defaultdict(list)
    for endpoint in filter(_healthy, endpoints):
        tiers[endpoint.priority].append(endpoint)
    if not tiers:
        return list(endpoints)
    first = min(tiers)
    nearest = sorted(priority for priority in tiers if priority // _TIERS == first // _TIERS)
    count = sum(len(tiers[priority]) for priority in nearest)
    size = max(wanted.minimum, math.ceil(wanted.share * count - _ROUNDING))
    chosen: list[Endpoint] = []
    for priority in nearest:
        chosen += _quota(tiers[priority], weights.get(priority, {}), client_view, size - len(chosen))
    taken = set(chosen)
    behind = [
        endpoint
        for priority, members in tiers.items()
        if priority != first
        for endpoint in _spread(members, size + sum(member in taken for member in members), client_view)
        if endpoint not in taken
    ]
    draining = [endpoint for endpoint in endpoints if not _healthy(endpoint)]
    return [*(endpoint._replace(priority=first) for endpoint in chosen), *behind, *draining]


def _quota(
    endpoints: Sequence[Endpoint], weights: Mapping[str, int], client_view: ClientView, size: int
) -> list[Endpoint]:
    """So many of one tier: of each of its zones by its weight, or of all alike."""
    by_zone: dict[str, list[Endpoint]] = defaultdict(list)
    for endpoint in endpoints:
        by_zone[endpoint.locality.zone].append(endpoint)
    if not weights or len(by_zone) < 2:
        return _spread(endpoints, size, client_view)
    order = sorted(by_zone, key=lambda name: (name != client_view.locality.zone, -weights[name], name))
    seats = {name: int(index < size) for index, name in enumerate(order)}
    total = sum(weights.values())
    for _ in range(size - sum(seats.values())):
        open_zones = [name for name in order if seats[name] < len(by_zone[name])]
        if not open_zones:
            break
        # The zone that lacks most of what its weight asks for; of equal ones the first in order.
        seats[max(open_zones, key=lambda name: size * weights[name] / total - seats[name])] += 1
    return [
        chosen_endpoint
        for name in order
        for chosen_endpoint in _spread(by_zone[name], seats[name], client_view)
    ]


def _spread(endpoints: Sequence[Endpoint], size: int, client_view: ClientView) -> list[Endpoint]:
    """So many of these, another choice for each bucket, so that all are used alike."""
    if size >= len(endpoints):
        return list(endpoints)
    named = sorted((f"{endpoint.address}:{endpoint.port}", endpoint) for endpoint in endpoints)
    seen_by = columns(tuple(name for name, _ in named), max(size, 0), client_view.buckets)
    return [
        endpoint for (_, endpoint), bits in zip(named, seen_by, strict=True) if bits >> client_view.bucket & 1
    ]


def _grouped(endpoints: Iterable[Endpoint], weights: _Weights) -> list[Group]:
    """By priority and locality, with priorities from 0 without a gap."""
    groups: dict[tuple[int, Locality], list[Endpoint]] = {}
    in_zone: Counter[tuple[int, str]] = Counter()
    for endpoint in ordered(endpoints):
        groups.setdefault((endpoint.priority, endpoint.locality), []).append(endpoint)
        in_zone[endpoint.priority, endpoint.locality.zone] += _healthy(endpoint)
    ranks = {priority: rank for rank, priority in enumerate(sorted({priority for priority, _ in groups}))}
    return [
        Group(
            ranks[priority],
            locality,
            _weight(weights.get(priority, {}), locality.zone, members, in_zone[priority, locality.zone]),
            tuple(members),
        )
        for (priority, locality), members in groups.items()
    ]


def _weight(planned: Mapping[str, int], name: str, endpoints: Sequence[Endpoint], in_zone: int) -> int:
    """By the number of endpoints, or of what is planned for the zone the part that these are of its `in_zone` ones. A
    locality without a weight gets no traffic, not even for sessions that stay with a draining endpoint."""
    healthy = sum(map(_healthy, endpoints))
    if not planned:
        return healthy or len(endpoints)
    return max(1, round(planned.get(name, 1) * healthy / max(in_zone, 1)))


def _healthy(endpoint: Endpoint) -> bool:
    return endpoint.state is EndpointState.HEALTHY
