"""The objects after `kubectl apply`: those of manifests laid over live ones.

What the API server and others add to an object (identity, time of creation, annotations of other writers) is kept from
the live one, so that a manifest equal to what was applied before changes nothing. Defaults of the API server need no
handling: catalog gives a field that is absent and one with its default the same meaning.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from steerway.catalog.service import slice_owner
from steerway.sources.objects.core import EndpointSlice, Object, ObjectKey, ObjectMeta, Pod, XdsResource
from steerway.sources.objects.slim import AttachedMeta, ServiceMeta

Objects = Mapping[ObjectKey, Object]
Applied = Mapping[ObjectKey, Mapping[str, frozenset[str]]]
"""By object the names of labels and annotations that the last `kubectl apply` set, by `labels` and `annotations`."""

PRUNED_KINDS = frozenset(
    {"Service", "GRPCRoute", "HTTPRoute", "ReferenceGrant", "BackendTLSPolicy", "TrafficPolicy"}
)
"""Kinds that people write. EndpointSlices belong to their Services: controllers write most of them."""

_M = TypeVar("_M", ObjectMeta, AttachedMeta)


def changes(
    live: Objects, manifests: Iterable[Object], applied: Applied, now: str, prune: bool = False
) -> dict[ObjectKey, Object | None]:
    """The objects that differ from live ones; None for one that goes. `now` (RFC 3339) is the time of creation of new
    objects: the older of two rivals wins. `prune`: see `_pruned`."""
    after = {obj.key: _merged(obj, live.get(obj.key), applied.get(obj.key, {}), now) for obj in manifests}
    changed: dict[ObjectKey, Object | None] = {
        key: obj for key, obj in after.items() if not _same(obj, live.get(key))
    }
    return changed | dict.fromkeys(_pruned(live, after)) if prune else changed


def _pruned(live: Objects, after: Objects) -> Iterator[ObjectKey]:
    """Live objects that the manifests lack, in the namespaces of the manifests, and the EndpointSlices of Services
    among them."""
    namespaces = {key.namespace for key in after if key.kind != "XdsResource"}
    gone = {
        key for key in live if key.kind in PRUNED_KINDS and key.namespace in namespaces and key not in after
    }
    yield from sorted(gone)
    for key, obj in live.items():
        if isinstance(obj, EndpointSlice) and key not in after:
            owner = slice_owner.owner(obj)
            if owner is not None and ObjectKey("Service", *owner) in gone:
                yield key


def _merged(obj: Object, live: Object | None, applied: Mapping[str, frozenset[str]], now: str) -> Object:
    """The object as the API server would have it."""
    if isinstance(obj, XdsResource | Pod) or (live is not None and type(live) is not type(obj)):
        return obj
    metadata: Any = obj.metadata
    before: Any = None if live is None else getattr(live, "metadata", None)
    return msgspec.structs.replace(obj, metadata=_metadata(metadata, before, applied, now))


def _metadata(metadata: _M, live: _M | None, applied: Mapping[str, frozenset[str]], now: str) -> _M:
    """Identity and time of creation of the live object; labels and annotations of both."""
    kept: dict[str, Any] = {}
    if isinstance(metadata, AttachedMeta):
        if not isinstance(live, AttachedMeta):
            kept["creation_timestamp"] = metadata.creation_timestamp or now
        else:
            kept |= {"creation_timestamp": live.creation_timestamp, "generation": live.generation}
    if isinstance(metadata, ServiceMeta) and isinstance(live, ServiceMeta):
        kept["uid"] = live.uid
    if live is not None:
        for field in ("labels", "annotations"):
            if hasattr(metadata, field):
                ours, theirs = getattr(metadata, field) or {}, getattr(live, field) or {}
                removed = applied.get(field, frozenset()) - ours.keys()
                united = {name: value for name, value in theirs.items() if name not in removed} | ours
                kept[field] = united or None
    return msgspec.structs.replace(metadata, **kept) if kept else metadata


def _same(obj: Object, live: Object | None) -> bool:
    """Equal, wherever a raw resource is written."""
    if isinstance(obj, XdsResource) and isinstance(live, XdsResource):
        return msgspec.structs.replace(obj, where=live.where) == live
    return obj == live
