"""Routes, policies and Services in YAML, the catalog that they make, and the verdicts on them."""

from functools import partial
from typing import Any

import msgspec
import yaml

from steerway.catalog.catalog import Catalog
from steerway.catalog.service.scope import Selection
from steerway.explain import limitation
from steerway.sources.objects.core import EndpointSlice, Namespace, Object, ObjectKey, Service
from steerway.sources.policy.gateway import BackendTLSPolicy, GRPCRoute, HTTPRoute, ReferenceGrant
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.status.condition import Condition, Judgement, Verdict
from steerway.status.evaluation import Verdicts
from steerway.status.reference_resolver import Evidence, Find

_TYPES: dict[str, Any] = {
    each.__name__: each
    for each in (
        Namespace,
        Service,
        EndpointSlice,
        BackendTLSPolicy,
        GRPCRoute,
        HTTPRoute,
        ReferenceGrant,
        TrafficPolicy,
    )
}


def parse(text: str) -> list[Object]:
    """The objects of some YAML documents. The namespace is `shop` where none is named."""
    found = []
    for manifest in yaml.safe_load_all(text):
        if manifest["kind"] != "Namespace":
            manifest["metadata"].setdefault("namespace", "shop")
        found.append(msgspec.convert(manifest, _TYPES[manifest["kind"]]))
    return found


class Judged:
    """Facts, and what is said of them. `remote` finds services of other clusters, `selection` is the scope."""

    def __init__(self, text: str, remote: Find = lambda _: None, selection: Selection | None = None) -> None:
        self.facts: dict[ObjectKey, Object] = {}
        self.catalog = Catalog(selection)
        local = self.catalog.service
        self.evidence = Evidence(
            self.facts.get,
            self.catalog.attachments,
            local,
            lambda id: local(id) or remote(id),
            limitation.stated,
            outside=partial(self.catalog.outside, self.facts.get),
        )
        self.verdicts = Verdicts(self.evidence)
        self.put(text)

    def put(self, text: str) -> set[str]:
        """Create or replace objects; returns those of which something else is said now, as `GRPCRoute shop/a`."""
        objects = parse(text)
        self.facts.update((found.key, found) for found in objects)
        return self._changed([found.key for found in objects])

    def remove(self, kind: str, name: str, namespace: str = "shop") -> set[str]:
        """Delete an object; returns those of which something else is said now."""
        key = ObjectKey(kind, namespace, name)
        del self.facts[key]
        return self._changed([key])

    def judgement(self, kind: str, name: str, namespace: str = "shop") -> Judgement:
        return self.verdicts.judgements[ObjectKey(kind, namespace, name)]

    def verdict(self, kind: str, name: str, namespace: str = "shop") -> Verdict:
        """The only one of an object."""
        (found,) = self.judgement(kind, name, namespace).verdicts
        return found

    def conditions(self, kind: str, name: str, namespace: str = "shop") -> dict[str, Condition]:
        """Of the only verdict, by type."""
        return {each.type: each for each in self.verdict(kind, name, namespace).conditions}

    def _changed(self, keys: list[ObjectKey]) -> set[str]:
        self.catalog.update(self.facts.get, keys)
        before = dict(self.verdicts.judgements)
        self.verdicts.judge(len(self.facts) + len(keys))
        assert not self.verdicts.unfinished
        after = self.verdicts.judgements
        return {str(key) for key, found in after.items() if before.get(key) is not found}
