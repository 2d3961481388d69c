"""Rows of clients: by workload, and by node id."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from steerway.catalog.locality.client_locality import PodLocality
from steerway.explain.subscribed_name import find_target
from steerway.explain.subscriber import Subscribers
from steerway.inventory.client_index import ClientIndex, ClientStream, WorkloadClients
from steerway.inventory.engine_view import GroupView, StreamView
from steerway.inventory.row.client import ClientRow, NodeRow
from steerway.inventory.subscription_table import Subscription, worst
from steerway.translate.client.audience import Audience, decode, unlocated
from steerway.translate.client.client import Client
from steerway.translate.client.node import client_of
from steerway.translate.xds import type_url

Locality = Callable[[str], PodLocality | None]


def workload_row(
    clients: WorkloadClients,
    group: GroupView | None,
    subscriptions: Mapping[str, Subscription],
    subscribers: Subscribers,
) -> ClientRow:
    """`group`: None before the engine has counted it. `subscriptions`: by service."""
    states = {} if group is None else {state: count for state, count in group.states.items() if count}
    workload = clients.workload
    return ClientRow(
        id=workload.id,
        namespace=workload.namespace,
        name=workload.name,
        kind=workload.kind or None,
        streams=clients.streams,
        nodes=len(clients.nodes),
        states=states,
        state=worst(states),
        libraries=_sorted({str(client): count for client, count in clients.clients.copy().items()}),
        zones=_sorted(clients.zones.copy()),
        services=len(subscriptions),
        limitations=_count_limitations(clients, subscriptions, subscribers),
        oldest_unacked_seconds=None if group is None else rounded(group.oldest_unacked_seconds),
        age_seconds=None if group is None else rounded(group.oldest_age_seconds),
    )


class _Limitations(NamedTuple):
    """How many limitations a workload has, and of what they follow."""

    subscriptions: Mapping[str, Subscription]
    subscribers: Subscribers
    kinds: frozenset[tuple[Client, Audience]]
    number: int


def _count_limitations(
    clients: WorkloadClients, subscriptions: Mapping[str, Subscription], subscribers: Subscribers
) -> int:
    """Kept as long as nothing of which they follow changes."""
    kept, kinds = clients.limitations, frozenset(clients.kinds.copy())
    if (
        isinstance(kept, _Limitations)
        and kept.subscriptions is subscriptions
        and kept.subscribers is subscribers
        and kept.kinds == kinds
    ):
        return kept.number
    subscribed = sorted({name for subscription in subscriptions.values() for name in subscription.subscribed})
    sentences = {
        sentence
        for client, audience in kinds
        for sentence in subscribers.limitations_of(client, audience, subscribed)
    }
    clients.limitations = _Limitations(subscriptions, subscribers, kinds, len(sentences))
    return len(sentences)


def node_row(
    node_id: str, streams: Sequence[ClientStream], states: Mapping[int, str], locality: Locality
) -> NodeRow:
    """The part of a row that is known without reading its streams; `complete` adds the rest."""
    first = streams[0]
    where = locality(first.peer) or PodLocality()
    counts = Counter(states[stream.stream] for stream in streams if stream.stream in states)
    return NodeRow(
        id=node_id,
        workload=first.workload.id,
        client=str(first.client),
        address=first.peer,
        zone=where.zone or first.zone or None,
        node=where.node or None,
        pod=where.pod or None,
        streams=len(streams),
        state=worst(counts),
        states={str(state): count for state, count in counts.items()},
        services=0,
        limitations=0,
        nack=None,
        age_seconds=None,
    )


class NodeDetails:
    """Adds what only the streams of a node know. `streams`: those of the nodes in question."""

    def __init__(self, index: ClientIndex, streams: Iterable[StreamView], subscribers: Subscribers) -> None:
        self._index = index
        self._streams = {stream.id: stream for stream in streams}
        self._subscribers = subscribers
        self._by_names: dict[_Names, tuple[Set[str], Set[str]]] = {}
        """Of streams with the same names, as those of one workload have."""

    @property
    def states(self) -> Mapping[int, str]:
        """The state of each stream."""
        return {id: stream.state for id, stream in self._streams.items()}

    def complete(self, row: NodeRow, domain: str) -> NodeRow:
        """The row with services, limitations, the last refusal and the age."""
        streams = [self._streams[id] for id in self._index.of_node(row.id) if id in self._streams]
        services: set[str] = set()
        limitations: set[str] = set()
        for stream in streams:
            their_services, their_limitations = self._of_names(stream, domain)
            services |= their_services
            limitations |= their_limitations
        parts = [part for stream in streams for part in stream.subscriptions]
        ages = [stream.age_seconds for stream in streams]
        return NodeRow(
            **{name: getattr(row, name) for name in row.__struct_fields__ if name not in _COMPLETED},
            services=len(services),
            limitations=len(limitations),
            nack=next((part.nack_message for part in parts if part.nack_message), None),
            age_seconds=rounded(max(ages, default=None)),
        )

    def _of_names(self, stream: StreamView, domain: str) -> tuple[Set[str], Set[str]]:
        """The services and the limitations of a stream."""
        subscribed = tuple((part.type_url, name) for part in stream.subscriptions for name in part.names)
        key = client_of(stream.node), unlocated(decode(stream.audience)), subscribed
        if key not in self._by_names:
            limitations = self._subscribers.limitations_of(*key)
            self._by_names[key] = services_of(subscribed, key[1].namespace, domain), set(limitations)
        return self._by_names[key]


_Names = tuple[Client, Audience, tuple[tuple[str, str], ...]]
_COMPLETED = ("services", "limitations", "nack", "age_seconds")


def services_of(subscribed: Iterable[tuple[str, str]], namespace: str, domain: str) -> set[str]:
    """The services of subscribed names, as (type_url, name)."""
    targets = (
        find_target(served, name, namespace if served == type_url.LISTENER else "", domain)
        for served, name in subscribed
    )
    return {str(target.service) for target in targets if target is not None}


def rounded(seconds: float | None) -> float | None:
    """To milliseconds."""
    return None if seconds is None else round(seconds, 3)


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    """By key; "" is an unknown one."""
    return {key or "unknown": count for key, count in sorted(counts.items())}
