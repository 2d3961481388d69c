"""The translator: keeps exactly what is demanded up to date, so that cost follows what is watched.

An *entry* is `(type_url, name, audience)` as it is published, with the audiences of the clients that want it. A demand
makes or joins an entry and is always answered, with the resource or with a reason why there is none. A change of a
service touches the entries that its name appears in, also those that wait for it to exist. Equal results are not
published again.

Raw resources from files are published to everybody at once, without demand, and beat a translated one of the same name.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeVar

import structlog

from steerway._engine import canonical_name, is_collection
from steerway.catalog import reach
from steerway.catalog.model import Endpoint, Problem, Service, ServiceId
from steerway.errors import TranslateError
from steerway.origin import Origin
from steerway.translate import audience as audiences
from steerway.translate import cluster, endpoint, listener, names, raw, route, type_url
from steerway.translate.commit import Commit, Put

log = structlog.get_logger()
_K = TypeVar("_K")

Demand = tuple[str, str, str]
"""(type_url, name, audience), as the engine reports it."""


class Document(Protocol):
    """A raw resource as read from a file; `where` is `file:line`."""

    @property
    def type_url(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def body(self) -> dict[str, object]: ...
    @property
    def where(self) -> str: ...
    @property
    def ttl(self) -> str: ...


class _Key(NamedTuple):
    type_url: str
    name: str
    audience: str


class _Resource(NamedTuple):
    body: bytes
    references: tuple[tuple[str, str], ...]
    scope: str


class _Reason(str):
    """Why there is no resource."""

    __slots__ = ()


@dataclass(slots=True)
class _Entry:
    users: set[str] = field(default_factory=set)
    service: ServiceId | None = None
    content: _Resource | _Reason | None = None
    """The answer; None: nothing, because a raw resource of that name is published."""
    published: dict[str, _Resource | _Reason] = field(default_factory=dict)
    """Audience → its answer: one for all who share the entry, or one for each where not all of them are told."""


class Translator:
    """Catalog and raw resources in, commits out. `find` gives a service of the catalog by its identity.

    `scope_all`: every service may be withheld from some clients; else only private ones.
    """

    def __init__(
        self,
        find: Callable[[ServiceId], Service | None],
        cluster_domain: str = "cluster.local",
        scope_all: bool = False,
        load_reporting: bool = False,
    ) -> None:
        self._find = find
        self._load_reporting = load_reporting
        self._domain = cluster_domain
        self._scope_all = scope_all
        self._entries: dict[_Key, _Entry] = {}
        self._by_name: defaultdict[tuple[str, str], set[_Key]] = defaultdict(set)
        self._by_service: defaultdict[ServiceId, set[_Key]] = defaultdict(set)
        self._raw: dict[tuple[str, str], raw.RawResource] = {}
        self._raw_problems: dict[tuple[str, str], Problem] = {}
        self._problems: dict[_Key, Problem] = {}

    def start(self, documents: Iterable[Document]) -> Commit:
        """The first commit: all raw resources, and that wildcards may be answered."""
        commit = self.refresh((), [((d.type_url, d.name), d) for d in documents])
        commit.complete = [(served, "") for served in type_url.SERVED]
        return commit

    def demand(self, wanted: Iterable[Demand]) -> Commit:
        """Somebody subscribed: answer each name, and keep it up to date from now on."""
        commit = Commit()
        for served, name, audience in wanted:
            if name == "*" or is_collection(name):
                continue  # what a wildcard or a glob collection sees is published without demand
            key = self._key(served, name, audience)
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry()
                self._by_name[served, name].add(key)
                entry.service = self._service_of(key)
                if entry.service is not None:
                    self._by_service[entry.service].add(key)
                entry.users.add(audience)
                self._update(key, entry, commit)
            else:
                entry.users.add(audience)
                self._publish(key, entry, commit, among=(audience,))
        return commit

    def withdraw(self, unwanted: Iterable[Demand]) -> Commit:
        """The last subscriber of an audience went: forget what nobody else wants."""
        commit = Commit()
        for served, name, audience in unwanted:
            key = self._key(served, name, audience)
            entry = self._entries.get(key)
            if entry is None:
                continue
            entry.users.discard(audience)
            if not entry.users:
                self._drop(key, entry)
            self._publish(key, entry, commit)
        return commit

    def refresh(
        self,
        services: Iterable[ServiceId],
        documents: Iterable[tuple[tuple[str, str], Document | None]] = (),
        origins: Mapping[Hashable, Origin] = MappingProxyType({}),
    ) -> Commit:
        """Services and raw resources changed (None: the document is gone): publish what differs.

        `origins`: when the change of a service was heard of, as far as that is to be measured.
        """
        commit = Commit()
        touched = {key for service in services for key in self._by_service.get(service, ())}
        for (served, spelled), document in documents:
            name = served, canonical_name(spelled)
            self._take_raw(name, document, commit)
            touched |= self._by_name.get(name, set())
        for key in sorted(touched):
            entry = self._entries[key]
            self._update(key, entry, commit, origins.get(entry.service))
        return commit

    def problems(self) -> list[Problem]:
        """Raw documents and services that could not be translated; their last good version is served."""
        return [*self._raw_problems.values(), *self._problems.values()]

    def _key(self, served: str, name: str, audience: str) -> _Key:
        """Where an answer is published: as widely as all who get the same one."""
        if served == type_url.LISTENER and names.needs_namespace(name):
            return _Key(served, name, audiences.anywhere(audience))
        if served == type_url.ENDPOINT:
            return _Key(served, name, audiences.kind_of(audience))
        if served == type_url.CLUSTER and audiences.kind_of(audience) == audiences.GRPC_QUIET:
            return _Key(served, name, audiences.GRPC_QUIET)
        return _Key(served, name, audiences.dialect_of(audience))

    def _service_of(self, key: _Key) -> ServiceId | None:
        try:
            return self._target(key).service
        except TranslateError:
            return None

    def _target(self, key: _Key) -> names.Target:
        if key.type_url == type_url.LISTENER:
            return names.parse_target(key.name, audiences.namespace_of(key.audience), self._domain)
        return names.parse_canonical(key.name, self._domain)

    def _drop(self, key: _Key, entry: _Entry) -> None:
        del self._entries[key]
        self._problems.pop(key, None)
        _discard(self._by_name, (key.type_url, key.name), key)
        if entry.service is not None:
            _discard(self._by_service, entry.service, key)

    def _update(self, key: _Key, entry: _Entry, commit: Commit, origin: Origin | None = None) -> None:
        """Translate one entry anew and publish it when it differs."""
        entry.content = self._content(key, entry)
        self._publish(key, entry, commit, origin)

    def _publish(
        self,
        key: _Key,
        entry: _Entry,
        commit: Commit,
        origin: Origin | None = None,
        among: Iterable[str] | None = None,
    ) -> None:
        """Publish what differs of the answers of an entry; with `among` nothing changed but that these came."""
        answers = self._answers(key, entry, entry.users if among is None else among)
        if among is not None:
            answers = entry.published | answers
        commit.forget += [
            (*key[:2], audience) for audience in sorted(entry.published.keys() - answers.keys())
        ]
        for audience, content in sorted(answers.items()):
            if entry.published.get(audience) == content:
                continue
            if isinstance(content, _Reason):
                commit.absent.append((*key[:2], audience, str(content)))
            else:
                commit.put.append(Put(key.type_url, key.name, audience, *content, origin=origin))
        entry.published = answers

    def _answers(self, key: _Key, entry: _Entry, users: Iterable[str]) -> dict[str, _Resource | _Reason]:
        """Who of them gets what. Of a service that is not the same for all, nothing is there for who shares the entry
        without asking."""
        content = entry.content
        if content is None or not entry.users:
            return {}
        service = self._find(entry.service) if isinstance(content, _Resource) and entry.service else None
        placed = service is not None and key.type_url == type_url.ENDPOINT and reach.depends_on_place(service)
        if service is None or (service.exported_to is None and not placed):
            return {key.audience: content}
        at: dict[reach.ClientPlace, _Resource | _Reason] = {}
        answers: dict[str, _Resource | _Reason] = {}
        for user in users:
            namespace = audiences.namespace_of(user)
            if not service.is_for(namespace):
                answers[user] = _Reason(f"service {service.id} is not exported to {namespace}")
                continue
            place = audiences.place_of(user)
            if placed and place not in at:
                at[place] = self._content(key, entry, place) or content
            answers[user] = at[place] if placed else content
        return answers

    def _content(
        self, key: _Key, entry: _Entry, place: reach.ClientPlace | None = None
    ) -> _Resource | _Reason | None:
        """What is to be published for an entry now; its last good version when translation itself breaks."""
        self._problems.pop(key, None)
        if (key.type_url, key.name) in self._raw:
            return None
        try:
            return self._translate(key, place)
        except TranslateError as error:
            return _Reason(error)
        except Exception as error:  # one service must never stop the others
            log.exception("translate_failed", type_url=key.type_url, name=key.name)
            self._problems[key] = Problem(f"{key.type_url}/{key.name}", f"cannot be translated: {error!r}")
            return entry.content if entry.content is not None else _Reason("it cannot be translated")

    def _translate(self, key: _Key, place: reach.ClientPlace | None) -> _Resource:
        """The resource for an entry (of endpoints: for clients at a place; None: for those of all). TranslateError says
        why there is none."""
        served, name, audience = key
        if served not in (type_url.LISTENER, type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT):
            raise TranslateError("no file gives it")
        if served != type_url.ENDPOINT and audiences.dialect_of(audience) == audiences.ENVOY:
            raise TranslateError("no file gives it, and services are translated for gRPC clients only")
        target = self._target(key)
        service = self._find(target.service)
        if service is None:
            raise TranslateError(names.unknown(target.service))
        port = names.select_port(service, target.port)
        if service.external_name and target.pod:
            raise TranslateError(f"service {service.id} is an external name, and has no pods")
        canonical = target.canonical(port.number, self._domain)
        scope = str(service.id) if self._scope_all or service.private else ""
        match served:
            case type_url.LISTENER:
                return _Resource(listener.build(name, canonical), ((type_url.ROUTE, canonical),), scope)
            case type_url.ROUTE:
                return _Resource(
                    route.build(name, canonical, service.sticky), ((type_url.CLUSTER, canonical),), scope
                )
            case type_url.CLUSTER:
                report_load = self._load_reporting and audience != audiences.GRPC_QUIET
                if service.external_name:
                    body = cluster.build_dns(name, service.external_name, port.number, report_load)
                    return _Resource(body, (), scope)
                return _Resource(
                    cluster.build(name, report_load, service.sticky), ((type_url.ENDPOINT, name),), scope
                )
        if service.external_name:
            raise TranslateError(f"service {service.id} is an external name; clients of its cluster ask DNS")
        endpoints: Sequence[Endpoint] = port.endpoints
        if target.pod:
            endpoints = [e for e in endpoints if e.hostname == target.pod]
        if place is not None:
            endpoints = reach.reachable(service, endpoints, place)
        return _Resource(
            endpoint.build(name, endpoints, draining=audiences.keeps_draining(audience)), (), scope
        )

    def _take_raw(self, name: tuple[str, str], document: Document | None, commit: Commit) -> None:
        """Parse and publish one raw resource; when it is broken the last good version stays."""
        present = self._raw.get(name)
        self._raw_problems.pop(name, None)
        if document is None:
            if present is not None:
                del self._raw[name]
                commit.forget.append((*name, ""))
            return
        try:
            parsed = raw.parse(document.type_url, document.body, document.ttl)
        except TranslateError as error:
            cure = "see the type's reference in Envoy's API documentation"
            self._raw_problems[name] = Problem(document.where, str(error), cure)
            log.warning("document_skipped", where=document.where, reason=str(error), cure=cure)
            return
        except Exception as error:  # one document must never stop the others
            log.exception("document_not_understood", where=document.where)
            self._raw_problems[name] = Problem(document.where, f"cannot be understood: {error!r}")
            return
        if parsed != present:
            self._raw[name] = parsed
            commit.put.append(
                Put(*name, "", parsed.body, parsed.references, parsed.scope, parsed.ttl_seconds)
            )


def _discard(index: "defaultdict[_K, set[_Key]]", at: _K, key: _Key) -> None:
    keys = index[at]
    keys.discard(key)
    if not keys:
        del index[at]
