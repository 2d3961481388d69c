"""What people wrote of a service that its model keeps no trace of, for those who ask why it is as it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from steerway.catalog.annotation import is_annotation
from steerway.catalog.identity import ServiceId
from steerway.sources.objects import Object, ObjectKey, Service


@dataclass(frozen=True, slots=True)
class Told:
    """How many EndpointSlices a Service has, and those of its annotations that mean something here."""

    slices: int = 0
    annotations: Mapping[str, str] = field(default_factory=dict)


def read(get: Callable[[ObjectKey], Object | None], id: ServiceId, slices: int) -> Told:
    """Of the Service as it is in the store."""
    fact = get(ObjectKey("Service", *id))
    annotations = (fact.metadata.annotations or {}) if isinstance(fact, Service) else {}
    return Told(slices, {name: value for name, value in sorted(annotations.items()) if is_annotation(name)})
