"""Which resources differ for which audiences, and which streams get another one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from steerway.catalog.model.mesh import Service, ServiceId
from steerway.diff.client import WILDCARD, Name, Stream, service_of
from steerway.diff.state import Contents, State
from steerway.translate.answer import Content, Resource
from steerway.translate.client.audience import Audience


class Change(NamedTuple):
    """A resource of one name before and after; None: clients do not ask for it then."""

    name: Name
    before: Content | None
    after: Content | None


@dataclass(frozen=True, slots=True)
class Affected:
    """`resources`: with their audiences. `streams`: with at least one changed resource."""

    resources: dict[Change, set[Audience]] = field(default_factory=dict)
    streams: list[Stream] = field(default_factory=list)
    by_resource: dict[Change, list[Stream]] = field(default_factory=dict)
    by_service: dict[ServiceId, list[Stream]] = field(default_factory=dict)


def concerned(changed: set[ServiceId], sides: Iterable[Mapping[ServiceId, Service]]) -> frozenset[ServiceId]:
    """The changed services, and those whose routes name one."""
    return frozenset(changed) | {
        id
        for services in sides
        for id, service in services.items()
        if not changed.isdisjoint(_backends(service))
    }


def affected(
    streams: Sequence[Stream], services: frozenset[ServiceId] | None, before: State, after: State, domain: str
) -> Affected:
    """`services`: those whose resources may differ; names of others are not compared. None: all are."""
    result = Affected()
    wanted = [(stream, _names(stream, services, domain)) for stream in streams]
    by_audience: dict[Audience, set[Name]] = {}
    for stream, names in wanted:
        by_audience.setdefault(stream.audience, set()).update(names)
    compared = {
        audience: _compare(before.contents(audience, names), after.contents(audience, names))
        for audience, names in by_audience.items()
    }
    for audience, changes in compared.items():
        for change in changes.values():
            result.resources.setdefault(change, set()).add(audience)
    for stream, names in wanted:
        _note(stream, names, compared[stream.audience], result, domain)
    return result


def _note(
    stream: Stream, names: Iterable[Name], changes: Mapping[Name, Change], result: Affected, domain: str
) -> None:
    """Add a stream to what it is affected by."""
    own: list[Change] = []
    for name in names:
        if name.name == WILDCARD:
            own += [change for other, change in changes.items() if other.type_url == name.type_url]
        elif name in changes:
            own.append(changes[name])
    if not own:
        return
    result.streams.append(stream)
    services: dict[ServiceId | None, None] = {}
    for change in dict.fromkeys(own):
        result.by_resource.setdefault(change, []).append(stream)
        services[service_of(change.name, stream.audience.namespace, domain)] = None
    for id in services:
        if id is not None:
            result.by_service.setdefault(id, []).append(stream)


def _names(stream: Stream, services: frozenset[ServiceId] | None, domain: str) -> tuple[Name, ...]:
    """The subscribed names that may have other resources. Routes of an Envoy are of all services."""
    if services is None or (services and stream.is_envoy):
        return stream.names
    namespace = stream.audience.namespace
    return tuple(
        name
        for name in stream.names
        if (id := service_of(name, namespace, domain)) is None or id in services or name.name == WILDCARD
    )


def _compare(before: Contents, after: Contents) -> dict[Name, Change]:
    """Names that lead to another resource, or to none any more; other reasons for none are no change."""
    changes: dict[Name, Change] = {}
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old != new and (isinstance(old, Resource) or isinstance(new, Resource)):
            changes[name] = Change(name, old, new)
    return changes


def _backends(service: Service) -> set[ServiceId]:
    """The services that the routes of any port name."""
    return {
        backend.service
        for port in service.ports
        for table in port.routing.tables
        for _, rule in table
        for backend in (*(share.to for share in rule.backends), *(mirror.to for mirror in rule.mirrors))
        if backend is not None
    }
