"""Entries of the translator: what is published under one name, and for which clients."""

from dataclasses import dataclass, field
from typing import NamedTuple

from steerway.catalog.model.mesh import ServiceId
from steerway.translate.answer import Content
from steerway.translate.client.audience import Audience, Width
from steerway.translate.plan import Plan


class Key(NamedTuple):
    """`audience`: of all clients that share the entry."""

    type_url: str
    name: str
    audience: Audience


@dataclass(slots=True)
class Entry:
    """An entry as it is published, and how."""

    named: set[Audience] = field(default_factory=set)
    """Audiences that ask for it by its name."""
    seen: set[Audience] = field(default_factory=set)
    """Audiences with a wildcard that sees it."""
    services: frozenset[ServiceId] = frozenset()
    endpoints: bool = False
    """Whether it depends on the endpoints of its services, too."""
    servers: str = ""
    """The namespace on whose configuration of servers it depends; "" for none."""
    plan: Plan | None = None
    """How it is answered, until one of its services changes."""
    published: dict[Audience, Content] = field(default_factory=dict)
    """Audience → its answer: one for all that share the entry, or one for each where they differ."""

    _widened: dict[Width, frozenset[Audience]] = field(default_factory=dict)

    @property
    def users(self) -> set[Audience]:
        return self.named | self.seen

    @property
    def used(self) -> bool:
        return bool(self.named or self.seen)

    def add(self, user: Audience, wide: bool) -> None:
        """`wide`: by a wildcard."""
        (self.seen if wide else self.named).add(user)
        self._widened.clear()

    def discard(self, user: Audience, wide: bool) -> None:
        (self.seen if wide else self.named).discard(user)
        self._widened.clear()

    def users_at(self, width: Width) -> frozenset[Audience]:
        """The users with the first parts only: few for thousands of workloads, so that a change costs as many."""
        if width not in self._widened:
            self._widened[width] = frozenset(user.widened(width) for user in self.users)
        return self._widened[width]
