"""Workloads: servers that the same policies apply to, by what Services select them.

The Pods of a workload have equal labels, but for those that a controller gives each Pod or each revision, and one
service account. A server whose Pod is not known may claim Services of its namespace instead: that gives it their
policies, and no permission.

Source: Kubernetes API reference, "Well-Known Labels".
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from steerway.catalog.locality.pod_owner import owner_of
from steerway.sources.objects.core import Pod

_VOLATILE = frozenset(
    {
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "controller-uid",
    }
)
"""Labels that differ between Pods of one template, or between its revisions."""
_OTHER = re.compile(r"[^A-Za-z0-9_-]")
_MOST_NAME = 40
_MOST = 65_536
"""Workloads that are remembered: more than a cluster has Deployments. The one that was not used for longest goes."""


class Workload(NamedTuple):
    """`labels` of its Pods, or the `services` that it claims."""

    labels: Mapping[str, str] | None = None
    services: tuple[str, ...] = ()

    def is_selected(self, name: str, selector: Mapping[str, str] | None) -> bool:
        """Whether a Service of its namespace, by name and selector, is one of its Services."""
        if self.labels is None:
            return name in self.services
        return selects(selector, self.labels)


def selects(selector: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    """Whether a Service selects a Pod; one without a selector selects none."""
    return bool(selector) and all(labels.get(key) == value for key, value in (selector or {}).items())


class Workloads:
    """Workloads by the name that stands for them in audiences (`[A-Za-z0-9._-]`, at most 63 characters)."""

    def __init__(self) -> None:
        self._workloads: OrderedDict[str, Workload] = OrderedDict()

    def of_pod(self, pod: Pod) -> str:
        """The name of the workload of a Pod: `OWNER.DIGEST`."""
        labels = {key: value for key, value in (pod.metadata.labels or {}).items() if key not in _VOLATILE}
        parts = (pod.metadata.namespace, pod.spec.service_account_name)
        digest = _digest((*parts, *(f"{key}={value}" for key, value in sorted(labels.items()))))
        _, owner = owner_of(pod)
        return self._remember(f"{_OTHER.sub('-', owner)[:_MOST_NAME]}.{digest}", Workload(labels))

    def of_claim(self, services: Sequence[str]) -> str:
        """The name of servers that claim these Services of their namespace: `claim.DIGEST`."""
        names = tuple(sorted(set(services)))
        return self._remember(f"claim.{_digest(names)}", Workload(services=names))

    def get(self, name: str) -> Workload | None:
        """None for a name that is not known."""
        return self._workloads.get(name)

    def _remember(self, name: str, workload: Workload) -> str:
        self._workloads[name] = workload
        self._workloads.move_to_end(name)
        while len(self._workloads) > _MOST:
            self._workloads.popitem(last=False)
        return name


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()
