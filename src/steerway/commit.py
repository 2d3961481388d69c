"""What translate gives to the engine: one batch of flat entries that become visible together."""

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


@dataclass(slots=True)
class Commit:
    """One atomic commit, in the shape of `steerway._engine.Engine.publish`.

    absent: (type_url, name, audience, reason). denied: the same, for what the audience must not see.
    forget: (type_url, name, audience). complete: (type_url, audience).
    missing: (type_url, name, audience, reason, service) of a demand that the engine answers alone from now on, and
    raises anew when it hears that the service or the name changed; "" for no service.
    A (type_url, name, audience) stands in at most one of put, absent, denied, forget and missing.
    """

    put: list[Put] = field(default_factory=list)
    absent: list[tuple[str, str, str, str]] = field(default_factory=list)
    denied: list[tuple[str, str, str, str]] = field(default_factory=list)
    forget: list[tuple[str, str, str]] = field(default_factory=list)
    complete: list[tuple[str, str]] = field(default_factory=list)
    missing: list[tuple[str, str, str, str, str]] = field(default_factory=list)

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
