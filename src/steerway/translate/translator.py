"""The translator: keeps exactly what is demanded up to date, so that cost follows what is watched.

An *entry* is `(type_url, name, audience)` as it is published, with the audiences of the clients that want it. A
demand makes or joins an entry and is always answered, with the resource or with a reason why there is none. Where
neither the name nor its service exists, the engine keeps the reason instead, and raises the demand anew when either
changes. A dialect makes the answer. A change of a service touches the entries that depend on it, also those
that wait for it to exist. Equal results are not published again.

A wildcard of an Envoy makes entries, too: one of each name that it sees (see `wildcard`), with the wildcard's audience
as a client that wants it. It is answered when all of them are published.

Raw resources from files are published to everybody at once, without demand, and beat a translated one of the same name.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Protocol, TypeVar

import structlog

from steerway._engine import canonical_name, is_collection
from steerway.catalog.model.mesh import Problem, Service, ServiceId
from steerway.commit import Absent, Commit, Complete, Forgotten, Missing, Put
from steerway.errors import TranslateError
from steerway.origin import Origin
from steerway.runtime import isolation
from steerway.runtime.isolation import isolated
from steerway.text import bounded
from steerway.translate.answer import Content, Denied, Reason
from steerway.translate.client.audience import ENVOY, GRPC, Audience, decode, encode
from steerway.translate.dialect.base import Configuration, Dialect, DialectOptions, unrestricted
from steerway.translate.dialect.envoy import Addresses, EnvoyDialect
from steerway.translate.dialect.grpc import GrpcDialect
from steerway.translate.entry import Entry, Key
from steerway.translate.plan import Plan
from steerway.translate.preview import Preview
from steerway.translate.resource_name import LeftOut, nothing_left_out
from steerway.translate.wildcard import SERVED as OF_WILDCARDS
from steerway.translate.wildcard import WildcardMember, Wildcards
from steerway.translate.xds import raw, type_url

log = structlog.get_logger()
_MAX_REASON = 200
"""Bytes of a reason why a name is missing: it may contain the name, which clients choose."""
_K = TypeVar("_K")
_UNTRANSLATED = "it cannot be translated"

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


class Translator:
    """Catalog and raw resources in, commits out. `find` gives a service of the catalog by its identity, `services` all
    in the scope, `left_out` what leaves one out.

    `scope_all`: every service may be withheld from some clients; else only private ones. `listen`: where Envoys do.
    `system_ca_file`: where they have the CA certificates of their system. `configuration`: of xDS servers.
    """

    def __init__(
        self,
        find: Callable[[ServiceId], Service | None],
        *,
        cluster_domain: str,
        load_reporting: bool,
        buckets: int,
        listen: Addresses,
        system_ca_file: str,
        scope_all: bool = False,
        services: Callable[[], Iterable[Service]] = tuple,
        left_out: LeftOut = nothing_left_out,
        configuration: Configuration = unrestricted,
    ) -> None:
        self._find = find
        self._options = DialectOptions(
            find, cluster_domain, scope_all, load_reporting, buckets, left_out, configuration
        )
        self._listen = listen
        self._system_ca_file = system_ca_file
        envoy = self._envoy_dialect(self._options, services)
        self._dialects: dict[str, Dialect] = {GRPC: GrpcDialect(self._options), ENVOY: envoy}
        self._wildcards = Wildcards(envoy, services)
        self._open: set[Key] = set()
        """Entries that depend on services that come, too."""
        self._entries: dict[Key, Entry] = {}
        self._by_name: defaultdict[tuple[str, str], set[Key]] = defaultdict(set)
        self._by_service: defaultdict[ServiceId, set[Key]] = defaultdict(set)
        self._by_servers: defaultdict[str, set[Key]] = defaultdict(set)
        self._shapes: dict[ServiceId, Service | None] = {}
        self._raw: dict[tuple[str, str], raw.RawResource] = {}
        self._raw_problems: dict[tuple[str, str], Problem] = {}
        self._problems: dict[Key, Problem] = {}

    def start(self, documents: Iterable[Document]) -> Commit:
        """The first commit: all raw resources, and that wildcards may be answered that see nothing else."""
        commit = self.refresh((), [((d.type_url, d.name), d) for d in documents])
        commit.complete = [
            Complete(served, GRPC if served in OF_WILDCARDS else "") for served in type_url.SERVED
        ]
        return commit

    def demand(self, wanted: Iterable[Demand]) -> Commit:
        """Somebody subscribed: answer each name, and keep it up to date from now on."""
        commit = Commit()
        for served, name, audience in wanted:
            with isolated("demand", type_url=served, name=name, audience=audience) as run:
                self._demand(served, name, decode(audience), commit)
            if run.failure and not commit.has(served, name, audience):
                commit.absent.append(Absent(served, name, audience, _UNTRANSLATED))
        return commit

    def _demand(self, served: str, name: str, audience: Audience, commit: Commit) -> None:
        if name != "*" and not is_collection(name):
            self._join(served, name, audience, commit)
        elif served in OF_WILDCARDS and audience.dialect == ENVOY:
            for member in sorted(self._wildcards.add(served, name, audience)):
                with isolated("demand", type_url=served, name=member.name, audience=encode(audience)):
                    self._join(*member, commit, wide=True)
            commit.complete.append(Complete(served, encode(audience)))

    def withdraw(self, unwanted: Iterable[Demand]) -> Commit:
        """The last subscriber of an audience went: forget what no other audience wants."""
        commit = Commit()
        for served, name, audience in unwanted:
            with isolated("demand", type_url=served, name=name, audience=audience) as run:
                self._withdraw(served, name, decode(audience), commit)
            if run.failure and not commit.has(served, name, audience):
                commit.forget.append(Forgotten(served, name, audience))
        return commit

    def _withdraw(self, served: str, name: str, audience: Audience, commit: Commit) -> None:
        if name != "*" and not is_collection(name):
            self._leave(served, name, audience, commit)
        elif (sights := self._wildcards.remove(served, name, audience)) is None:
            # The engine has taken it back with the `*` that went, and glob collections are left.
            commit.complete.append(Complete(served, encode(audience)))
        else:
            for member in sorted(sights):
                self._leave(*member, commit, wide=True)

    def refresh(
        self,
        services: Iterable[ServiceId],
        documents: Iterable[tuple[tuple[str, str], Document | None]] = (),
        origins: Mapping[Hashable, Origin] = MappingProxyType({}),
        servers: Iterable[str] = (),
    ) -> Commit:
        """Services and raw resources changed (None: the document is gone): publish what differs.

        `origins`: when the change of a service was received, where that is to be measured. `servers`: the namespaces
        whose configurations of servers changed.
        """
        commit = Commit()
        gone: set[WildcardMember] = set()
        touched: set[Key] = set()
        for service in services:
            with isolated("service", service=service):
                touched |= self._touched(service, gone)
        for member in sorted(gone):
            about = {"type_url": member.type_url, "name": member.name, "audience": encode(member.audience)}
            with isolated("demand", **about):
                if not self._wildcards.sees(member):
                    self._leave(*member, commit, wide=True)
        for (served, spelled), document in documents:
            self._raw_problems.pop((served, spelled), None)
            with isolated("resource", type_url=served, name=spelled) as run:
                name = served, canonical_name(spelled)
                self._take_raw(name, document, commit)
                touched |= self._by_name.get(name, set())
            if run.failure and document is not None:
                self._raw_problems[served, spelled] = _not_understood(document, run.failure)
        touched.update(*(self._by_servers.get(namespace, ()) for namespace in servers))
        for key in sorted(touched & self._entries.keys()):
            with isolated("answer", type_url=key.type_url, name=key.name, audience=encode(key.audience)):
                entry = self._entries[key]
                waiting = [origins[id] for id in entry.services if id in origins]
                self._publish(key, entry, commit, min(waiting, default=None))
        return commit

    @property
    def preview(self) -> Preview:
        """What a client would be answered."""
        return Preview(self._dialects, self._raw)

    def preview_in_threads(
        self, find: Callable[[ServiceId], Service | None], services: Callable[[], Iterable[Service]]
    ) -> Preview:
        """The same, for any thread; `find` and `services` must be thread-safe."""
        options = self._options._replace(find=find)
        envoy = self._envoy_dialect(options, services)
        return Preview({GRPC: GrpcDialect(options), ENVOY: envoy}, self._raw)

    def problems(self) -> list[Problem]:
        """Raw documents and services that could not be translated; their last good version is served."""
        return [*self._raw_problems.values(), *self._problems.values()]

    def _envoy_dialect(
        self, options: DialectOptions, services: Callable[[], Iterable[Service]]
    ) -> EnvoyDialect:
        return EnvoyDialect(options, services, self._listen, self._system_ca_file)

    def _key(self, served: str, name: str, audience: Audience) -> Key:
        """Where an answer is published: as widely as all audiences that get the same one."""
        return Key(served, name, self._dialect(audience).root(served, name, audience))

    def _dialect(self, audience: Audience) -> Dialect:
        return self._dialects[audience.dialect]

    def _touched(self, id: ServiceId, gone: set[WildcardMember]) -> set[Key]:
        """The entries that a change of a service concerns: all that depend on it, or, where nothing but its endpoints
        is another, those that depend on endpoints. What wildcards see no more is added to `gone`."""
        keys = self._by_service.get(id, set())
        service = self._find(id) if keys or self._wildcards else None
        if keys:
            shape = None if service is None else service.shape
            if shape is not None and shape == self._shapes.get(id):
                return {key for key in keys if self._entries[key].endpoints}
            self._shapes[id] = shape
        came, lost = self._wildcards.follow(id, service)
        gone |= lost
        seen = set()
        for served, name, audience in came:
            key = self._key(served, name, audience)
            self._entry(key).add(audience, wide=True)
            seen.add(key)
        return keys | self._open | seen

    def _join(self, served: str, name: str, audience: Audience, commit: Commit, wide: bool = False) -> None:
        """Have an audience use an entry: by its name, or, `wide`, by a wildcard that sees it."""
        key = self._key(served, name, audience)
        plan = None if wide or key in self._entries else self._try_plan(key)
        if plan is not None and plan.missing is not None and key[:2] not in self._raw:
            # Nothing is kept here: clients may ask for any number of names that do not exist.
            service = next(iter(plan.services), "")
            reason = bounded(plan.missing, _MAX_REASON)
            commit.missing.append(Missing(served, name, encode(audience), reason, str(service)))
            return
        entry = self._entry(key)
        joined = (audience,) if entry.used else None
        entry.add(audience, wide)
        if entry.published.keys() != {key.audience}:  # else all share one answer, and it is there
            self._publish(key, entry, commit, among=joined, plan=plan)

    def _leave(self, served: str, name: str, audience: Audience, commit: Commit, wide: bool = False) -> None:
        """The reverse: forget what no audience wants any more."""
        key = self._key(served, name, audience)
        entry = self._entries.get(key)
        if entry is None:
            return
        entry.discard(audience, wide)
        if not entry.used:
            self._drop(key, entry)
            commit.forget += [Forgotten(*key[:2], encode(published)) for published in sorted(entry.published)]
        elif audience not in entry.named and audience not in entry.seen:
            self._forget_part(key, entry, audience, commit)

    def _entry(self, key: Key) -> Entry:
        if key not in self._entries:
            self._entries[key] = Entry()
            self._by_name[key.type_url, key.name].add(key)
        return self._entries[key]

    def _drop(self, key: Key, entry: Entry) -> None:
        del self._entries[key]
        self._problems.pop(key, None)
        self._open.discard(key)
        _discard(self._by_name, (key.type_url, key.name), key)
        self._depend(key, entry, frozenset())

    def _depend(self, key: Key, entry: Entry, services: frozenset[ServiceId], servers: str = "") -> None:
        """Note which services an entry depends on, and of which namespace's servers it is."""
        if servers != entry.servers:
            if entry.servers:
                _discard(self._by_servers, entry.servers, key)
            if servers:
                self._by_servers[servers].add(key)
            entry.servers = servers
        for id in entry.services - services:
            _discard(self._by_service, id, key)
            if id not in self._by_service:
                self._shapes.pop(id, None)
        for id in services - entry.services:
            if id not in self._by_service:
                service = self._find(id)
                self._shapes[id] = None if service is None else service.shape
            self._by_service[id].add(key)
        entry.services = services

    def _publish(
        self,
        key: Key,
        entry: Entry,
        commit: Commit,
        origin: Origin | None = None,
        among: Iterable[Audience] | None = None,
        plan: Plan | None = None,
    ) -> None:
        """Translate an entry anew and publish what differs of its answers; with `among` nothing changed but that these
        users came. `plan`: that of the entry, where it is known already."""
        if among is None:
            entry.plan = None
            if plan is not None:
                self._adopt(key, entry, plan)
        answers = self._answers(key, entry, among)
        if among is not None:
            answers = entry.published | answers
        commit.forget += [
            Forgotten(*key[:2], encode(audience))
            for audience in sorted(entry.published.keys() - answers.keys())
        ]
        for audience, content in sorted(answers.items()):
            if entry.published.get(audience) == content:
                continue
            if isinstance(content, Reason):
                rows = commit.denied if isinstance(content, Denied) else commit.absent
                rows.append(Absent(*key[:2], encode(audience), str(content)))
            else:
                commit.put.append(Put(key.type_url, key.name, encode(audience), *content, origin=origin))
        entry.published = answers

    def _answers(self, key: Key, entry: Entry, among: Iterable[Audience] | None) -> dict[Audience, Content]:
        """Answers by audience, of all users or `among` them; the last good version when translation itself breaks, and
        nothing where a raw resource of that name is published."""
        self._problems.pop(key, None)
        about = {"type_url": key.type_url, "name": key.name, "audience": encode(key.audience)}
        with isolated("answer", **about) as run:
            plan = entry.plan or self._adopt(key, entry, self._dialect(key.audience).plan(*key))
            users = entry.users_at(plan.width) if among is None else among
            return {} if (key.type_url, key.name) in self._raw else dict(plan.contents(users))
        reason = f"cannot be translated: {run.failure}"
        self._problems[key] = Problem(f"{key.type_url}/{key.name}", reason, isolation.HINT)
        return entry.published or {key.audience: Reason(_UNTRANSLATED)}

    def _try_plan(self, key: Key) -> Plan | None:
        """How a name is answered; None where translation breaks, which is dealt with when it is published."""
        with suppress(Exception):
            return self._dialect(key.audience).plan(*key)
        return None

    def _adopt(self, key: Key, entry: Entry, plan: Plan) -> Plan:
        """Answer an entry by this plan until one of its services changes."""
        entry.plan = plan
        self._depend(key, entry, plan.services, plan.servers)
        entry.endpoints = plan.endpoints
        if plan.open_ended:
            self._open.add(key)
        return plan

    def _forget_part(self, key: Key, entry: Entry, gone: Audience, commit: Commit) -> None:
        """Forget what was published for the audience that is gone alone."""
        for at in gone.widening():
            if at == key.audience:
                return
            if at in entry.published and not any(at.covers(user) for user in entry.users):
                del entry.published[at]
                commit.forget.append(Forgotten(*key[:2], encode(at)))

    def _take_raw(self, name: tuple[str, str], document: Document | None, commit: Commit) -> None:
        """Parse and publish one raw resource; when it is broken the last good version stays."""
        present = self._raw.get(name)
        self._raw_problems.pop(name, None)
        if document is None:
            if present is not None:
                del self._raw[name]
                commit.forget.append(Forgotten(*name, ""))
            return
        try:
            with isolated("resource", TranslateError, where=document.where) as run:
                parsed = raw.parse(document.type_url, document.body, document.ttl)
        except TranslateError as error:
            hint = "see the type's reference in Envoy's API documentation"
            self._raw_problems[name] = Problem(document.where, str(error), hint)
            log.warning("document_skipped", where=document.where, reason=str(error), hint=hint)
            return
        if run.failure:
            self._raw_problems[name] = _not_understood(document, run.failure)
            return
        if parsed != present:
            self._raw[name] = parsed
            commit.put.append(
                Put(*name, "", parsed.body, parsed.references, parsed.scope, parsed.ttl_seconds)
            )


def _not_understood(document: Document, failure: str) -> Problem:
    return Problem(document.where, f"cannot be understood: {failure}", isolation.HINT)


def _discard(index: "defaultdict[_K, set[Key]]", at: _K, key: Key) -> None:
    keys = index[at]
    keys.discard(key)
    if not keys:
        del index[at]
