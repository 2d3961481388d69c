"""Metadata of a service that its model does not contain, for explanations."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.policy.annotation import is_annotation
from steerway.catalog.service import empty_port
from steerway.sources.objects.core import EndpointSlice, Object, ObjectKey, Service


@dataclass(frozen=True, slots=True)
class ServiceMetadata:
    """How many EndpointSlices a Service has, and those of its annotations that mean something here.

    `missing`: by port number, why no endpoint of the EndpointSlices takes traffic. Without ports that have a healthy
    endpoint.
    """

    slices: int = 0
    annotations: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def read(
    get: Callable[[ObjectKey], Object | None], id: ServiceId, slices: Collection[ObjectKey]
) -> ServiceMetadata:
    """Of the Service and its EndpointSlices as they are in the store."""
    fact = get(ObjectKey("Service", *id))
    if not isinstance(fact, Service):
        return ServiceMetadata(len(slices))
    annotations = fact.metadata.annotations or {}
    known = [slice_ for key in slices if isinstance(slice_ := get(key), EndpointSlice)]
    return ServiceMetadata(
        len(slices),
        {name: value for name, value in sorted(annotations.items()) if is_annotation(name)},
        {port.port: empty_port.reasons(fact, port, known) for port in fact.spec.ports or () if port.is_tcp},
    )
