"""What wildcard subscriptions see: names, each because of one service or more.

A wildcard is not an entry of the translator but the reason for many: whatever it sees is an ordinary entry, and kept up
to date as if somebody had asked for it by name. Here is only which service brings which name, so that a service which
changes costs its own names and no others.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from steerway.catalog.model.mesh import Service, ServiceId
from steerway.translate.client.audience import Audience
from steerway.translate.xds import type_url

SERVED = (type_url.LISTENER, type_url.CLUSTER)
"""The types of which translated resources are made for wildcards. For the others raw ones are all there is."""


class WildcardMember(NamedTuple):
    """A name that a wildcard of an audience sees."""

    type_url: str
    name: str
    audience: Audience


class WildcardProvider(Protocol):
    """What wildcards see: always, and because there is a service."""

    def listeners(self, audience: Audience) -> Iterable[str]: ...
    def clusters(self, service: Service, audience: Audience) -> Iterable[str]: ...


class Wildcards:
    """Those that somebody is subscribed to. `services` gives all of the catalog."""

    def __init__(self, provider: WildcardProvider, services: Callable[[], Iterable[Service]]) -> None:
        self._provider = provider
        self._services = services
        self._wildcards: dict[tuple[str, Audience], _Wildcard] = {}

    def __bool__(self) -> bool:
        return bool(self._wildcards)

    def add(self, served: str, asked: str, audience: Audience) -> list[WildcardMember]:
        """Somebody subscribed to all of a type: `*`, or a glob collection, which sees the same.

        Returns what is seen.
        """
        wildcard = self._wildcards.get((served, audience))
        if wildcard is None:
            listeners = self._provider.listeners(audience) if served == type_url.LISTENER else ()
            wildcard = self._wildcards[served, audience] = _Wildcard(listeners)
            for service in self._services():
                wildcard.follow(service.id, self._names(served, service, audience))
        wildcard.asked.add(asked)
        return [WildcardMember(served, name, audience) for name in wildcard.names]

    def remove(self, served: str, asked: str, audience: Audience) -> list[WildcardMember] | None:
        """The last subscription went; what no wildcard sees any more. None: some of that type and audience are left."""
        wildcard = self._wildcards.get((served, audience))
        if wildcard is None:
            return []
        wildcard.asked.discard(asked)
        if wildcard.asked:
            return None
        del self._wildcards[served, audience]
        return [WildcardMember(served, name, audience) for name in wildcard.names]

    def follow(
        self, id: ServiceId, service: Service | None
    ) -> tuple[set[WildcardMember], set[WildcardMember]]:
        """A service is another one now, or gone; what is seen since then, and what is not any more."""
        came: set[WildcardMember] = set()
        gone: set[WildcardMember] = set()
        for (served, audience), wildcard in self._wildcards.items():
            new, old = wildcard.follow(id, self._names(served, service, audience))
            came |= {WildcardMember(served, name, audience) for name in new}
            gone |= {WildcardMember(served, name, audience) for name in old}
        return came, gone

    def sees(self, member: WildcardMember) -> bool:
        """Whether it is seen now."""
        return member.name in self._wildcards[member.type_url, member.audience].names

    def _names(self, served: str, service: Service | None, audience: Audience) -> Iterable[str]:
        if served != type_url.CLUSTER or service is None:
            return ()
        return self._provider.clusters(service, audience)


class _Wildcard:
    """The names of one type and audience. `always` are there whatever services there are."""

    def __init__(self, always: Iterable[str]) -> None:
        self.asked: set[str] = set()
        self._by_service: dict[ServiceId, frozenset[str]] = {}
        self._count = Counter(always)

    @property
    def names(self) -> Iterable[str]:
        return self._count.keys()

    def follow(self, id: ServiceId, names: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        """These are the names of a service now; returns those that came and those that went."""
        before, after = self._by_service.pop(id, frozenset()), frozenset(names)
        if after:
            self._by_service[id] = after
        came = frozenset(name for name in after - before if name not in self._count)
        self._count.update(after - before)
        self._count.subtract(before - after)
        gone = frozenset(name for name in before - after if not self._count[name])
        for name in gone:
            del self._count[name]
        return came, gone
