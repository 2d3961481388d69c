"""What is to be said of a TrafficPolicy, for each of its targets in the scope.

Source: Gateway API, GEP-713 (PolicyConditionReason).
"""

from collections.abc import Iterator

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.policy import precedence
from steerway.sources.objects.core import ObjectKey
from steerway.sources.policy.gateway import GRPCRoute, HTTPRoute, TargetRef
from steerway.sources.policy.traffic_policy import PolicyTarget, TrafficPolicy
from steerway.status import route as route_verdict
from steerway.status.condition import (
    ACCEPTED,
    PROGRAMMED,
    Condition,
    Ignored,
    Reference,
    Verdict,
    limited,
    listed,
)
from steerway.status.reference_resolver import Evidence

_FIELDS = {"maximum_requests": "limits", "timeout_seconds": "timeout"}
"""Sections that the spec calls otherwise."""


def judge(policy: TrafficPolicy, evidence: Evidence) -> tuple[Verdict, ...]:
    """One verdict for each targetRef in the scope, in their order."""
    space = policy.metadata.namespace
    limits = limited(evidence.limits_of(policy))
    return tuple(
        Verdict(
            Reference(ref.group, ref.kind, ref.name, space, ref.section_name),
            (
                accepted := missing_target(ref, space, evidence) or _conflict(policy, ref, evidence),
                _programmed(accepted, ref, space, evidence),
                *limits,
            ),
        )
        for ref in dict.fromkeys(policy.spec.target_refs)
        if evidence.covers(ObjectKey(ref.kind, space, ref.name))
    )


def ignored(policy: TrafficPolicy, evidence: Evidence) -> Iterator[Ignored]:
    """The targetRefs of which nothing is said in the status, each with why."""
    space = policy.metadata.namespace
    for ref in dict.fromkeys(policy.spec.target_refs):
        key = ObjectKey(ref.kind, space, ref.name)
        if evidence.covers(key):
            continue
        if ref.kind == "Service":
            yield Ignored(f"{key} {evidence.outside(ServiceId(space, ref.name))}")
        else:
            yield Ignored(f"{key} has no parent that is served")


def missing_target(ref: PolicyTarget | TargetRef, space: str, evidence: Evidence) -> Condition | None:
    """The refusal of a target that is not there; None when it is."""
    key = ObjectKey(ref.kind, space, ref.name)
    if ref.kind == "Service":
        id = ServiceId(space, ref.name)
        service = evidence.local(id)
        if service is None:
            return _not_found(f"{key} {evidence.why_unserved(id)}")
        sections, what = {port.name for port in service.ports}, "port"
    else:
        route = evidence.get(key)
        if not isinstance(route, GRPCRoute | HTTPRoute):
            return _not_found(f"{key} {evidence.absent(key)}")
        sections, what = {rule.name or "" for rule in route.spec.rules or ()}, "rule"
    if ref.section_name and ref.section_name not in sections:
        return _not_found(f"{key} has no {what} with the name {ref.section_name}")
    return None


def _not_found(message: str) -> Condition:
    return Condition(ACCEPTED, False, "TargetNotFound", message, "create the target, or correct targetRefs")


def _conflict(policy: TrafficPolicy, ref: PolicyTarget, evidence: Evidence) -> Condition:
    """Whether an older policy speaks of the same."""
    target = ObjectKey(ref.kind, policy.metadata.namespace, ref.name)
    rivals = evidence.attachments.policies(evidence.get, target)
    _, conflicts = precedence.merged(rivals, target, ref.section_name or None)
    lost = [
        (winner.key, ", ".join(map(_field, sections)))
        for loser, winner, sections in conflicts
        if loser.key == policy.key
    ]
    if not lost:
        return Condition(ACCEPTED, True, "Accepted")
    message = listed(
        f"{winner} is older and speaks of {named}, too: nothing of this policy is used here"
        for winner, named in lost
    )
    cure = listed(f"remove {named} from one of them" for _, named in lost)
    return Condition(ACCEPTED, False, "Conflicted", message, cure)


def _field(section: str) -> str:
    head, *rest = _FIELDS.get(section, section).split("_")
    return head + "".join(word.capitalize() for word in rest)


def _programmed(accepted: Condition, ref: PolicyTarget, space: str, evidence: Evidence) -> Condition:
    if not accepted.holds:
        return Condition(PROGRAMMED, False, "Invalid", "it is not accepted")
    route = evidence.get(ObjectKey(ref.kind, space, ref.name))
    if isinstance(route, GRPCRoute | HTTPRoute) and not route_verdict.is_programmed(route, evidence):
        message = f"{route.key} is not in use for any Service"
        return Condition(PROGRAMMED, False, "Invalid", message, "see the status of the route")
    return Condition(PROGRAMMED, True, "Programmed")
