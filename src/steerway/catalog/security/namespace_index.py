"""The Services and policies of a namespace, arranged for the configuration of one server after another."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.security.workload import Workload
from steerway.sources.objects.core import Service
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.server_policy import ServerPolicy

_Policy = TypeVar("_Policy", ServerPolicy, AuthorizationPolicy)
_WIDE = ""


class _Known(NamedTuple):
    id: ServiceId
    fact: Service


class NamespaceIndex:
    """Policies are in the order of `attachment.rank`."""

    def __init__(
        self,
        services: Iterable[tuple[ServiceId, Service]],
        policies: Sequence[ServerPolicy],
        rules: Sequence[AuthorizationPolicy],
    ) -> None:
        self._by_name: dict[str, _Known] = {}
        self._by_label: defaultdict[tuple[str, str], list[_Known]] = defaultdict(list)
        for id, fact in services:
            known = self._by_name[id.name] = _Known(id, fact)
            if fact.spec.selector:
                # One label is enough: a Pod without it is not selected.
                self._by_label[min(fact.spec.selector.items())].append(known)
        self._policies = _by_service(policies)
        self._rules = _by_service(rules)
        both: list[ServerPolicy | AuthorizationPolicy] = [*policies, *rules]
        self.targeted = next((policy for policy in both if policy.spec.target_refs is not None), None)
        """A policy that is for single Services."""

    def selecting(self, workload: Workload) -> Iterator[tuple[ServiceId, Service]]:
        """The Services of a workload, sorted."""
        if workload.labels is None:
            candidates = [self._by_name[name] for name in workload.services if name in self._by_name]
        else:
            labels = workload.labels.items()
            candidates = [known for label in labels for known in self._by_label.get(label, ())]
        for id, fact in sorted(candidates, key=lambda known: known.id):
            if workload.is_selected(id.name, fact.spec.selector):
                yield id, fact

    def policies(self, service: str) -> Sequence[ServerPolicy]:
        """Those that may concern a Service ("": none), by their order within each kind of target."""
        return _of(self._policies, service)

    def rules(self, services: Iterable[str]) -> Sequence[AuthorizationPolicy]:
        """Those that may concern any of these Services."""
        names = dict.fromkeys((*services, _WIDE))
        return [*{policy.key: policy for name in names for policy in self._rules.get(name, ())}.values()]


def _of(by_service: dict[str, list[_Policy]], service: str) -> Sequence[_Policy]:
    return (*(by_service.get(service, ()) if service else ()), *by_service.get(_WIDE, ()))


def _by_service(policies: Iterable[_Policy]) -> dict[str, list[_Policy]]:
    """Policies by the Services that they target, and `_WIDE` for those of the namespace."""
    result: dict[str, list[_Policy]] = {}
    for policy in policies:
        refs = policy.spec.target_refs
        names = [_WIDE] if refs is None else dict.fromkeys(ref.name for ref in refs)
        for name in names:
            result.setdefault(name, []).append(policy)
    return result
