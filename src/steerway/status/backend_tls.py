"""The conditions of a BackendTLSPolicy, for each of its targets.

Sources: Gateway API reference, BackendTLSPolicy v1 (BackendTLSPolicyConditionReason); GEP-713 for conflicts.
"""

from collections.abc import Iterator

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.routing import backend_tls
from steerway.catalog.routing.backend_tls import InvalidReference
from steerway.sources.objects.core import ObjectKey
from steerway.sources.policy.gateway import BackendTLSPolicy, TargetRef
from steerway.status.condition import (
    ACCEPTED,
    RESOLVED_REFS,
    Condition,
    Ignored,
    Reference,
    TargetStatus,
    limited,
)
from steerway.status.policy import missing_target
from steerway.status.reference_resolver import ReferenceResolver
from steerway.translate.client import limit
from steerway.translate.client.capability import Feature


def evaluate(policy: BackendTLSPolicy, resolver: ReferenceResolver) -> tuple[TargetStatus, ...]:
    """One status for each targetRef in the scope, in their order. The ancestor is the Service that it names."""
    space = policy.metadata.namespace
    invalid = backend_tls.invalid_reference(policy)
    limits = limited([] if invalid is not None else limit.of_current(Feature.BACKEND_TLS))
    return tuple(
        TargetStatus(
            Reference(ref.group, ref.kind, ref.name, space, ref.section_name),
            (_accepted(policy, ref, invalid, resolver), *_resolved(invalid), *limits),
        )
        for ref in dict.fromkeys(policy.spec.target_refs)
        if resolver.covers(ObjectKey(ref.kind, space, ref.name))
    )


def ignored(policy: BackendTLSPolicy, resolver: ReferenceResolver) -> Iterator[Ignored]:
    """The targetRefs without a status, with the reason."""
    space = policy.metadata.namespace
    for ref in dict.fromkeys(policy.spec.target_refs):
        key = ObjectKey(ref.kind, space, ref.name)
        if not resolver.covers(key):
            yield Ignored(f"{key} {resolver.outside(ServiceId(space, ref.name))}")


def _accepted(
    policy: BackendTLSPolicy, ref: TargetRef, invalid: InvalidReference | None, resolver: ReferenceResolver
) -> Condition:
    if (ref.group, ref.kind) != ("", "Service"):
        kind = f"{ref.kind} of {ref.group}" if ref.group else ref.kind
        message, hint = f"{kind} {ref.name} is not a Service", "name a Service, with the group ''"
        return Condition(ACCEPTED, False, "TargetNotFound", message, hint)
    missing = missing_target(ref, policy.metadata.namespace, resolver)
    if missing is not None:
        return missing
    if (conflict := _conflict(policy, ref, resolver)) is not None:
        return conflict
    if invalid is not None:
        message = f"connections to it fail: {invalid.message}"
        return Condition(ACCEPTED, False, invalid.accepted, message, invalid.remedy)
    return Condition(ACCEPTED, True, "Accepted")


def _conflict(policy: BackendTLSPolicy, ref: TargetRef, resolver: ReferenceResolver) -> Condition | None:
    service = ObjectKey("Service", policy.metadata.namespace, ref.name)
    rivals = resolver.attachments.tls_policies(resolver.get, service)
    winner = backend_tls.winner(rivals, service, ref.section_name or "")
    if winner is None or winner.key == policy.key:
        return None
    message = f"{winner.key} is older and has the same target: this policy is not used there"
    return Condition(ACCEPTED, False, "Conflicted", message, "remove one of them, or name another port")


def _resolved(invalid: InvalidReference | None) -> Iterator[Condition]:
    if invalid is None or not invalid.resolved:
        yield Condition(RESOLVED_REFS, True, "ResolvedRefs")
    else:
        yield Condition(RESOLVED_REFS, False, invalid.resolved, invalid.message, invalid.remedy)
