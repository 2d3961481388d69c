"""The status of an attached object as values: conditions, for each object that it is attached to.

Types and reasons are the Gateway API's (RouteConditionType, PolicyConditionType), which people and tools know;
`LIMITED` is steerway's.
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
"""Clients of some kind do not apply all of it. Absent where all do."""


class Condition(NamedTuple):
    """`reason` is one word for programs, `message` is for people; `hint` is the fix."""

    type: str
    status: bool
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
    """A reference without a status. `hint` is "" where that is as intended."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """Of one object that an object is attached to."""

    ref: Reference
    conditions: tuple[Condition, ...]

    def is_true(self, type_: str) -> bool:
        return any(condition.type == type_ and condition.status for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class ObjectStatus:
    """All of one object. `generation` and `created` are its metadata's: which version of which object was evaluated.
    `target_statuses` are the contents of its status, `ignored` are its other references."""

    key: ObjectKey
    generation: int
    created: str
    target_statuses: tuple[TargetStatus, ...] = ()
    ignored: tuple[Ignored, ...] = ()

    @property
    def refusals(self) -> tuple[Condition | Ignored, ...]:
        """The conditions and references that its owner should fix."""
        mistaken = [problem for problem in self.ignored if problem.hint]
        refused = [
            condition
            for target_status in self.target_statuses
            for condition in target_status.conditions
            if (condition.type in (ACCEPTED, RESOLVED_REFS) and not condition.status)
            or condition.type == PARTIALLY_INVALID
        ]
        return (*refused, *mistaken)


def limited(limitations: Sequence[str]) -> list[Condition]:
    """The condition about limitations of clients, if there are any."""
    return [Condition(LIMITED, True, "NotForAllClients", listed(limitations))] if limitations else []
