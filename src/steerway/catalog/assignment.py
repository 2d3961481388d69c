"""From the endpoints of a port to what one kind of client is told of them: localities with weights, in priorities.

In this order: which endpoints may be used at all (safety), in which order (the service's own word on near and far, or
a policy's), which few of them this client sees (subset), and how requests spread over their localities.

The same for all clients of one `Viewer`: nothing here knows a single client.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from steerway.catalog import reach, zone
from steerway.catalog.endpoints import ordered
from steerway.catalog.model import Endpoint, EndpointState, Locality, Port, Service
from steerway.catalog.policy import Policy, Safety, WhenEmpty, ZoneMode, Zones
from steerway.catalog.reach import ClientPlace
from steerway.catalog.subset import subset

_TIERS = 3
"""More than a client's distances to a zone: own, region, rest."""
_ZONE_FIRST = Zones(ZoneMode.FAILOVER)
"""What a subset without a word on zones is taken from: the own zone first."""


class Viewer(NamedTuple):
    """Clients that are told the same. `bucket` of `buckets`; none of 0. `draining`: they know that state."""

    place: ClientPlace = ClientPlace()
    bucket: int = 0
    buckets: int = 0
    draining: bool = False


class Group(NamedTuple):
    """A locality of an assignment: priorities count from 0 without a gap, weights are at least 1."""

    priority: int
    locality: Locality
    weight: int
    endpoints: tuple[Endpoint, ...]


class Dependence(NamedTuple):
    """What of a viewer makes a difference to what it is told."""

    place: bool
    bucket: bool
    draining: bool


def depends_on(service: Service, port: Port, endpoints: Sequence[Endpoint], buckets: int) -> Dependence:
    """Which viewers must be told apart. `endpoints` are those of the port, or some of them."""
    policy = port.policy
    subset_of = policy.subset is not None and buckets > 0
    if service.local_only or not (subset_of or policy.zones):
        placed = reach.depends_on_place(service)
    else:
        placed = policy.zones is None or policy.zones.mode is not ZoneMode.DISABLED
    states = {endpoint.state for endpoint in endpoints}
    return Dependence(placed, subset_of, states >= {EndpointState.HEALTHY, EndpointState.DRAINING})


def assign(service: Service, port: Port, endpoints: Sequence[Endpoint], viewer: Viewer) -> list[Group]:
    """What a viewer is told of `endpoints` (those of the port, or of one pod)."""
    usable = _usable(endpoints, port.policy.safety, viewer.draining)
    if service.local_only:
        usable = list(reach.reachable(service, usable, viewer.place))
        return _grouped(usable, {})
    policy = port.policy
    zones = policy.zones or (_ZONE_FIRST if policy.subset and viewer.buckets else None)
    if zones is None:
        return _grouped(reach.reachable(service, usable, viewer.place), {})
    first = min((endpoint.priority for endpoint in usable), default=0)
    plan = zone.plan(zones, [e for e in usable if e.priority == first and _healthy(e)], viewer.place.zone)
    # Of a zone that has no healthy endpoint, or of a farther cluster, the plan says nothing: the last tier.
    rest = None if zones.mode is ZoneMode.STRICT and viewer.place.zone else _TIERS - 1
    tiered = [
        endpoint._replace(priority=endpoint.priority * _TIERS + tier)
        for endpoint in usable
        if (tier := plan.tiers.get(endpoint.locality.zone, rest)) is not None
    ]
    if policy.subset is not None and viewer.buckets:
        tiered = _some(tiered, policy, plan, viewer)
    return _grouped(tiered, plan.weights)


def _usable(endpoints: Iterable[Endpoint], safety: Safety | None, draining: bool) -> list[Endpoint]:
    """The endpoints that get requests, all of them healthy to the client, and those that drain if it knows that state.

    Where all of them drain, they are used: serving ones are better than none (KEP-1669, as kube-proxy does), and gRPC
    clients would give draining ones no call at all.
    """
    by_state: dict[EndpointState, list[Endpoint]] = defaultdict(list)
    for endpoint in endpoints:
        by_state[endpoint.state].append(endpoint)
    healthy, draining_ones = by_state[EndpointState.HEALTHY], by_state[EndpointState.DRAINING]
    unready = by_state[EndpointState.UNREADY] if safety is not None and safety.wants_unready else []
    ready = healthy or draining_ones
    if safety is not None and unready and _too_few(ready, unready, safety):
        ready = [*ready, *unready]
    kept = draining_ones if draining and healthy else []
    return [*(e._replace(state=EndpointState.HEALTHY) for e in ready), *kept]


