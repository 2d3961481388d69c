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
    """`reason` is one word for programs, `message` is for people; `hint` says what to do about it."""

    type: str
    holds: bool
    reason: str
    message: str = ""
    hint: str = ""


class Reference(NamedTuple):
    """What an object is attached to, as its spec names it; None for what it leaves out."""

    group: str
    kind: str
    name: str
    namespace: str | None = None
    section_name: str | None = None
    port: int | None = None


class Ignored(NamedTuple):
    """A reference of which no status says anything. `hint` is "" where that is as it should be."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """Of one thing that an object is attached to."""

    ref: Reference
    conditions: tuple[Condition, ...]

    def holds(self, type_: str) -> bool:
        return any(condition.type == type_ and condition.holds for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class ObjectStatus:
    """All of one object. `generation` and `created` are its metadata's: which version of which object was judged.
    `target_statuses` are what its status says, `ignored` are its other references."""

    key: ObjectKey
    generation: int
    created: str
    target_statuses: tuple[TargetStatus, ...] = ()
    ignored: tuple[Ignored, ...] = ()

    @property
    def refusals(self) -> tuple[Condition | Ignored, ...]:
        """What its owner should correct."""
        mistaken = [problem for problem in self.ignored if problem.hint]
        refused = [
            condition
            for target_status in self.target_statuses
            for condition in target_status.conditions
            if (condition.type in (ACCEPTED, RESOLVED_REFS) and not condition.holds)
            or condition.type == PARTIALLY_INVALID
        ]
        return (*refused, *mistaken)


def limited(limitations: Sequence[str]) -> list[Condition]:
    """What clients of some kind do not do, if there is any."""
    return [Condition(LIMITED, True, "NotForAllClients", listed(limitations))] if limitations else []
