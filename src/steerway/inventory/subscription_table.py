"""Which client workload subscribes to which service, from the names that its streams subscribe to.

A stream of a gRPC client subscribes to four names of one service. How many of these streams are the same ones is not
known, so that the counts of a workload and a service are the least that all of its names allow.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from steerway.explain.subscribed_name import find_target
from steerway.inventory.engine_view import EdgeView
from steerway.inventory.row.client import STATES, ClientState
from steerway.translate.xds import type_url

_ZEROS = (0,) * len(STATES)
_ENDPOINTS = (type_url.CLUSTER, type_url.ENDPOINT)
"""Types whose clients connect to the endpoints of the port. A route may lead elsewhere."""


@dataclass(slots=True)
class Subscription:
    """The streams of one workload that subscribe to names of one service. `ports`: numbers, as text, to whose
    endpoints they connect. The garbage collector does not follow tuples of these: there are many."""

    workload: str
    service: str
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
        return max(edge.since_seconds for edge in self.edges)

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
    """The subscriptions of all workloads at one moment. `namespace_of`: in which the clients of a workload look up
    short names; None: no client is left."""

    def __init__(
        self, edges: Iterable[EdgeView], namespace_of: Callable[[str], str | None], domain: str
    ) -> None:
        self.by_service: defaultdict[str, dict[str, Subscription]] = defaultdict(dict)
        """Service → workload → subscription."""
        self.by_workload: defaultdict[str, dict[str, Subscription]] = defaultdict(dict)
        """The same the other way round."""
        namespaces: dict[str, str | None] = {}
        for edge in edges:
            # Each read of a native attribute makes a new object.
            label, served, name = edge.label, edge.type_url, edge.name
            if label not in namespaces:
                namespaces[label] = namespace_of(label)
            namespace = namespaces[label]
            if namespace is None:
                continue
            # Only names of listeners may be short.
            target = find_target(served, name, namespace if served == type_url.LISTENER else "", domain)
            if target is None:
                continue
            subscription = self._subscription(label, str(target.service))
            subscription.edges.append(edge)
            if served in _ENDPOINTS and target.port and target.port not in subscription.ports:
                subscription.ports = (*subscription.ports, target.port)

    def of_service(self, service: str) -> Mapping[str, Subscription]:
        """By workload."""
        return self.by_service.get(service, {})

    def of_workload(self, workload: str) -> Mapping[str, Subscription]:
        """By service."""
        return self.by_workload.get(workload, {})

    def _subscription(self, label: str, service: str) -> Subscription:
        subscription = self.by_workload[label].get(service)
        if subscription is None:
            subscription = Subscription(label, service)
            self.by_service[service][label] = self.by_workload[label][service] = subscription
        return subscription
