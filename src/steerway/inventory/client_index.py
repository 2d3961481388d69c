"""The admitted streams by client: what does not change while a stream is open, and the workload of each.

Written on the event loop, as streams open and close and as pods become known; read in any thread, through copies.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from steerway.catalog.locality.client_locality import PodLocality
from steerway.catalog.locality.pod_index import address_of
from steerway.inventory import workload as workloads
from steerway.inventory.workload import Workload
from steerway.translate.client.audience import Audience, decode, unlocated
from steerway.translate.client.client import Client
from steerway.translate.client.node import claimed_id, client_of

_T = TypeVar("_T")


class Admitted(NamedTuple):
    """A stream that was admitted: its id, the address and the serialised Node of its client, and its audience."""

    stream: int
    peer: str
    node: bytes
    audience: str


class ClientStream(NamedTuple):
    """An admitted stream. `zone` is "" for an unknown one."""

    stream: int
    node_id: str
    peer: str
    audience: str
    workload: Workload
    client: Client
    zone: str


@dataclass(slots=True)
class WorkloadClients:
    """The streams of one workload. `namespace`: in which its clients look up short names."""

    workload: Workload
    namespace: str
    streams: int = 0
    nodes: Counter[str] = field(default_factory=Counter)
    clients: Counter[Client] = field(default_factory=Counter)
    zones: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[Client, Audience]] = field(default_factory=Counter)
    """Libraries with their audiences without a locality: clients with the same limitations."""
    limitations: object = None
    """Kept by `client_rows`."""

    def count(self, stream: ClientStream, number: int) -> None:
        """Add (1) or remove (-1) a stream."""
        self.streams += number
        _add(self.nodes, stream.node_id, number)
        _add(self.clients, stream.client, number)
        _add(self.zones, stream.zone, number)
        _add(self.kinds, (stream.client, unlocated(decode(stream.audience))), number)


class ClientIndex:
    """`locality` is that of the client at an address; `label` passes the workload of streams to the engine."""

    def __init__(
        self,
        locality: Callable[[str], PodLocality | None],
        label: Callable[[Sequence[tuple[int, str]]], None],
    ) -> None:
        self._locality = locality
        self._label = label
        self._streams: dict[int, ClientStream] = {}
        self._by_node: dict[str, set[int]] = {}
        self._by_address: dict[str, set[int]] = {}
        self._workloads: dict[str, WorkloadClients] = {}
        self._version = 0
        """Of the set of node ids."""
        self._sorted_nodes: tuple[int, Sequence[str]] = 0, ()

    def admit(self, admitted: Iterable[Admitted]) -> None:
        """Note streams, and label them."""
        labels = []
        for opened in admitted:
            pod_locality = self._locality(opened.peer)
            audience = decode(opened.audience)
            node_id = claimed_id(opened.node)
            stream = ClientStream(
                opened.stream,
                node_id,
                opened.peer,
                opened.audience,
                workloads.of_client(pod_locality, node_id, audience.namespace),
                client_of(opened.node),
                (pod_locality.zone if pod_locality is not None else "") or audience.locality.zone,
            )
            self._add(stream)
            labels.append((stream.stream, stream.workload.id))
        if labels:
            self._label(labels)

    def release(self, streams: Iterable[int]) -> None:
        """These streams ended."""
        for id in streams:
            if (stream := self._streams.get(id)) is not None:
                self._remove(stream)

    def follow(self, addresses: Set[str]) -> None:
        """The pods at these addresses are others now: relabel their streams. A stream whose pod is gone ends soon,
        and keeps its workload until then."""
        labels = []
        for address in addresses & self._by_address.keys():
            for id in list(self._by_address[address]):
                stream = self._streams[id]
                pod_locality = self._locality(stream.peer)
                if pod_locality is None or not pod_locality.owner:
                    continue
                workload = workloads.of_client(pod_locality, stream.node_id, "")
                moved = stream._replace(workload=workload, zone=pod_locality.zone or stream.zone)
                if moved != stream:
                    self._remove(stream)
                    self._add(moved)
                    labels.append((id, workload.id))
        if labels:
            self._label(labels)

    def __len__(self) -> int:
        return len(self._streams)

    def stream(self, id: int) -> ClientStream | None:
        return self._streams.get(id)

    def streams(self) -> Sequence[ClientStream]:
        """All of them."""
        return list(self._streams.values())

    def node_ids(self) -> Sequence[str]:
        """Node ids in their order."""
        version, known = self._sorted_nodes
        # Read before the ids: what comes between is a part of the next version.
        if version != (now := self._version):
            known = sorted(self._by_node)
            self._sorted_nodes = now, known
        return known

    def of_node(self, node_id: str) -> Sequence[int]:
        """The streams with a node id, the oldest first."""
        return sorted(self._by_node.get(node_id, ()))

    def workloads(self) -> dict[str, WorkloadClients]:
        """By id. The values change as streams come and go."""
        return dict(self._workloads)

    def workload(self, id: str) -> WorkloadClients | None:
        return self._workloads.get(id)

    def _add(self, stream: ClientStream) -> None:
        self._streams[stream.stream] = stream
        if stream.node_id not in self._by_node:
            self._by_node[stream.node_id] = set()
            self._version += 1
        self._by_node[stream.node_id].add(stream.stream)
        self._by_address.setdefault(address_of(stream.peer), set()).add(stream.stream)
        id = stream.workload.id
        if id not in self._workloads:
            namespace = decode(stream.audience).namespace
            self._workloads[id] = WorkloadClients(stream.workload, namespace)
        if stream.workload.kind:  # else the id may be that of an owner that is known by now
            self._workloads[id].workload = stream.workload
        self._workloads[id].count(stream, 1)

    def _remove(self, stream: ClientStream) -> None:
        del self._streams[stream.stream]
        self._by_node[stream.node_id].discard(stream.stream)
        if not self._by_node[stream.node_id]:
            del self._by_node[stream.node_id]
            self._version += 1
        address = address_of(stream.peer)
        self._by_address[address].discard(stream.stream)
        if not self._by_address[address]:
            del self._by_address[address]
        clients = self._workloads[stream.workload.id]
        clients.count(stream, -1)
        if not clients.streams:
            del self._workloads[stream.workload.id]


def _add(counter: Counter[_T], value: _T, number: int) -> None:
    """Without counts of zero."""
    counter[value] += number
    if not counter[value]:
        del counter[value]