def _too_few(ready: Sequence[Endpoint], unready: Sequence[Endpoint], safety: Safety) -> bool:
    if not ready:
        return safety.when_empty is WhenEmpty.USE_UNREADY or safety.panic_share > 0
    return len(ready) < safety.panic_share * (len(ready) + len(unready))


def _some(endpoints: Sequence[Endpoint], policy: Policy, plan: zone.Plan, viewer: Viewer) -> list[Endpoint]:
    """The few that the viewer's bucket sees, and as many of those that take over behind them.

    As many as asked come in the first priority; where its own tier has fewer, the next ones fill it up. What drains is
    kept, since sessions may hang on it.
    """
    assert policy.subset is not None
    healthy = [endpoint for endpoint in endpoints if _healthy(endpoint)]
    tiers: dict[int, list[Endpoint]] = defaultdict(list)
    for endpoint in healthy:
        tiers[endpoint.priority].append(endpoint)
    order = sorted(tiers)
    if not order:
        return list(endpoints)
    size = max(policy.subset.minimum, math.ceil(policy.subset.share * len(healthy) - 1e-9))
    chosen: list[Endpoint] = []
    rest: list[Endpoint] = []
    for priority in order:
        wanted = size - len(chosen)
        found = _quota(tiers[priority], plan, viewer, wanted, priority == order[0]) if wanted > 0 else []
        taken = {(endpoint.address, endpoint.port) for endpoint in found}
        chosen += [endpoint._replace(priority=order[0]) for endpoint in found]
        rest += [e for e in tiers[priority] if (e.address, e.port) not in taken]
    behind = _spread([endpoint for endpoint in rest if endpoint.priority != order[0]], size, viewer)
    return [*chosen, *behind, *(endpoint for endpoint in endpoints if not _healthy(endpoint))]


def _quota(
    endpoints: Sequence[Endpoint], plan: zone.Plan, viewer: Viewer, size: int, first: bool
) -> list[Endpoint]:
    """So many of one tier: of each of its zones by its weight, or of all alike."""
    by_zone: dict[str, list[Endpoint]] = defaultdict(list)
    for endpoint in endpoints:
        by_zone[endpoint.locality.zone].append(endpoint)
    weights = {name: plan.weights.get(name, 1) for name in by_zone} if first and plan.weights else {}
    if len(weights) < 2:
        return _spread(endpoints, size, viewer)
    order = sorted(weights, key=lambda name: (name != viewer.place.zone, -weights[name], name))
    seats = {name: int(index < size) for index, name in enumerate(order)}
    total = sum(weights.values())
    for _ in range(size - sum(seats.values())):
        open_zones = [name for name in order if seats[name] < len(by_zone[name])]
        if not open_zones:
            break
        # The zone that lacks most of what its weight asks for; of equal ones the first in order.
        seats[max(open_zones, key=lambda name: size * weights[name] / total - seats[name])] += 1
    return [each for name in order for each in _spread(by_zone[name], seats[name], viewer)]


def _spread(endpoints: Sequence[Endpoint], size: int, viewer: Viewer) -> list[Endpoint]:
    """So many of these, another choice for each bucket, so that all are used alike."""
    if size >= len(endpoints):
        return list(endpoints)
    names = [f"{endpoint.address}:{endpoint.port}" for endpoint in endpoints]
    chosen = subset(names, size, viewer.bucket, viewer.buckets)
    return [endpoint for endpoint, name in zip(endpoints, names, strict=True) if name in chosen]


def _grouped(endpoints: Iterable[Endpoint], weights: Mapping[str, int]) -> list[Group]:
    """By priority and locality, with priorities from 0 without a gap."""
    groups: dict[tuple[int, Locality], list[Endpoint]] = {}
    for endpoint in ordered(endpoints):
        groups.setdefault((endpoint.priority, endpoint.locality), []).append(endpoint)
    ranks = {priority: rank for rank, priority in enumerate(sorted({priority for priority, _ in groups}))}
    return [
        Group(ranks[priority], locality, _weight(locality, ranks[priority], found, weights), tuple(found))
        for (priority, locality), found in groups.items()
    ]


def _weight(locality: Locality, rank: int, endpoints: Sequence[Endpoint], weights: Mapping[str, int]) -> int:
    """A policy's weight counts in the first priority. A locality without a weight gets no traffic, not even for
    sessions that stay with a draining endpoint."""
    if weights and rank == 0:
        return weights.get(locality.zone, 1)
    return sum(map(_healthy, endpoints)) or len(endpoints)


def _healthy(endpoint: Endpoint) -> bool:
    return endpoint.state is EndpointState.HEALTHY
