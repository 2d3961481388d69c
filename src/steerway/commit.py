"""What translate publishes to the engine, as flat entries in the shape in which the native engine takes them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from steerway.origin import Origin


class Put(NamedTuple):
    """A resource to publish."""

    type_url: str
    name: str
    audience: str
    body: bytes
    references: tuple[tuple[str, str], ...] = ()
    """Other resources that this one names, as (type_url, name): they are sent before it and withdrawn after it."""
    scope: str = ""
    """What a grant must cover: `NAMESPACE/NAME` of the service, `secret:NAME`; "" for what everybody may see."""
    ttl_seconds: float = 0.0
    """How long clients keep it without a heartbeat; 0: without end."""
    origin: Origin | None = None
    """When steerway received the change; None: it answers a demand."""


class Absent(NamedTuple):
    """A name without a resource, as clients of the audience see it."""

    type_url: str
    name: str
    audience: str
    reason: str
    """For operators: why there is none."""


class Forgotten(NamedTuple):
    """An entry to remove: a named subscription keeps what it has and waits, a wildcard drops it."""

    type_url: str
    name: str
    audience: str


class Complete(NamedTuple):
    """All resources of the type are published: wildcards may be answered."""

    type_url: str
    audience: str


class Missing(NamedTuple):
    """A demand that no resource exists for. The engine keeps it alone, without `Withdrawn`, and demands it anew when
    `Engine.changed` names its service or its name."""

    type_url: str
    name: str
    audience: str
    reason: str
    service: str
    """Empty: only a change of the name itself matters."""


@dataclass(slots=True)
class Commit:
    """Changes that become visible together.

    A (type_url, name, audience) stands in at most one of put, absent, denied, forget and missing.
    """

    put: list[Put] = field(default_factory=list)
    absent: list[Absent] = field(default_factory=list)
    denied: list[Absent] = field(default_factory=list)
    """What the audience must not see: its clients lose it at once, also what they still use."""
    forget: list[Forgotten] = field(default_factory=list)
    complete: list[Complete] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def has(self, type_url: str, name: str, audience: str) -> bool:
        """Whether the entry stands in one of the lists."""
        entries = (*self.put, *self.absent, *self.denied, *self.forget, *self.missing)
        return any(entry[:3] == (type_url, name, audience) for entry in entries)

    def parts(self) -> Iterator["Commit"]:
        """Commits of one entry each, in an order in which they may be published one by one."""
        yield from (Commit(put=[entry]) for entry in self.put)
        yield from (Commit(absent=[entry]) for entry in self.absent)
        yield from (Commit(denied=[entry]) for entry in self.denied)
        yield from (Commit(forget=[entry]) for entry in self.forget)
        yield from (Commit(complete=[entry]) for entry in self.complete)
        yield from (Commit(missing=[entry]) for entry in self.missing)

    def __bool__(self) -> bool:
        return bool(self.put or self.absent or self.denied or self.forget or self.complete or self.missing)
