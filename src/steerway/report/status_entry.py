"""The entries of steerway in an object's status: `status.parents` (routes) or `status.ancestors` (policies).

Pure: the object of the API server and its evaluation go in; the new list comes out. Each entry names its controller,
and those of others stay unchanged. Several installations are one controller, each with its own scope: an entry about a
reference outside the own scope belongs to another installation.

Source: Gateway API reference, RouteParentStatus and PolicyAncestorStatus; metav1.Condition.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from steerway.catalog.routing.attachment import is_service
from steerway.sources.objects.core import ObjectKey
from steerway.sources.policy.gateway import GROUP
from steerway.status.condition import ACCEPTED, PROGRAMMED, Condition, ObjectStatus, Reference, TargetStatus

CONTROLLER = "steerway.io/steerway"
_MOST_CHARACTERS = 4096
"""Of a message; API servers accept eight times as many."""
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that cannot be used as it is, and why."""

    key: ObjectKey
    reason: str
    hint: str = ""


Subject = ObjectStatus | Unreadable
"""An object and its evaluation."""


@dataclass(frozen=True, slots=True)
class StatusField:
    """The status of a kind: the list of entries and its maximum length, the field of an entry with its reference, and
    the field of the spec with the references."""

    entries: str
    about: str
    most: int
    refs: str


_OF_ROUTES = StatusField("parents", "parentRef", 32, "parentRefs")
_OF_POLICIES = StatusField("ancestors", "ancestorRef", 16, "targetRefs")
STATUS_FIELDS = {
    "GRPCRoute": _OF_ROUTES,
    "HTTPRoute": _OF_ROUTES,
    "BackendTLSPolicy": _OF_POLICIES,
    "TrafficPolicy": _OF_POLICIES,
    "ServerPolicy": _OF_POLICIES,
    "AuthorizationPolicy": _OF_POLICIES,
}


Covers = Callable[[ObjectKey], bool]
"""Whether a Service or route that an object refers to is in the own scope."""


def updated(manifest: Manifest, subject: Subject, now: str, covers: Covers) -> list[Manifest] | None:
    """The whole new list; None when it is up to date. `now` is RFC 3339."""
    field = STATUS_FIELDS[subject.key.kind]
    present = (manifest.get("status") or {}).get(field.entries) or []
    still_covered = {
        ref: covers(_target(ref, subject.key)) for ref in _references(manifest, subject.key, field)
    }
    elsewhere = [_reference(ref) for ref, covered in still_covered.items() if not covered]
    ours = [
        entry
        for entry in present
        if entry.get("controllerName") == CONTROLLER and entry.get(field.about) not in elsewhere
    ]
    others = [entry for entry in present if entry not in ours]
    if isinstance(subject, ObjectStatus):
        target_statuses = subject.target_statuses
    else:
        refused = _unreadable(subject, field)
        target_statuses = tuple(
            TargetStatus(ref, refused) for ref, covered in still_covered.items() if covered
        )
    generation = manifest["metadata"].get("generation", 0)
    wanted = [
        {
            field.about: (about := _reference(target_status.ref)),
            "controllerName": CONTROLLER,
            "conditions": _conditions(target_status.conditions, _before(ours, field, about), generation, now),
        }
        for target_status in target_statuses
    ][: max(0, field.most - len(others))]
    return None if wanted == ours else [*others, *wanted]


def _reference(ref: Reference) -> Manifest:
    reference = {
        "group": ref.group,
        "kind": ref.kind,
        "name": ref.name,
        "namespace": ref.namespace,
        "sectionName": ref.section_name,
        "port": ref.port,
    }
    return {name: value for name, value in reference.items() if value is not None}


def _before(ours: Iterable[Manifest], field: StatusField, about: Manifest) -> Mapping[str, Manifest]:
    """The present conditions of the same reference, by type."""
    present = (entry.get("conditions") or () for entry in ours if entry.get(field.about) == about)
    return {condition["type"]: condition for conditions in present for condition in conditions}


def _conditions(
    conditions: Iterable[Condition], before: Mapping[str, Manifest], generation: int, now: str
) -> list[Manifest]:
    made = []
    for condition in conditions:
        status = "True" if condition.status else "False"
        old = before.get(condition.type, {})
        message = f"{condition.message}; {condition.hint}" if condition.hint else condition.message
        made.append(
            {
                "type": condition.type,
                "status": status,
                "reason": condition.reason,
                "message": message[:_MOST_CHARACTERS],
                "observedGeneration": generation,
                # metav1.Condition: the last change of the status, not of the message.
                "lastTransitionTime": old["lastTransitionTime"] if old.get("status") == status else now,
            }
        )
    return made


def _unreadable(subject: Unreadable, field: StatusField) -> tuple[Condition, ...]:
    """The refusal of an object for each of its references."""
    reason = "UnsupportedValue" if field is _OF_ROUTES else "Invalid"
    return (
        Condition(ACCEPTED, False, reason, subject.reason, subject.hint),
        Condition(PROGRAMMED, False, "Invalid", "it is not accepted"),
    )


def _references(manifest: Manifest, key: ObjectKey, field: StatusField) -> Iterator[Reference]:
    """The parents or targets of the object that can be in the scope; the namespace of a policy without targets."""
    if field is _OF_POLICIES and manifest["spec"].get(field.refs) is None:
        yield Reference("", "Namespace", key.namespace)
    for ref in manifest["spec"].get(field.refs) or ():
        group, kind = ref.get("group", GROUP), ref.get("kind", "Gateway")
        if field is _OF_ROUTES and not is_service(group, kind):
            continue
        namespace = ref.get("namespace") if field is _OF_ROUTES else key.namespace
        yield Reference(group, kind, ref["name"], namespace, ref.get("sectionName"), ref.get("port"))


def _target(ref: Reference, key: ObjectKey) -> ObjectKey:
    return ObjectKey(ref.kind, ref.namespace or key.namespace, ref.name)
