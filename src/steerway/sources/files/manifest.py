"""Kubernetes manifests: a document with `apiVersion` and `kind` becomes slim objects.

Services, EndpointSlices, TrafficPolicies and what the Gateway API attaches to Services are read, also inside a List,
and Namespaces that have labels or annotations for steerway; every other kind is ignored,
since people point steerway at whole folders of manifests. Fields that steerway does not read are not validated: the API
server does that. TrafficPolicies are steerway's own, so a field that they do not have is an error.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from steerway.sources.files.entry import Entry, Origin, full_name
from steerway.sources.files.unknown_field import unknown_fields
from steerway.sources.objects.core import (
    ANNOTATION_PREFIX,
    SERVICE_NAME_LABEL,
    EndpointSlice,
    Namespace,
    ObjectKey,
    Service,
)
from steerway.sources.policy import crd
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.gateway import GROUP, BackendTLSPolicy, GRPCRoute, HTTPRoute, ReferenceGrant
from steerway.sources.policy.rule import POLICY_GROUP, POLICY_VERSION
from steerway.sources.policy.server_policy import ServerPolicy
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.sources.policy.validation import Validated, validation_errors
from steerway.sources.policy.validation_error import Path, ValidationError, conversion_error

_OUR_VERSION = f"{POLICY_GROUP}/{POLICY_VERSION}"
_TYPES: dict[tuple[str, str], type[Validated]] = {
    ("v1", "Namespace"): Namespace,
    ("v1", "Service"): Service,
    ("discovery.k8s.io/v1", "EndpointSlice"): EndpointSlice,
    (f"{GROUP}/v1", "GRPCRoute"): GRPCRoute,
    (f"{GROUP}/v1beta1", "HTTPRoute"): HTTPRoute,  # the same schema; the last version is the one to write
    (f"{GROUP}/v1", "HTTPRoute"): HTTPRoute,
    (f"{GROUP}/v1beta1", "ReferenceGrant"): ReferenceGrant,
    (f"{GROUP}/v1", "ReferenceGrant"): ReferenceGrant,
    (f"{GROUP}/v1alpha3", "BackendTLSPolicy"): BackendTLSPolicy,
    (f"{GROUP}/v1", "BackendTLSPolicy"): BackendTLSPolicy,
    (_OUR_VERSION, "TrafficPolicy"): TrafficPolicy,
    (_OUR_VERSION, "ServerPolicy"): ServerPolicy,
    (_OUR_VERSION, "AuthorizationPolicy"): AuthorizationPolicy,
}
_UNREAD = {
    ("v1", "Endpoints"): f"write an EndpointSlice with the label {SERVICE_NAME_LABEL}",
}
"""Kinds of which other objects are read in their place. An API server mirrors Endpoints to EndpointSlices."""
_API_VERSIONS = {kind: api_version for api_version, kind in _TYPES}
_LISTS = {(api_version, f"{kind}List"): (api_version, kind) for api_version, kind in _TYPES}


def is_manifest(value: Any) -> bool:
    """Whether a document is a Kubernetes object, good or not."""
    return isinstance(value, dict) and any(isinstance(value.get(key), str) for key in ("apiVersion", "kind"))


def read_manifest(value: dict[str, Any], path: Path, origin: Origin) -> Iterator[Entry]:
    """The entries of one Kubernetes object, or of each item of a List. `path` is its item_path in the
    document."""
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        missing = "kind" if isinstance(api_version, str) else "apiVersion"
        yield origin.broken(
            path, ValidationError((), f"{missing} is missing", f"add {missing}"), kind=str(kind or "")
        )
    elif (api_version, kind) in _TYPES:
        yield _read_object(value, path, origin)
    elif (api_version, kind) in _LISTS or (api_version, kind) == ("v1", "List"):
        yield from _read_list(value, path, origin)
    elif (invalid := _near_miss(api_version, kind)) is not None:
        yield origin.broken(path, invalid, kind=kind)
    else:
        metadata = value.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        ignored = origin.ignored(path, kind, str(name or ""))
        remark = _UNREAD.get((api_version, kind), "")
        subject = _subject(kind, metadata, origin) if remark else None
        yield (
            ignored
            if subject is None
            else replace(ignored, subject=subject, name=full_name(subject), remark=remark)
        )


def _near_miss(api_version: str, kind: str) -> ValidationError | None:
    """A fault for what was surely meant to be served: a wrong version of the right group, or wrong case."""
    for known, right in _API_VERSIONS.items():
        group = right.rpartition("/")[0]
        if kind == known and api_version.rpartition("/")[0] == group:
            return ValidationError(
                ("apiVersion",), f"{kind} {api_version} is not served", f"write apiVersion: {right}"
            )
        if kind != known and kind.lower() == known.lower() and api_version == right:
            return ValidationError(("kind",), f"unknown kind {kind!r}", f"write kind: {known}")
    return None


def _read_list(value: dict[str, Any], path: Path, origin: Origin) -> Iterator[Entry]:
    items = value.get("items")
    if items is None:
        return
    if not isinstance(items, list):
        yield origin.broken(
            path, ValidationError(("items",), "expected a list", "write a list"), kind=value["kind"]
        )
        return
    # Items of a typed list need not repeat their type: the API server's own lists do not.
    typed = _LISTS.get((value["apiVersion"], value["kind"]))
    defaults = {"apiVersion": typed[0], "kind": typed[1]} if typed else {}
    for index, item in enumerate(items):
        item_path = (*path, "items", index)
        if isinstance(item, dict):
            yield from origin.attempt(read_manifest, {**defaults, **item}, item_path)
        else:
            yield origin.broken(
                item_path, ValidationError((), "expected a Kubernetes object", "remove the item")
            )


def _read_object(value: dict[str, Any], path: Path, origin: Origin) -> Entry:
    kind = value["kind"]
    value = _without_nulls(value)
    metadata = value.get("metadata")
    subject = _subject(kind, metadata, origin)
    if isinstance(metadata, dict):
        metadata["namespace"] = _namespace(kind, metadata, origin)
    wanted = _TYPES[value["apiVersion"], kind]
    definition = crd.BY_KIND.get(kind) if value["apiVersion"] == _OUR_VERSION else None
    wrong = [] if definition is None else list(unknown_fields(value, crd.schema(definition)))
    try:
        obj = msgspec.convert(value, wanted)
        wrong += validation_errors(obj)
    except msgspec.ValidationError as error:
        invalid = conversion_error(error, wanted)
        # A field that is missing beside an unknown one is that one, misspelt.
        if all(unknown.path[:-1] != invalid.path for unknown in wrong):
            wrong.append(invalid)
    if wrong:
        return origin.broken(path, wrong[0], kind, subject, *wrong[1:])
    if isinstance(obj, Namespace) and not _has_settings(obj):
        return origin.ignored(path, kind, obj.metadata.name)  # folders of manifests give one often, and twice
    return origin.good(path, obj.key, obj)


def _subject(kind: str, metadata: Any, origin: Origin) -> ObjectKey | None:
    """Which object it is about; None when that is not known."""
    if not isinstance(metadata, dict):
        return None
    name, namespace = metadata.get("name"), _namespace(kind, metadata, origin)
    if isinstance(name, str) and isinstance(namespace, str) and name:
        return ObjectKey(kind, namespace, name)
    return None


def _namespace(kind: str, metadata: dict[str, Any], origin: Origin) -> Any:
    if kind == "Namespace":
        return ""
    namespace = metadata.get("namespace")
    return (
        origin.namespace if namespace in (None, "") else namespace
    )  # omitempty: an empty string is an absent one


def _has_settings(namespace: Namespace) -> bool:
    """Whether it has labels to be selected by, or an annotation for steerway, known or misspelt."""
    annotations = namespace.metadata.annotations or {}
    own = any(name.startswith(ANNOTATION_PREFIX) for name in annotations)
    return own or bool(namespace.metadata.labels)


def _without_nulls(value: Any) -> Any:
    """A copy in which a null key is an absent one, as the API server reads it."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value
