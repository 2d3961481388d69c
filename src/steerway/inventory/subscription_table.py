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

_ENDPOINTS = (type_url.CLUSTER, type_url.ENDPOINT)
"""Types whose clients connect to the endpoints of the port. A route may lead elsewhere."""


@dataclass(slots=True)
class Subscription:
    """The streams of one workload that subscribe to names of one service. `ports`: numbers, as text, to whose
    endpoints they connect. `subscribed`: (type_url, name). `at_least`: of each state the streams in it or a worse
    one."""

    workload: str
    service: str
    since_seconds: float = 0.0
    subscribed: set[tuple[str, str]] = field(default_factory=set)
    ports: set[str] = field(default_factory=set)
    at_least: list[int] = field(default_factory=lambda: [0] * len(STATES))

    @property
    def names(self) -> list[str]:
        """Each once, whatever its types."""
        return sorted({name for _, name in self.subscribed})

    @property
    def streams(self) -> int:
        return self.at_least[-1]

    @property
    def states(self) -> dict[str, int]:
        """The number of streams in each state that any of them is in."""
        return states_of(self.at_least)

    def add(self, edge: EdgeView) -> None:
        """Take in one name."""
        self.subscribed.add((edge.type_url, edge.name))
        self.since_seconds = max(self.since_seconds, edge.since_seconds)
        counts = itertools.accumulate(edge.states.get(state, 0) for state in STATES)
        self.at_least = [max(pair) for pair in zip(self.at_least, counts, strict=True)]


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
            label = edge.label
            if label not in namespaces:
                namespaces[label] = namespace_of(label)
            if (namespace := namespaces[label]) is not None:
                self._add(edge, namespace, domain)

    def of_service(self, service: str) -> Mapping[str, Subscription]:
        """By workload."""
        return self.by_service.get(service, {})

    def of_workload(self, workload: str) -> Mapping[str, Subscription]:
        """By service."""
        return self.by_workload.get(workload, {})

    def _add(self, edge: EdgeView, namespace: str, domain: str) -> None:
        # Only names of listeners may be short.
        asked_in = namespace if edge.type_url == type_url.LISTENER else ""
        target = find_target(edge.type_url, edge.name, asked_in, domain)
        if target is None:
            return
        service = str(target.service)
        subscription = self.by_service[service].get(edge.label)
        if subscription is None:
            subscription = Subscription(edge.label, service)
            self.by_service[service][edge.label] = subscription
            self.by_workload[edge.label][service] = subscription
        subscription.add(edge)
        if target.port and edge.type_url in _ENDPOINTS:
            subscription.ports.add(target.port)
