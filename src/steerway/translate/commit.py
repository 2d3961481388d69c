"""What translate gives to the engine: one batch of flat entries that become visible together."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Commit:
    """One atomic commit, in the shape of `steerway._engine.Engine.publish`.

    put: (type_url, name, audience, serialised resource, references as (type_url, name)).
    absent: (type_url, name, audience, reason). forget: (type_url, name, audience). complete: (type_url, audience).
    A (type_url, name, audience) stands in at most one of the lists.
    """

    put: list[tuple[str, str, str, bytes, tuple[tuple[str, str], ...]]] = field(default_factory=list)
    absent: list[tuple[str, str, str, str]] = field(default_factory=list)
    forget: list[tuple[str, str, str]] = field(default_factory=list)
    complete: list[tuple[str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.put or self.absent or self.forget or self.complete)
