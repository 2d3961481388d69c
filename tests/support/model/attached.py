"""Routes, policies and Services in YAML, the catalog that they make, and their status."""

from functools import partial
from typing import Any

import msgspec
import yaml

from steerway.catalog.catalog import Catalog
from steerway.catalog.service.scope import Selection
from steerway.explain import limitation
from steerway.sources.objects.core import EndpointSlice, Namespace, Object, ObjectKey, Service
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.gateway import BackendTLSPolicy, GRPCRoute, HTTPRoute, ReferenceGrant
from steerway.sources.policy.server_policy import ServerPolicy
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.status.condition import Condition, ObjectStatus, TargetStatus
from steerway.status.evaluation import StatusEvaluator
from steerway.status.reference_resolver import Find, ReferenceResolver

_TYPES: dict[str, Any] = {
    item.__name__: item
    for item in (
        Namespace,
        Service,
        EndpointSlice,
        BackendTLSPolicy,
        GRPCRoute,
        HTTPRoute,
        ReferenceGrant,
        TrafficPolicy,
        ServerPolicy,
        AuthorizationPolicy,
    )
}


def parse(text: str) -> list[Object]:
    """The objects of some YAML documents. The namespace is `shop` where none is named."""
    objs = []
    for manifest in yaml.safe_load_all(text):
        if manifest["kind"] != "Namespace":
            manifest["metadata"].setdefault("namespace", "shop")
        objs.append(msgspec.convert(manifest, _TYPES[manifest["kind"]]))
    return objs


class EvaluatedMesh:
    """Facts and their status. `remote` finds services of other clusters, `selection` is the scope."""

    def __init__(self, text: str, remote: Find = lambda _: None, selection: Selection | None = None) -> None:
        self.facts: dict[ObjectKey, Object] = {}
        self.catalog = Catalog(selection)
        local = self.catalog.service
        self.resolver = ReferenceResolver(
            self.facts.get,
            self.catalog.attachments,
            local,
            lambda id: local(id) or remote(id),
            limitation.stated,
            outside=partial(self.catalog.outside, self.facts.get),
        )
        self.target_statuses = StatusEvaluator(self.resolver)
        self.put(text)

    def put(self, text: str) -> set[str]:
        """Create or replace objects; returns those with a changed status, as `GRPCRoute shop/a`."""
        objects = parse(text)
        self.facts.update((obj.key, obj) for obj in objects)
        return self._changed([obj.key for obj in objects])

    def remove(self, kind: str, name: str, namespace: str = "shop") -> set[str]:
        """Delete an object; returns those with a changed status."""
        key = ObjectKey(kind, namespace, name)
        del self.facts[key]
        return self._changed([key])

    def object_status(self, kind: str, name: str, namespace: str = "shop") -> ObjectStatus:
        return self.target_statuses.object_statuses[ObjectKey(kind, namespace, name)]

    def target_status(self, kind: str, name: str, namespace: str = "shop") -> TargetStatus:
        """The only one of an object."""
        (target_status,) = self.object_status(kind, name, namespace).target_statuses
        return target_status

    def conditions(self, kind: str, name: str, namespace: str = "shop") -> dict[str, Condition]:
        """Of the only target status, by type."""
        return {
            condition.type: condition for condition in self.target_status(kind, name, namespace).conditions
        }

    def _changed(self, keys: list[ObjectKey]) -> set[str]:
        self.catalog.update(self.facts.get, keys)
        before = dict(self.target_statuses.object_statuses)
        self.target_statuses.evaluate(len(self.facts) + len(keys))
        assert not self.target_statuses.unfinished
        after = self.target_statuses.object_statuses
        return {str(key) for key, value in after.items() if before.get(key) is not value}
