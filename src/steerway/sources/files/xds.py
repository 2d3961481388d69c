"""Raw xDS resources: documents with an `@type` of Envoy's v3 API, kept as they are written.

Only what identifies a resource is looked at; the body is the protobuf JSON mapping and is parsed by the stage
that knows protobuf. A resource may be wrapped in an `envoy.service.discovery.v3.Resource`, which gives it a time to
live.
"""

from collections.abc import Iterator
from typing import Any

from steerway.sources.files.entry import Entry, Origin, shown
from steerway.sources.objects.core import XdsResource
from steerway.sources.policy.validation_error import Path, ValidationError

_PREFIX = "type.googleapis.com/"
_WRAPPER = "type.googleapis.com/envoy.service.discovery.v3.Resource"
_WRAPPER_FIELDS = frozenset({"@type", "ttl", "resource"})
_LOAD_ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


def is_xds(value: Any) -> bool:
    """Whether a document is a raw resource, or the `resources:` form of several. A list of names, as kustomize has it,
    is none."""
    return isinstance(value, dict) and (
        isinstance(value.get("@type"), str) or _is_list(value.get("resources"))
    )


def _is_list(resources: Any) -> bool:
    return isinstance(resources, list) and not (
        resources and all(isinstance(item, str) for item in resources)
    )


def read_xds(value: dict[str, Any], path: Path, origin: Origin) -> Iterator[Entry]:
    """The entries of one raw resource, or of each in its `resources`."""
    if "@type" in value:
        yield _read(value, path, origin)
        return
    for index, item in enumerate(value["resources"]):
        item_path = (*path, "resources", index)
        if isinstance(item, dict) and isinstance(item.get("@type"), str):
            yield from origin.attempt(read_xds, item, item_path)
        else:
            yield origin.broken(item_path, ValidationError((), "a resource without @type", "add its @type"))


def _read(value: dict[str, Any], path: Path, origin: Origin) -> Entry:
    if value["@type"] != _WRAPPER:
        return _read_resource(value, path, origin)
    if unknown := sorted(set(value) - _WRAPPER_FIELDS):
        return origin.broken(
            path,
            ValidationError((unknown[0],), "has no meaning here", "write ttl and resource only"),
            "Resource",
        )
    ttl, resource = value.get("ttl"), value.get("resource")
    if not isinstance(ttl, str) or not ttl:
        return origin.broken(
            path, ValidationError(("ttl",), "is no duration", 'write seconds, as in ttl: "10s"'), "Resource"
        )
    if not isinstance(resource, dict) or not isinstance(resource.get("@type"), str):
        return origin.broken(
            path, ValidationError(("resource",), "is no resource", "add it with its @type"), "Resource"
        )
    return _read_resource(resource, (*path, "resource"), origin, ttl)


def _read_resource(value: dict[str, Any], path: Path, origin: Origin, ttl: str = "") -> Entry:
    type_url = value["@type"]
    kind = type_url.rpartition(".")[2]
    if (invalid := _type_error(type_url)) is not None:
        return origin.broken(path, invalid, kind)
    # The JSON mapping of protobuf takes both spellings of a field name.
    fields = ("cluster_name", "clusterName") if type_url == _LOAD_ASSIGNMENT else ("name",)
    field = next((field for field in fields if field in value), fields[0])
    name = value.get(field)
    if not isinstance(name, str) or not name:
        return origin.broken(
            path, ValidationError((field,), f"{kind} has no {field}", f"add {field}: a string"), kind
        )
    resource = XdsResource(type_url=type_url, name=name, body=value, where=origin.where(path), ttl=ttl)
    return Entry(resource.where, shown(kind), shown(name), resource.key, (resource,))


def _type_error(type_url: str) -> ValidationError | None:
    if not type_url.startswith(f"{_PREFIX}envoy."):
        return ValidationError(("@type",), f"{type_url} is no xDS type", f"write @type: {_PREFIX}envoy...")
    if not any(part.startswith("v3") for part in type_url.split(".")):
        return ValidationError(("@type",), f"{type_url} is not of the v3 API", "use the type's v3 name")
    return None
