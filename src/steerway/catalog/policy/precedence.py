"""Which of several policies on one target count.

A section of the target (a port, a rule) comes before the whole. Of those on the same the older one counts; a newer one
that has a section of an older one is not used at all: a part of a policy is never intended.

Source: Gateway API, GEP-713 (conflict resolution).
"""

from collections.abc import Sequence

from steerway.catalog.model.policy import NOTHING, Policy
from steerway.catalog.policy import traffic
from steerway.sources.objects.core import ObjectKey
from steerway.sources.policy.traffic_policy import TrafficPolicy

Conflict = tuple[TrafficPolicy, TrafficPolicy, tuple[str, ...]]
"""One that is not used, the older one that is, and the sections of both."""


def applied(policies: Sequence[TrafficPolicy], target: ObjectKey, section: str = "") -> Policy:
    """The policy of a section of a target. `policies` target it, in the order of `attachment.rank`."""
    whole, _ = merged(policies, target, None)
    if not section:
        return whole
    part, _ = merged(policies, target, section)
    return part.merged_over(whole)


def merged(
    policies: Sequence[TrafficPolicy], target: ObjectKey, section: str | None
) -> tuple[Policy, list[Conflict]]:
    """The sections of policies on exactly this section (None: on the whole), and the policies that are not used."""
    sources: dict[str, TrafficPolicy] = {}
    result = NOTHING
    conflicts: list[Conflict] = []
    for policy in policies:
        if not _is_on(policy, target, section):
            continue
        policy_values = traffic.of_object(policy)
        sections = [name for name, _ in policy_values.sources]
        rivals = [sources[name] for name in sections if name in sources]
        if rivals:
            shared = tuple(name for name in sections if sources.get(name) is rivals[0])
            conflicts.append((policy, rivals[0], shared))
            continue
        sources |= dict.fromkeys(sections, policy)
        result = policy_values.merged_over(result)
    return result, conflicts


def _is_on(policy: TrafficPolicy, target: ObjectKey, section: str | None) -> bool:
    return any(
        (ref.kind, ref.name, ref.section_name or None) == (target.kind, target.name, section)
        for ref in policy.spec.target_refs
    )
