"""The conditions of a BackendTLSPolicy, for each of its targets.

Sources: Gateway API reference, BackendTLSPolicy v1 (BackendTLSPolicyConditionReason); GEP-713 for conflicts.
"""

from collections.abc import Iterator

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.routing import backend_tls
from steerway.catalog.routing.backend_tls import Fault
from steerway.sources.objects.core import ObjectKey
from steerway.sources.policy.gateway import BackendTLSPolicy, TargetRef
from steerway.status import policy as policy_verdict
from steerway.status.condition import ACCEPTED, RESOLVED_REFS, Condition, Ignored, Reference, Verdict, limited
from steerway.status.reference_resolver import Evidence

_FOR_ENVOY = (
    "TLS to backends is configured for Envoy alone: gRPC clients do not connect, and their calls fail"
)


def judge(policy: BackendTLSPolicy, evidence: Evidence) -> tuple[Verdict, ...]:
    """One verdict for each targetRef in the scope, in their order. The ancestor is the Service that it names."""
    space = policy.metadata.namespace
    fault = backend_tls.fault_of(policy)
    limits = limited([] if fault is not None else [_FOR_ENVOY])
    return tuple(
        Verdict(
            Reference(ref.group, ref.kind, ref.name, space, ref.section_name),
            (_accepted(policy, ref, fault, evidence), *_resolved(fault), *limits),
        )
        for ref in dict.fromkeys(policy.spec.target_refs)
        if evidence.covers(ObjectKey(ref.kind, space, ref.name))
    )


def ignored(policy: BackendTLSPolicy, evidence: Evidence) -> Iterator[Ignored]:
    """The targetRefs of which nothing is said in the status, each with why."""
    space = policy.metadata.namespace
    for ref in dict.fromkeys(policy.spec.target_refs):
        key = ObjectKey(ref.kind, space, ref.name)
        if not evidence.covers(key):
            yield Ignored(f"{key} {evidence.outside(ServiceId(space, ref.name))}")


def _accepted(policy: BackendTLSPolicy, ref: TargetRef, fault: Fault | None, evidence: Evidence) -> Condition:
    if (ref.group, ref.kind) != ("", "Service"):
        kind = f"{ref.kind} of {ref.group}" if ref.group else ref.kind
        message, cure = f"{kind} {ref.name} is no Service", "name a Service, with the group ''"
        return Condition(ACCEPTED, False, "TargetNotFound", message, cure)
    missing = policy_verdict.missing_target(ref, policy.metadata.namespace, evidence)
    if missing is not None:
        return missing
    if (conflict := _conflict(policy, ref, evidence)) is not None:
        return conflict
    if fault is not None:
        message = f"connections to it fail: {fault.message}"
        return Condition(ACCEPTED, False, fault.accepted, message, fault.remedy)
    return Condition(ACCEPTED, True, "Accepted")


def _conflict(policy: BackendTLSPolicy, ref: TargetRef, evidence: Evidence) -> Condition | None:
    service = ObjectKey("Service", policy.metadata.namespace, ref.name)
    rivals = evidence.attachments.tls_policies(evidence.get, service)
    winner = backend_tls.winner(rivals, service, ref.section_name or "")
    if winner is None or winner.key == policy.key:
        return None
    message = f"{winner.key} is older and for the same target: this policy is not used there"
    return Condition(ACCEPTED, False, "Conflicted", message, "remove one of them, or name another port")


def _resolved(fault: Fault | None) -> Iterator[Condition]:
    if fault is None or not fault.resolved:
        yield Condition(RESOLVED_REFS, True, "ResolvedRefs")
    else:
        yield Condition(RESOLVED_REFS, False, fault.resolved, fault.message, fault.remedy)
