"""Zones of clients: those that facts name always count, and of those that only clients name a limited number.

Each zone with clients has assignments of its own, so that a client which invents zones has work done for each. A zone
that a fact names (a Node, an endpoint, a hint, the `demand` of a policy) is known and never limited, whatever clients
claim. The others share `MAX_CLAIMED` places, of which the clients of one network hold `MAX_CLAIMED_BY_NETWORK`; a place
is in use while a stream is open and is free afterwards; the zone that was left first is replaced first.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field

from steerway.sources.objects.core import EndpointSlice, Node, Object, ObjectKey
from steerway.sources.policy.traffic_policy import TrafficPolicy

MAX_CLAIMED = 256
"""Zones that only clients name."""
MAX_CLAIMED_BY_NETWORK = 16
"""Of them those that clients of one network (see `peer.network`) named first."""
MAX_FORMER = 1024
"""Zones that a fact named once. A zone without endpoints for a while stays known; only facts displace these."""

_KINDS = frozenset(("EndpointSlice", "Node", "TrafficPolicy"))


class KnownZones:
    """The zones that facts name. `update` costs by what changed, whatever the size of the cluster."""

    def __init__(self, max_former: int = MAX_FORMER) -> None:
        self._max_former = max_former
        self._zones: dict[tuple[str, ObjectKey], frozenset[str]] = {}
        self._counts: Counter[str] = Counter()
        self._former: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, zone: object) -> bool:
        return zone in self._counts or zone in self._former

    def update(
        self, cluster: str, get: Callable[[ObjectKey], Object | None], changed: Iterable[ObjectKey]
    ) -> None:
        """Take in changed objects of a cluster ("": the local one)."""
        for key in changed:
            if key.kind in _KINDS:
                self._replace((cluster, key), frozenset(_named(get(key))) - {""})

    def _replace(self, owner: tuple[str, ObjectKey], zones: frozenset[str]) -> None:
        before = self._zones.pop(owner, frozenset())
        if zones:
            self._zones[owner] = zones
        for zone in zones - before:
            self._counts[zone] += 1
            self._former.pop(zone, None)
        for zone in before - zones:
            self._counts[zone] -= 1
            if not self._counts[zone]:
                self._retire(zone)

    def _retire(self, zone: str) -> None:
        del self._counts[zone]
        self._former[zone] = None
        if len(self._former) > self._max_former:
            self._former.popitem(last=False)


@dataclass(slots=True)
class _Claimed:
    """A zone that only clients name: whose share it uses, and the streams of clients in it."""

    network: str
    streams: set[int] = field(default_factory=set)


class ClaimedZones:
    """Decides whether the zone that a client claims counts."""

    def __init__(self, known: Container[str]) -> None:
        self._known = known
        self._zones: OrderedDict[str, _Claimed] = OrderedDict()
        """Those that were left first come first among those without streams."""
        self._by_network: Counter[str] = Counter()
        self._zone_of: dict[int, str] = {}

    def __len__(self) -> int:
        """How many zones hold a place."""
        return len(self._zones)

    def claim(self, stream: int, network: str, zone: str) -> bool:
        """Whether a stream may be in `zone`; if so, until it is `released`."""
        if zone in self._known:
            return True
        claimed = self._zones.get(zone)
        if claimed is None:
            if not self._make_room(network):
                return False
            claimed = self._zones[zone] = _Claimed(network)
            self._by_network[network] += 1
        claimed.streams.add(stream)
        self._zone_of[stream] = zone
        return True

    def release(self, stream: int) -> None:
        """The stream ended. One that claimed nothing is ignored."""
        zone = self._zone_of.pop(stream, None)
        if zone is not None:
            self._zones[zone].streams.discard(stream)
            self._zones.move_to_end(zone)

    def _make_room(self, network: str) -> bool:
        """Whether there is a place for one more zone of the network; takes one that is not in use if need be."""
        if self._by_network[network] >= MAX_CLAIMED_BY_NETWORK:
            return self._evict(lambda claimed: claimed.network == network)
        return len(self._zones) < MAX_CLAIMED or self._evict(lambda _: True)

    def _evict(self, eligible: Callable[[_Claimed], bool]) -> bool:
        for zone, claimed in self._zones.items():
            if not claimed.streams and eligible(claimed):
                del self._zones[zone]
                self._by_network[claimed.network] -= 1
                if not self._by_network[claimed.network]:
                    del self._by_network[claimed.network]
                return True
        return False


def _named(obj: Object | None) -> Iterator[str]:
    """The zones that an object names."""
    if isinstance(obj, Node):
        yield obj.metadata.labels.zone
    elif isinstance(obj, EndpointSlice):
        for endpoint in obj.endpoints or ():
            yield endpoint.zone or ""
            if endpoint.hints is not None:
                yield from (hint.name for hint in endpoint.hints.for_zones or ())
    elif isinstance(obj, TrafficPolicy) and obj.spec.zones is not None:
        yield from (demand.zone for demand in obj.spec.zones.demand or ())
