"""Whose an EndpointSlice is: of the Service that its label names, of another controller, or of nothing by mistake.

Source: Kubernetes API reference, well-known labels; KEP-1645 for slices of imported Services, which name a
ServiceImport instead of a Service.
"""

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.mesh import Problem
from steerway.sources.objects.core import SERVICE_NAME_LABEL, EndpointSlice

_IMPORT_LABEL = "multicluster.kubernetes.io/service-name"
_MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by"
_CONTROLLER = "endpointslice-controller.k8s.io"
"""The controller of Kubernetes itself, which follows the selectors of Services."""


def owner(endpoint_slice: EndpointSlice) -> ServiceId | None:
    """The Service that it belongs to; None when it names none."""
    name = (endpoint_slice.metadata.labels or {}).get(SERVICE_NAME_LABEL)
    return ServiceId(endpoint_slice.metadata.namespace, name) if name else None


def is_of_selector(endpoint_slice: EndpointSlice) -> bool:
    """Whether Kubernetes made it from the selector of its Service."""
    return (endpoint_slice.metadata.labels or {}).get(_MANAGER_LABEL) == _CONTROLLER


def foreign(endpoint_slice: EndpointSlice) -> str:
    """The label that marks a slice without a Service as another controller's; "" where none does."""
    labels = endpoint_slice.metadata.labels or {}
    if owner(endpoint_slice) is not None:
        return ""
    return next(
        (f"{name}: {labels[name]}" for name in (_IMPORT_LABEL, _MANAGER_LABEL) if labels.get(name)), ""
    )


def stray(endpoint_slice: EndpointSlice) -> Problem | None:
    """The problem of a slice that is nothing's."""
    if owner(endpoint_slice) is not None or foreign(endpoint_slice):
        return None
    reason = f"no label {SERVICE_NAME_LABEL} states which Service it belongs to"
    return Problem.of(
        endpoint_slice.key, reason, f"add the label {SERVICE_NAME_LABEL} with the name of the Service"
    )
