"""The status of a TrafficPolicy, for each of its targets in the scope.

Source: Gateway API, GEP-713 (PolicyConditionReason).
"""

from collections.abc import Iterator

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.policy import precedence
from steerway.sources.objects.core import ObjectKey
from steerway.sources.policy.gateway import GRPCRoute, HTTPRoute, TargetRef
from steerway.sources.policy.server_policy import ServerTarget
from steerway.sources.policy.traffic_policy import PolicyTarget, TrafficPolicy
from steerway.status.condition import (
    ACCEPTED,
    PROGRAMMED,
    Condition,
    Ignored,
    Reference,
    TargetStatus,
    limited,
    listed,
)
from steerway.status.reference_resolver import ReferenceResolver
from steerway.status.route import is_programmed

_FIELDS = {"maximum_requests": "limits", "timeout_seconds": "timeout"}
"""Sections with another name in the spec."""


def evaluate(policy: TrafficPolicy, resolver: ReferenceResolver) -> tuple[TargetStatus, ...]:
    """One status for each targetRef in the scope, in their order."""
    space = policy.metadata.namespace
    limits = limited(resolver.limits_of(policy))
    return tuple(
        TargetStatus(
            Reference(ref.group, ref.kind, ref.name, space, ref.section_name),
            (
                accepted := missing_target(ref, space, resolver) or _conflict(policy, ref, resolver),
                _programmed(accepted, ref, space, resolver),
                *limits,
            ),
        )
        for ref in dict.fromkeys(policy.spec.target_refs)
        if resolver.covers(ObjectKey(ref.kind, space, ref.name))
    )


def ignored(policy: TrafficPolicy, resolver: ReferenceResolver) -> Iterator[Ignored]:
    """The targetRefs without a status, with the reason."""
    space = policy.metadata.namespace
    for ref in dict.fromkeys(policy.spec.target_refs):
        key = ObjectKey(ref.kind, space, ref.name)
        if resolver.covers(key):
            continue
        if ref.kind == "Service":
            yield Ignored(f"{key} {resolver.outside(ServiceId(space, ref.name))}")
        else:
            yield Ignored(f"{key} has no parent in the scope")


def missing_target(
    ref: PolicyTarget | TargetRef | ServerTarget, space: str, resolver: ReferenceResolver
) -> Condition | None:
    """The refusal of a target that does not exist; None for one that does."""
    key = ObjectKey(ref.kind, space, ref.name)
    if ref.kind == "Service":
        id = ServiceId(space, ref.name)
        service = resolver.local(id)
        if service is None:
            return _not_found(f"{key} {resolver.why_unserved(id)}")
        sections, what = {port.name for port in service.ports}, "port"
    else:
        route = resolver.get(key)
        if not isinstance(route, GRPCRoute | HTTPRoute):
            return _not_found(f"{key} {resolver.absent(key)}")
        sections, what = {rule.name or "" for rule in route.spec.rules or ()}, "rule"
    if ref.section_name and ref.section_name not in sections:
        return _not_found(f"{key} has no {what} named {ref.section_name}")
    return None


def _not_found(message: str) -> Condition:
    return Condition(ACCEPTED, False, "TargetNotFound", message, "create the target, or fix targetRefs")


def _conflict(policy: TrafficPolicy, ref: PolicyTarget, resolver: ReferenceResolver) -> Condition:
    """Whether an older policy has the same sections."""
    target = ObjectKey(ref.kind, policy.metadata.namespace, ref.name)
    rivals = resolver.attachments.policies(resolver.get, target)
    _, conflicts = precedence.merged(rivals, target, ref.section_name or None)
    lost = [
        (winner.key, ", ".join(map(_field, sections)))
        for loser, winner, sections in conflicts
        if loser.key == policy.key
    ]
    if not lost:
        return Condition(ACCEPTED, True, "Accepted")
    message = listed(
        f"{winner} is older and has {named}, too: nothing of this policy is used here"
        for winner, named in lost
    )
    hint = listed(f"remove {named} from one of them" for _, named in lost)
    return Condition(ACCEPTED, False, "Conflicted", message, hint)


def _field(section: str) -> str:
    head, *rest = _FIELDS.get(section, section).split("_")
    return head + "".join(word.capitalize() for word in rest)


def _programmed(accepted: Condition, ref: PolicyTarget, space: str, resolver: ReferenceResolver) -> Condition:
    if not accepted.status:
        return Condition(PROGRAMMED, False, "Invalid", "the policy is not accepted")
    route = resolver.get(ObjectKey(ref.kind, space, ref.name))
    if isinstance(route, GRPCRoute | HTTPRoute) and not is_programmed(route, resolver):
        message = f"{route.key} is not in use for any Service"
        return Condition(PROGRAMMED, False, "Invalid", message, "see the status of the route")
    return Condition(PROGRAMMED, True, "Programmed")
