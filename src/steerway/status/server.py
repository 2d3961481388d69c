"""The status of a ServerPolicy or an AuthorizationPolicy, for each of its targets in the scope: Services of its
namespace, or the namespace itself.

Source: Gateway API, GEP-713 (PolicyConditionReason). A limitation is about servers, which Envoys are not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.security import precedence
from steerway.sources.objects.core import ObjectKey
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.server_policy import ServerPolicy, ServerTarget
from steerway.status.condition import (
    ACCEPTED,
    PROGRAMMED,
    RESOLVED_REFS,
    Condition,
    Ignored,
    Reference,
    TargetStatus,
    limited,
    listed,
)
from steerway.status.policy import missing_target
from steerway.status.reference_resolver import ReferenceResolver
from steerway.translate.client import limit
from steerway.translate.client.capability import Feature
from steerway.translate.client.client import CURRENT

OfServers = ServerPolicy | AuthorizationPolicy
_PARTS: Mapping[str, Callable[[ServerPolicy], object]] = {
    "tls": precedence.tls_of,
    "authorization.default": precedence.default_of,
    "authorization.unsupported": precedence.unsupported_of,
}
"""Of a ServerPolicy: each counts on its own."""


def evaluate(policy: OfServers, resolver: ReferenceResolver) -> tuple[TargetStatus, ...]:
    """One status for each targetRef in the scope, in their order; without targetRefs one of the namespace."""
    space = policy.metadata.namespace
    limits = limited(_limitations(policy))
    if policy.spec.target_refs is None:
        whole = Reference("", "Namespace", space)
        return (TargetStatus(whole, (*_conditions(policy, None, resolver), *limits)),)
    return tuple(
        TargetStatus(
            Reference(ref.group, ref.kind, ref.name, space, ref.section_name),
            (*_conditions(policy, ref, resolver), *limits),
        )
        for ref in dict.fromkeys(policy.spec.target_refs)
        if resolver.covers(ObjectKey(ref.kind, space, ref.name))
    )


def ignored(policy: OfServers, resolver: ReferenceResolver) -> Iterator[Ignored]:
    """The targetRefs without a status, with the reason."""
    space = policy.metadata.namespace
    for ref in dict.fromkeys(policy.spec.target_refs or ()):
        key = ObjectKey(ref.kind, space, ref.name)
        if not resolver.covers(key):
            yield Ignored(f"{key} {resolver.outside(ServiceId(space, ref.name))}")


def _conditions(
    policy: OfServers, ref: ServerTarget | None, resolver: ReferenceResolver
) -> Iterator[Condition]:
    accepted = None if ref is None else missing_target(ref, policy.metadata.namespace, resolver)
    if accepted is None:
        accepted = _conflict(policy, ref, resolver) or Condition(ACCEPTED, True, "Accepted")
    yield accepted
    if accepted.status:
        yield Condition(PROGRAMMED, True, "Programmed")
    else:
        yield Condition(PROGRAMMED, False, "Invalid", "the policy is not accepted")
    if ref is not None and isinstance(policy, ServerPolicy) and accepted.reason != "TargetNotFound":
        yield from _replaced(policy, ref, resolver)


def _conflict(policy: OfServers, ref: ServerTarget | None, resolver: ReferenceResolver) -> Condition | None:
    """Whether an older ServerPolicy has the same parts for the same target. AuthorizationPolicies count together."""
    if isinstance(policy, AuthorizationPolicy):
        return None
    given = [part for part, value in _PARTS.items() if value(policy) is not None]
    winners = {part: _winner(part, ref, policy, resolver) for part in given}
    lost = {part: winner for part, winner in winners.items() if winner.key != policy.key}
    if not lost:
        return None
    message = listed(
        f"{winner.key} is older and has {part}, too: that of this policy is not used here"
        for part, winner in lost.items()
    )
    hint = listed(f"remove {part} from one of them" for part in lost)
    if len(lost) < len(given):
        return Condition(ACCEPTED, True, "Accepted", message, hint)
    return Condition(ACCEPTED, False, "Conflicted", message, hint)


def _winner(
    part: str, ref: ServerTarget | None, policy: ServerPolicy, resolver: ReferenceResolver
) -> ServerPolicy:
    target = ("", "") if ref is None else (ref.name, ref.section_name or "")
    rivals = resolver.attachments.server_policies(resolver.get, policy.metadata.namespace)
    value = _PARTS[part]
    having = (rival for rival in rivals if precedence.is_on(rival, *target) and value(rival) is not None)
    return next(having, policy)


def _replaced(policy: ServerPolicy, ref: ServerTarget, resolver: ReferenceResolver) -> Iterator[Condition]:
    """Whether the ports that the target replaces exist."""
    tls = policy.spec.tls
    service = resolver.local(ServiceId(policy.metadata.namespace, ref.name))
    if tls is None or tls.replaces is None or service is None:
        return
    known = {port.name for port in service.ports}
    missing = [name for name in tls.replaces if name not in known]
    if missing:
        message = (
            f"Service {service.id} has no port {', '.join(missing)} that {ref.section_name} could replace"
        )
        hint = f"its ports are: {', '.join(sorted(known))}; fix tls.replaces"
        yield Condition(RESOLVED_REFS, False, "TargetNotFound", message, hint)
    elif ref.section_name in tls.replaces:
        message = f"port {ref.section_name} of Service {service.id} replaces itself"
        yield Condition(RESOLVED_REFS, False, "Invalid", message, "remove it from tls.replaces")
    else:
        yield Condition(RESOLVED_REFS, True, "ResolvedRefs")


def _limitations(policy: OfServers) -> Sequence[str]:
    """What current libraries do not support of it in their servers."""
    features = list(_wanted(policy))
    return limit.merged(
        missing for client in CURRENT if client.is_grpc for missing in limit.missing(client, *features)
    )


def _wanted(policy: OfServers) -> Iterator[Feature]:
    if isinstance(policy, AuthorizationPolicy):
        yield Feature.RBAC if policy.spec.mode == "Enforce" else Feature.AUDIT
    elif policy.spec.authorization is not None and policy.spec.authorization.default == "Deny":
        yield Feature.RBAC
