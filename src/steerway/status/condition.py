"""What is said of an attached object, as values: conditions, for each thing that it is attached to.

Types and reasons are the Gateway API's (RouteConditionType, PolicyConditionType), so that people and tools know them;
`LIMITED` is ours. Who writes them down, and where, is no business of the catalog.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from steerway.sources.objects.core import ObjectKey
from steerway.sources.policy.validation_error import listed as listed

ACCEPTED = "Accepted"
RESOLVED_REFS = "ResolvedRefs"
PROGRAMMED = "Programmed"
PARTIALLY_INVALID = "PartiallyInvalid"
LIMITED = "steerway.io/Limited"
"""Clients of some kind do not get all of it. There only where that is so."""


class Condition(NamedTuple):
    """`reason` is one word for programs, `message` is for people; `cure` says what to do about it."""

    type: str
    holds: bool
    reason: str
    message: str = ""
    cure: str = ""


class Reference(NamedTuple):
    """What an object is attached to, as its spec names it; None for what it leaves out."""

    group: str
    kind: str
    name: str
    namespace: str | None = None
    section_name: str | None = None
    port: int | None = None


class Ignored(NamedTuple):
    """A reference of which no status says anything. `cure` is "" where that is as it should be."""

    message: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one thing that an object is attached to."""

    ref: Reference
    conditions: tuple[Condition, ...]

    def holds(self, type_: str) -> bool:
        return any(each.type == type_ and each.holds for each in self.conditions)


@dataclass(frozen=True, slots=True)
class Judgement:
    """All of one object. `generation` and `created` are its metadata's: which version of which object was judged.
    `verdicts` are what its status says, `ignored` are its other references."""

    key: ObjectKey
    generation: int
    created: str
    verdicts: tuple[Verdict, ...] = ()
    ignored: tuple[Ignored, ...] = ()

    @property
    def refusals(self) -> tuple[Condition | Ignored, ...]:
        """What its owner should correct."""
        mistaken = [each for each in self.ignored if each.cure]
        refused = [
            each
            for verdict in self.verdicts
            for each in verdict.conditions
            if (each.type in (ACCEPTED, RESOLVED_REFS) and not each.holds) or each.type == PARTIALLY_INVALID
        ]
        return (*refused, *mistaken)


def limited(found: Sequence[str]) -> list[Condition]:
    """What clients of some kind do not do, if there is any."""
    return [Condition(LIMITED, True, "NotForAllClients", listed(found))] if found else []
