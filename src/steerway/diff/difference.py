"""The difference that changed objects make: for services, resources, clients, limitations and problems.

Every part is sorted, so that equal input gives equal output.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from steerway.catalog.model.mesh import Problem, Service, ServiceId
from steerway.diff import fact
from steerway.diff.affected import Affected, affected, concerned
from steerway.diff.client import Name, Stream, service_of, typical
from steerway.diff.state import Mesh, State
from steerway.explain import limitation
from steerway.sources.objects.core import Object, ObjectKey, XdsResource
from steerway.translate.answer import Resource
from steerway.translate.client.audience import encode

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class Question:
    """`changes`: see `overlay.changes`. `streams` None: no control plane is asked, so that the answer is about typical
    clients. `render` (type URL and body) gives resources before and after; None: they are left out."""

    changes: Mapping[ObjectKey, Object | None]
    streams: Sequence[Stream] | None
    domain: str
    render: Callable[[str, bytes], Any] | None = None


class _Sides(NamedTuple):
    before: State
    after: State


def difference(mesh: Mesh, question: Question) -> dict[str, Any]:
    """Apply the changes to the mesh, and describe what becomes different."""
    known = frozenset(mesh.objects)
    before = mesh.state()
    mesh.apply(question.changes)
    sides = _Sides(before, mesh.state())
    changed = _changed_services(sides)
    others = concerned(changed, (before.services, sides.after.services))
    raw = [Name(key.namespace, key.name) for key in question.changes if key.kind == XdsResource.__name__]
    streams = question.streams
    if streams is None:
        services = {**before.services, **sides.after.services}
        streams = typical((service for id, service in sorted(services.items()) if id in others), raw)
    result = affected(streams, None if raw else others, before, sides.after, question.domain)
    limitations = [*_limitations(streams, changed, sides, question)]
    problems = _problems(before.problems(), sides.after.problems())
    rows = (_service(id, sides, result, question) for id in sorted(changed))
    services_rows = [row for row in rows if row["changes"] or row["streams"]]
    resources = [*_resources(result, question)]
    return {
        "differences": bool(services_rows or resources or limitations or problems["new"] or problems["gone"]),
        "objects": _objects(question.changes, known),
        "services": services_rows,
        "resources": resources,
        "limitations": limitations,
        "problems": problems,
        "clients": None
        if question.streams is None
        else {
            "streams": len(result.streams),
            "streams_total": len(streams),
            "workloads": _workloads(result.streams),
            "workloads_total": _workloads(streams),
        },
    }


def _changed_services(sides: _Sides) -> set[ServiceId]:
    ids = sides.before.services.keys() | sides.after.services.keys()
    return {id for id in ids if sides.before.find(id) != sides.after.find(id)}


def _objects(changes: Mapping[ObjectKey, Object | None], known: frozenset[ObjectKey]) -> dict[str, list[str]]:
    words: dict[str, list[str]] = {ADDED: [], CHANGED: [], REMOVED: []}
    for key, obj in sorted(changes.items()):
        words[REMOVED if obj is None else CHANGED if key in known else ADDED].append(str(key))
    return words


def _service(id: ServiceId, sides: _Sides, result: Affected, question: Question) -> dict[str, Any]:
    before, after = (fact.of(side.find(id), side.find) for side in sides)
    streams = result.by_service.get(id, ())
    return {
        "service": str(id),
        "change": _change(before or None, after or None),
        "changes": [*_rows(before, after)],
        "streams": None if question.streams is None else len(streams),
        "workloads": None if question.streams is None else _workloads(streams),
    }


def _rows(before: fact.Facts, after: fact.Facts) -> Iterator[dict[str, Any]]:
    """In the order of the facts, those that are new last."""
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old != new:
            yield {
                "port": key.port or None,
                "field": key.field,
                "subject": key.subject or None,
                "change": _change(old, new),
                "before": old,
                "after": new,
            }


def _change(before: object, after: object) -> str:
    return ADDED if before is None else REMOVED if after is None else CHANGED


def _resources(result: Affected, question: Question) -> Iterator[dict[str, Any]]:
    """One row for each name and each pair of contents; audiences with the same one together."""
    for change, audiences in sorted(result.resources.items(), key=lambda item: (item[0].name, min(item[1]))):
        name, before, after = change
        old, new = (content if isinstance(content, Resource) else None for content in (before, after))
        streams = result.by_resource.get(change, ())
        row: dict[str, Any] = {
            "type_url": name.type_url,
            "name": name.name,
            "change": _change(old, new),
            "audiences": sorted(map(encode, audiences)),
            "reason": str(after) if new is None and after is not None else None,
            "streams": None if question.streams is None else len(streams),
        }
        if question.render is not None:
            for side, content in (("before", old), ("after", new)):
                row[side] = None if content is None else question.render(name.type_url, content.body)
        yield row


def _limitations(
    streams: Sequence[Stream], changed: Iterable[ServiceId], sides: _Sides, question: Question
) -> Iterator[dict[str, Any]]:
    """What libraries cannot do of the changed services, as far as clients of the library are subscribed to them."""
    holders: dict[tuple[ServiceId, str, str], list[Stream]] = {}
    wanted = set(changed)
    for stream in streams:
        ids = {service_of(name, stream.audience.namespace, question.domain) for name in stream.names}
        for id in wanted if stream.is_envoy else wanted & ids:
            holders.setdefault((id, str(stream.client), stream.audience.namespace), []).append(stream)
    rows: dict[tuple[str, str, str, str], int] = {}
    for (id, client, namespace), group in holders.items():
        before, after = (_sentences(side, id, namespace, group[0]) for side in sides)
        for change, sentences in ((REMOVED, before - after), (ADDED, after - before)):
            for sentence in sentences:
                key = (str(id), client, change, sentence)
                rows[key] = rows.get(key, 0) + len(group)
    for (service, client, change, sentence), count in sorted(rows.items()):
        counted = None if question.streams is None else count
        yield {"service": service, "client": client, "change": change, "text": sentence, "streams": counted}


def _sentences(side: State, id: ServiceId, namespace: str, stream: Stream) -> set[str]:
    service: Service | None = side.find(id)
    if service is None or not service.is_for(namespace):
        return set()
    sentences = (limitation.of(service, port, namespace, side.find, stream.client) for port in service.ports)
    return {sentence for of_port in sentences for sentence in of_port}


def _problems(before: Iterable[Problem], after: Iterable[Problem]) -> dict[str, list[dict[str, str]]]:
    old, new = set(before), set(after)
    return {"new": _listed(new - old), "gone": _listed(old - new)}


def _listed(problems: Iterable[Problem]) -> list[dict[str, str]]:
    rows = sorted({(problem.where, problem.reason, problem.hint) for problem in problems})
    return [{"where": where, "reason": reason, "hint": hint} for where, reason, hint in rows]


def _workloads(streams: Iterable[Stream]) -> int:
    """Where workloads are not known, nodes."""
    return len({stream.workload or stream.node for stream in streams})
