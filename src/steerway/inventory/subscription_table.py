"""Which client workload subscribes to which service, from the names that its streams subscribe to.

A stream of a gRPC client subscribes to four names of one service. How many of these streams are the same ones is not
known, so that the counts of a workload and a service are the least that all of its names allow.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from steerway.explain.subscribed_name import find_target
from steerway.inventory.engine_view import EdgeView, LabelEdgesView
from steerway.inventory.row.client import STATES, ClientState
from steerway.translate.xds import type_url

_ZEROS = (0,) * len(STATES)
_ENDPOINTS = (type_url.CLUSTER, type_url.ENDPOINT)
"""Types whose clients connect to the endpoints of the port. A route may lead elsewhere."""


@dataclass(slots=True)
class Subscription:
    """The streams of one workload that subscribe to names of one service. `ports`: numbers, as text, to whose
    endpoints they connect. The garbage collector does not follow tuples of these: there are many. `read_at`: when the
    edges were read, on the monotonic clock."""

    workload: str
    service: str
    read_at: float
    ports: tuple[str, ...] = ()
    edges: list[EdgeView] = field(default_factory=list)
    """One for each type and name."""
    _at_least: tuple[int, ...] | None = None

    @property
    def subscribed(self) -> list[tuple[str, str]]:
        """The type URL and the name of each."""
        return [(edge.type_url, edge.name) for edge in self.edges]

    @property
    def names(self) -> list[str]:
        """Each once, whatever its types."""
        return sorted({edge.name for edge in self.edges})

    @property
    def since_seconds(self) -> float:
        """The age of the oldest stream."""
        return max(edge.since_seconds for edge in self.edges) + time.monotonic() - self.read_at

    @property
    def at_least(self) -> tuple[int, ...]:
        """For each state the number of streams in it or a worse one."""
        if self._at_least is None:
            first, *others = (edge.states for edge in self.edges)
            numbers = _at_least(first)
            for states in others:
                if states != first:
                    numbers = tuple(map(max, numbers, _at_least(states)))
            self._at_least = numbers
        return self._at_least

    @property
    def streams(self) -> int:
        return self.at_least[-1]

    @property
    def states(self) -> dict[str, int]:
        """The number of streams in each state that any of them is in."""
        return states_of(self.at_least)


def _at_least(states: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(itertools.accumulate(map(states.get, STATES, _ZEROS)))


def states_of(at_least: Sequence[int]) -> dict[str, int]:
    """Streams by state, from those in each state or a worse one."""
    before, states = 0, {}
    for state, number in zip(STATES, at_least, strict=True):
        if number > before:
            states[str(state)] = number - before
        before = max(before, number)
    return states


def worst(states: Iterable[str]) -> ClientState:
    """The worst of the states; `in_sync` of none."""
    present = set(states)
    return next((state for state in STATES if state in present), STATES[-1])


class SubscriptionTable:
    """The subscriptions of all workloads, of which each update replaces those that are others. One thread updates at a
    time; readers in other threads see the values of a service or workload before or after, and never a part."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._by_service: dict[str, Mapping[str, Subscription]] = {}
        """Service → workload → subscription. The inner ones are replaced as a whole."""
        self._by_workload: dict[str, Mapping[str, Subscription]] = {}
        """The same the other way round."""
        self.versions: dict[str, int] = {}
        """Of the edges of each label."""

    def update(
        self,
        changed: Iterable[LabelEdgesView],
        gone: Iterable[str],
        namespace_of: Callable[[str], str | None],
    ) -> set[str]:
        """Take the edges of labels that changed; returns the services whose subscriptions are others.

        `namespace_of`: in which the clients of a workload look up short names; None: no client is known.
        """
        services: dict[str, dict[str, Subscription]] = {}
        for label in gone:
            self.versions.pop(label, None)
            self._replace(label, {}, services)
        for edges in changed:
            label, namespace = edges.label, namespace_of(edges.label)
            if namespace is None and label:
                self.versions.pop(label, None)  # read again: a client of it is about to come or to go
            else:
                self.versions[label] = edges.version
            subscribed = {} if namespace is None else self._subscriptions(label, edges.edges, namespace)
            self._replace(label, subscribed, services)
        for service, workloads in services.items():
            if workloads:
                self._by_service[service] = workloads
            else:
                self._by_service.pop(service, None)
        return set(services)

    def all(self) -> list[Subscription]:
        """Those of all workloads."""
        by_service = list(self._by_service.values())
        return [subscription for workloads in by_service for subscription in workloads.values()]

    def of_service(self, service: str) -> Mapping[str, Subscription]:
        """By workload."""
        return self._by_service.get(service, _NONE)

    def of_workload(self, workload: str) -> Mapping[str, Subscription]:
        """By service. The same object as long as nothing changes."""
        return self._by_workload.get(workload, _NONE)

    def _replace(
        self,
        label: str,
        now: dict[str, Subscription],
        services: dict[str, dict[str, Subscription]],
    ) -> None:
        """`services`: copies of what changes of services."""
        before = self._by_workload.pop(label, _NONE)
        if now:
            self._by_workload[label] = now
        for service in before.keys() | now.keys():
            if service not in services:
                services[service] = dict(self._by_service.get(service, _NONE))
            if service in now:
                services[service][label] = now[service]
            else:
                services[service].pop(label, None)

    def _subscriptions(
        self, label: str, edges: Iterable[EdgeView], namespace: str
    ) -> dict[str, Subscription]:
        """Those of one workload, by service."""
        subscriptions: dict[str, Subscription] = {}
        read_at = time.monotonic()
        for edge in edges:
            # Each read of a native attribute makes a new object.
            served = edge.type_url
            # Only names of listeners may be short.
            target = find_target(
                served, edge.name, namespace if served == type_url.LISTENER else "", self._domain
            )
            if target is None:
                continue
            service = str(target.service)
            subscription = subscriptions.get(service)
            if subscription is None:
                subscription = subscriptions[service] = Subscription(label, service, read_at)
            subscription.edges.append(edge)
            if served in _ENDPOINTS and target.port and target.port not in subscription.ports:
                subscription.ports = (*subscription.ports, target.port)
        return subscriptions


_NONE: Mapping[str, Subscription] = {}
