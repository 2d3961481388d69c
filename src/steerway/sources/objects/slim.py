"""What all slim objects have in common: their form, their identity, their metadata."""

from typing import NamedTuple

import msgspec


class ObjectKey(NamedTuple):
    """Identity of an object: kind, namespace and name. A raw xDS resource has its type URL as namespace, a Namespace
    and a Node none."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


TRIGGER_ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"
"""The EndpointSlice controller's time of the trigger of a change, such as a pod that became ready."""

NOISY_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",  # the whole manifest once more
    TRIGGER_ANNOTATION,  # changes without the endpoints changing
)
"""Annotations that are dropped: they are not used, and they make equal objects differ."""


class Slim(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The form of all of them: Kubernetes' camel case, unknown fields skipped."""

    # gc=False: these structs hold no reference cycles, and tracking 100,000 endpoints makes each collection
    # slow.


class ObjectMeta(Slim, frozen=True, eq=False):
    """What identifies and annotates an object.

    No `resourceVersion`: it belongs to the informer's conversation with one API server, and with it here the
    same manifest from a file and from a cluster would differ.
    """

    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    change_trigger: str | None = None
    """The time of the trigger annotation. What is otherwise equal is equal."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectMeta) and self._identity == other._identity

    __hash__ = None  # type: ignore[assignment]

    @property
    def _identity(self) -> tuple[object, ...]:
        return self.name, self.namespace, self.labels, self.annotations

    def __post_init__(self) -> None:
        if self.annotations is not None:
            msgspec.structs.force_setattr(self, "change_trigger", self.annotations.get(TRIGGER_ANNOTATION))
            annotations = {k: v for k, v in self.annotations.items() if k not in NOISY_ANNOTATIONS}
            msgspec.structs.force_setattr(self, "annotations", annotations or None)
        if not self.labels:
            msgspec.structs.force_setattr(self, "labels", None)


class ServiceMeta(ObjectMeta, frozen=True, eq=False):
    """Also which Service of this name it is: one that is deleted and created again has another `uid`. None for one from
    a file that does not give it. Read by `translate.names`."""

    uid: str | None = None

    @property
    def _identity(self) -> tuple[object, ...]:
        return *super()._identity, self.uid


class AttachedMeta(Slim, frozen=True):
    """What identifies an object that is attached to others, and ranks it among its rivals: the older one wins, by
    `creation_timestamp` (RFC 3339 in UTC, so that its order is the order of time; "" for one from a file).
    `generation` counts changes of the spec; 0 for one from a file."""

    name: str
    namespace: str = ""
    creation_timestamp: str = ""
    generation: int = 0
