"""The main path: build the stages, join them, run, drain. Nothing here decides anything.

::

    sources ──keys──▶ Debouncer ──batch──▶ Catalog ──change──▶ Translator ──commit──▶ Engine ══▶ clients
                                                          ▲──────────demand─────────────┘

All of it but the engine's threads and the reading of files runs on one event loop: a batch goes through
catalog, translate and engine without another one in between; a large one in slices. From the debouncer on, objects are
read as of the last batch (`Committed`), never from the store, which is ahead of it.
"""

import asyncio
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import structlog

from steerway import rest, telemetry
from steerway.access.admission import AdmissionController, Applicant, Decision
from steerway.access.authenticators import Authenticators
from steerway.access.identity import Identity
from steerway.access.result import INTERNAL, Credential, Refusal
from steerway.access.rules import Authorization
from steerway.admin.absence_log import AbsenceLog
from steerway.admin.grpc.call_service import CallService, WaitingCall
from steerway.admin.grpc.client_status import ClientStatus
from steerway.admin.grpc.load_request import LoadRequest
from steerway.admin.server import AdminServer
from steerway.admin.view import AdminView, Phase, ProblemView
from steerway.catalog.catalog import Catalog
from steerway.catalog.federation import Federation, Member
from steerway.catalog.locality.client_locality import ClientLocalities, PodLocalities
from steerway.catalog.locality.client_zone import ClaimedZones, KnownZones
from steerway.catalog.model.mesh import ServiceId
from steerway.catalog.service.scope import Followed, Selection
from steerway.commit import Commit
from steerway.config import Settings
from steerway.control.remote_cluster import Changed, RemoteCluster
from steerway.engine.engine import (
    Call,
    Closed,
    Demand,
    Engine,
    HandshakeFailed,
    Limited,
    Nack,
    Opened,
    Panicked,
    Withdrawn,
)
from steerway.engine.loads import LoadsCollector
from steerway.engine.memory import Trimmer, trim_function
from steerway.engine.portion import Portion
from steerway.engine.stats import StatsCollector
from steerway.errors import SettingsError
from steerway.explain import Explainer, Question, limitation
from steerway.explain.subscriber import Subscribers
from steerway.http.limit import HttpLimits, within_open_files
from steerway.http.server import HttpServer
from steerway.log import setup
from steerway.origin import Origin
from steerway.peer import network
from steerway.report import lease
from steerway.report.events import AboutObject, Problems
from steerway.report.reporter import Reporter, ReporterOptions
from steerway.report.status_entry import Covers, Subject
from steerway.report.status_writer import Subjects, subjects
from steerway.runtime import garbage
from steerway.runtime.isolation import isolated, or_else
from steerway.runtime.signals import Signals
from steerway.runtime.steps import run_sliced
from steerway.sources.committed import Committed
from steerway.sources.debounce import Debouncer
from steerway.sources.files import FileSource, FileState
from steerway.sources.kubernetes import InformerStatus, KubernetesOptions, KubernetesSource
from steerway.sources.objects.core import ObjectKey, XdsResource
from steerway.sources.store import ObjectStore
from steerway.sources.window import Delay, Due, Window
from steerway.status.evaluation import StatusEvaluator
from steerway.status.reference_resolver import ReferenceResolver
from steerway.translate.client.audience import (
    METADATA_KEYS,
    at_locality,
    bucket_of,
    claimed_id,
    claimed_namespace,
    claimed_zone,
    classify,
    client_of,
)
from steerway.translate.envoy.dialect import Addresses
from steerway.translate.protobuf.render import to_json
from steerway.translate.translator import Translator

log = structlog.get_logger()

_LOOK_SECONDS = 1.0
"""How often it is looked at what was held back, a time of seconds or minutes, and what is to be judged."""
_JUDGED_AT_ONCE = 50
"""Routes and policies: some milliseconds' work."""


def run(settings: Settings, announce: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT drains, or a second one ends at once; returns the exit code.

    `announce` gets one line per bound address. Raises SettingsError, SourceError or EngineError when
    something cannot start at all.
    """
    return asyncio.run(ControlPlane(settings).serve(announce))


class ControlPlane:
    """The stages, joined."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._phase: Phase = "starting"
        self._store = ObjectStore()
        self._sources = _sources(settings, self._store)
        self._catalog = _catalog(settings, self._followed)
        self._changing = asyncio.Lock()
        """Held while the catalog changes, which may take many slices of the event loop, and by what needs it at rest.
        Demands do not: until the last slice every service is as it was before."""
        self._committed = Committed(self._store.get)
        self._debouncer = _debouncer(settings, self._catalog, self._store, self._committed)
        self._localities = PodLocalities()
        self._address_first = settings.kubernetes.client_locality == "pod_first"
        zones = KnownZones()
        self._client_localities = ClientLocalities(
            settings.topology, self._address_first, ClaimedZones(zones)
        )
        self._store.listen(lambda changed: self._localities.update(self._store.get, changed))
        self._store.listen(partial(zones.update, "", self._store.get))
        authorization = Authorization(settings.authorization.rules)
        members, self._remotes = _remotes(settings, self._refresh, zones)
        self._federation = Federation(self._catalog, members, settings.cluster_policy, self._is_named)
        self._resolver = ReferenceResolver(
            self._store.get,
            self._catalog.attachments,
            self._catalog.service,
            self._federation.service,
            limitation.stated,
            self._absent,
            partial(self._catalog.outside, self._store.get),
        )
        self._evaluator = StatusEvaluator(self._resolver)
        self._reporters = _reporters(settings, self._reported, self._identified, self._resolver.covers)
        self._translator = Translator(
            self._federation.service,
            cluster_domain=settings.cluster_domain,
            scope_all=authorization.by_rules,
            load_reporting=settings.load_reporting.enabled,
            buckets=settings.subset_buckets,
            services=lambda: self._federation,
            listen=Addresses(settings.envoy.listen, settings.envoy.gateway_listen),
            left_out=self._federation.left_out,
            system_ca_file=settings.envoy.system_ca_file,
        )
        self._engine = Engine(
            tls=settings.tls.certificate is not None,
            listen=settings.listen,
            identifier=settings.identifier,
            threads=settings.threads,
            max_connections=settings.max_connections,
            max_connections_per_address=settings.max_connections_per_address,
            max_connections_per_identity=settings.max_connections_per_identity,
            max_connections_per_second=settings.max_connections_per_second,
            max_streams=settings.max_streams,
            max_concurrent_streams=settings.max_concurrent_streams,
            max_node_bytes=settings.max_node_bytes,
            max_request_bytes=settings.max_request_bytes,
            max_requests_per_second=settings.max_requests_per_second,
            request_timeout_seconds=settings.request_timeout_seconds,
            max_connection_age_seconds=settings.max_connection_age_seconds,
            max_connection_age_grace_seconds=settings.max_connection_age_grace_seconds,
            max_names_per_stream=settings.max_names_per_stream,
            max_name_bytes=settings.max_name_bytes,
            max_subscription_bytes_per_stream=settings.max_subscription_bytes_per_stream,
            max_subscription_bytes_per_connection=settings.max_subscription_bytes_per_connection,
            max_subscription_bytes_per_peer=settings.max_subscription_bytes_per_peer,
            max_subscription_bytes=settings.max_subscription_bytes,
            max_cpu_per_stream=settings.max_cpu_per_stream,
            max_cpu_per_connection=settings.max_cpu_per_connection,
            max_cpu_per_peer=settings.max_cpu_per_peer,
            max_cpu=settings.max_cpu,
            keepalive_interval_seconds=settings.keepalive_interval_seconds,
            keepalive_timeout_seconds=settings.keepalive_timeout_seconds,
            order_timeout_seconds=settings.make_before_break_timeout_seconds,
            demand_grace_seconds=settings.unsubscribe_grace_seconds,
            node_metadata=METADATA_KEYS,
        )
        self._portion = Portion()
        self._authenticators = Authenticators(settings, self._engine.set_tls)
        self._absences = AbsenceLog(self._engine, settings.cluster_domain)
        self._admission_controller = AdmissionController(
            self._authenticators.authenticators, authorization, claimed_namespace, self._carry_out
        )
        status = ClientStatus(self._engine)
        self._calls = CallService(
            self._engine,
            {
                "FetchClientStatus": status,
                "StreamClientStatus": status,
                "StreamLoadStats": LoadRequest(settings.load_reporting.interval_seconds),
            },
            self._refuse_call,
        )

    async def serve(self, announce: Callable[[str], None]) -> int:
        """Start, run until a signal, drain. Each part runs for ever; one that ends takes the rest with it."""
        token = self._authenticators.admin_token
        limits = _http_limits(self._settings, self._settings.admin_max_connections)
        accepts, hosts = token.accepts if token else None, self._settings.admin_hosts
        admin = AdminServer(self._settings.admin, self._view(), limits, accepts, hosts)
        polled = _rest_server(self._settings, self._engine)
        loop = asyncio.get_running_loop()
        telemetry.TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))
        parts: list[asyncio.Task[None]] = []
        with Signals(self._reread) as signals:
            try:
                for address in self._engine.start():
                    announce(f"listening on {address}")
                announce(f"admin on http://{await admin.start()}")
                if polled is not None:
                    announce(f"REST discovery on http://{await polled.start()}")
                self._authenticators.warn()
                trimmer = Trimmer(self._engine.kept, trim_function())
                runs = (
                    *self._sources,
                    *self._remotes,
                    *self._reporters,
                    self._authenticators,
                    self._absences,
                    trimmer,
                )
                parts = [asyncio.create_task(task.run(), name=task.name) for task in runs]
                parts.append(asyncio.create_task(self._steer(), name="steering"))
                parts.append(asyncio.create_task(setup.summarize(), name="log summaries"))
                await _first_of(signals.first, parts)
                await self._drain(signals.second)
            finally:
                for part in parts:
                    part.cancel()
                await asyncio.gather(*parts, return_exceptions=True)
                await self._admission_controller.close()
                await self._calls.close()
                if polled is not None:
                    await polled.stop()
                await admin.stop()
                self._engine.stop()
        log.info("stopped")
        return 0

    def _reread(self) -> None:
        """Certificates and tokens are looked at once a second anyway."""
        for source in self._sources:
            if isinstance(source, FileSource):
                source.reread()

    async def _steer(self) -> None:
        """Publish nothing before every source has synced; then follow the sources and answer the clients."""
        await self._store.until_synced()
        await self._known()
        # What changes from here on waits in the debouncer: no change is missed, and none is translated twice.
        self._store.listen(self._debouncer.add)
        objects = list(self._store.objects())
        with garbage.load(len(objects)):
            await self._update_catalog([obj.key for obj in objects])
        await asyncio.sleep(0)
        self._publish(self._translator.start([obj for obj in objects if isinstance(obj, XdsResource)]))
        self._engine.set_serving(True)
        self._phase = "serving"
        log.info("serving", services=len(self._catalog), problems=len(self._problems()))
        for problem in self._federation.unmatched():
            log.warning(
                "filter_matches_nothing", where=problem.where, reason=problem.reason, hint=problem.hint
            )
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._follow_sources())
            loops.create_task(self._release_held())
            loops.create_task(self._judge_attached())
            loops.create_task(self._answer_clients())

    async def _known(self) -> None:
        """Wait for the remote clusters, but not for ever: one that cannot be reached must not hold up the others."""
        waiting = [asyncio.create_task(remote.known.wait()) for remote in self._remotes]
        if waiting:
            await asyncio.wait(waiting, timeout=self._settings.remote_sync_timeout_seconds)
        for remote, task in zip(self._remotes, waiting, strict=True):
            if not task.done():
                task.cancel()
                log.warning(
                    "cluster_not_known",
                    cluster=remote.cluster,
                    waited=self._settings.remote_sync_timeout_seconds,
                )

    def _refresh(self, services: frozenset[ServiceId], origins: Mapping[Hashable, Origin]) -> None:
        """Services changed: of some remote cluster, or because the time came."""
        self._federation.changed(services)
        self._catalog.attachments.note_services(services)
        if self._phase != "starting":
            with telemetry.TRANSLATE_SECONDS.labels("change").time():
                commit = self._translator.refresh(services, origins=origins)
            self._publish_change(commit, services)

    async def _follow_sources(self) -> None:
        while True:
            due = await self._debouncer.next()
            await asyncio.sleep(0)  # other tasks have their turn, also while more and more is due
            async with self._changing:
                with isolated("batch"):
                    await self._take_in(due)

    async def _take_in(self, due: Due) -> None:
        """Publish what changed."""
        with telemetry.TRANSLATE_SECONDS.labels("change").time():
            services = await self._update_catalog(due.keys)
            documents = self._raw(due.keys)
            commit = self._translator.refresh(services, documents, due.origins)
        self._publish_change(commit, services, [name for name, _ in documents])

    async def _release_held(self) -> None:
        """Believe updates that were held back for long enough."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            async with self._changing:
                with isolated("batch"):
                    if services := self._catalog.release(self._committed.get):
                        self._refresh(services, {})

    async def _judge_attached(self) -> None:
        """Judge routes and policies some time after they or what they are attached to changed, a few at a time."""
        while True:
            async with self._changing:
                with isolated("status"):
                    for problem in self._evaluator.evaluate(_JUDGED_AT_ONCE):
                        log.info(
                            "not_accepted", where=problem.where, reason=problem.reason, hint=problem.hint
                        )
            await asyncio.sleep(0 if self._evaluator.unfinished else _LOOK_SECONDS)

    async def _answer_clients(self) -> None:
        """Answer what the engine reports, in its order; events of one kind that follow each other in one go."""
        answers: dict[type, Callable[[list[Any]], None]] = {
            Opened: self._admit,
            Demand: self._translate,
            Withdrawn: self._forget,
            Nack: _log_nacks,
            HandshakeFailed: _log_handshakes,
            Closed: self._close,
            Limited: _log_limits,
            Panicked: _log_panics,
            Call: self._calls.answer,
        }
        async for events in self._engine.events(lambda: self._portion.size):
            for kind, group in itertools.groupby(events, type):
                with isolated(f"event {kind.__name__}"):
                    answers[kind](list(group))

    def _admit(self, opened: list[Opened]) -> None:
        """Ask the gate who may come in; it calls `_carry_out`, at once or later."""
        self._admission_controller.open(
            Applicant(opening.stream, opening.peer, opening.node, _credential(opening)) for opening in opened
        )

    def _carry_out(self, decisions: Sequence[tuple[Applicant, Decision]]) -> None:
        """Let streams in, each with its audience and what it may see, or end them."""
        admitted, refused = [], []
        identified: list[tuple[int, str]] = []
        for client, decision in decisions:
            if isinstance(decision, Refusal):
                refused.append((client.stream, decision.code, decision.client_message))
                log.warning(
                    "stream_refused", **_described(client), code=decision.code, reason=decision.reason
                )
                continue
            with isolated("client", stream=client.stream, peer=client.peer) as run:
                audience = self._audience(client, decision.identity)
            if run.failure:
                refused.append(
                    (client.stream, INTERNAL, "the Node cannot be handled; the server's log has the reason")
                )
                continue
            identity = decision.identity
            admitted.append((client.stream, audience, decision.grant))
            fields = {} if identity is None else {"identity": str(identity)}
            if identity is not None:
                identified.append((client.stream, str(identity)))
            log.info("stream_opened", **_described(client), audience=audience, **fields)
        self._engine.identify(identified)
        self._engine.classify(admitted)
        self._engine.reject(refused)

    def _close(self, closed: list[Closed]) -> None:
        """Give back what streams that ended held."""
        self._admission_controller.close_streams([ended.stream for ended in closed])
        for ended_stream in closed:
            self._client_localities.release(ended_stream.stream)
            log.debug("stream_closed", stream=ended_stream.stream)

    def _audience(self, client: Applicant, identity: Identity | None) -> str:
        """Who it proved to be comes before where its address is, and that before the default."""
        locality = self._localities.find(client.peer)
        own = identity.namespace if identity is not None else ""
        namespace = locality.namespace if locality is not None else ""
        hint = namespace if self._address_first else ""
        audience = classify(client.node, own or namespace or self._settings.default_namespace, hint)
        bucket = bucket_of(client.node, client.peer.rpartition(":")[0], self._settings.subset_buckets)
        zone, share = claimed_zone(client.node), network(client.peer)
        return at_locality(
            audience, self._client_localities.resolve(locality, zone, client.stream, share), bucket
        )

    async def _refuse_call(self, call: WaitingCall) -> tuple[int, str] | None:
        """Why somebody may not call; None when it may.

        Whoever comes in may report load. What all clients hold is for who sees everything anyway.
        """
        refusal = await self._admission_controller.authorize_call(
            _credential(call), sees_all=call.method != "StreamLoadStats"
        )
        return None if refusal is None else (refusal.code, refusal.client_message)

    def _translate(self, wanted: list[Demand]) -> None:
        begin = time.perf_counter()
        with telemetry.TRANSLATE_SECONDS.labels("demand").time():
            commit = self._translator.demand(
                [(demand.type_url, demand.name, demand.audience) for demand in wanted]
            )
        self._publish(commit)
        if commit.absent or commit.denied or commit.missing:
            self._absences.hint()
        seconds = time.perf_counter() - begin
        self._portion.took(len(wanted), seconds)
        for account, count in Counter(demand.account for demand in wanted).items():
            self._engine.charge(account, seconds * count / len(wanted))

    def _forget(self, unwanted: list[Withdrawn]) -> None:
        self._publish(
            self._translator.withdraw(
                [(withdrawn.type_url, withdrawn.name, withdrawn.audience) for withdrawn in unwanted]
            )
        )

    async def _drain(self, at_once: asyncio.Event) -> None:
        """Let clients move to another replica within the grace time; `at_once` cuts it short."""
        self._phase = "draining"
        log.info("draining", seconds=self._settings.drain_seconds)
        drain = asyncio.create_task(asyncio.to_thread(self._engine.drain, self._settings.drain_seconds))
        hurry = asyncio.create_task(at_once.wait())
        await asyncio.wait([drain, hurry], return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        self._engine.stop()
        await drain

    async def _update_catalog(self, keys: Iterable[ObjectKey]) -> frozenset[ServiceId]:
        """Take in changed objects, and log what of them cannot be served: rarely a mistake, so no warning."""
        services = await run_sliced(self._catalog.steps(self._committed.get, keys))
        self._federation.changed(services)
        for problem in self._catalog.new_problems:
            log.info("not_served", where=problem.where, reason=problem.reason, hint=problem.hint)
        return services

    def _publish_change(
        self, commit: Commit, services: Iterable[ServiceId], names: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Publish what changed of services and raw resources; the engine demands anew what was missing for them."""
        self._publish(commit)
        self._engine.changed([str(service) for service in services], names)

    def _publish(self, commit: Commit) -> None:
        if not commit:
            return
        with isolated("commit") as run:
            self._engine.publish(commit)
        if run.failure:
            for part in commit.parts():
                with isolated("commit"):
                    self._engine.publish(part)

    def _raw(self, keys: Iterable[ObjectKey]) -> list[tuple[tuple[str, str], XdsResource | None]]:
        """The raw resources among changed objects, by type and name; None for one that is gone."""
        resources = []
        for key in keys:
            if key.kind == XdsResource.__name__:
                resource = self._committed.get(key)
                resources.append(
                    ((key.namespace, key.name), resource if isinstance(resource, XdsResource) else None)
                )
        return resources

    def _view(self) -> AdminView:
        return AdminView(
            engine=self._engine,
            store=self._store,
            phase=lambda: self._phase,
            informers=self._informers,
            problems=self._problems,
            locality=self._localities.find,
            render=to_json,
            subscribers=lambda: Subscribers(
                self._federation.peek, self._settings.cluster_domain, self._federation.ids()
            ),
            explain=lambda asked: self._explainer().explain(Question(**asked)),
            collectors=(StatsCollector(self._engine), LoadsCollector(self._engine)),
        )

    def _explainer(self) -> Explainer:
        return Explainer(
            find=self._federation.service,
            known=lambda: self._federation,
            metadata=lambda id: self._catalog.metadata(self._store.get, id),
            preview=self._translator.preview,
            topology=self._settings.topology,
            domain=self._settings.cluster_domain,
            namespace=self._settings.default_namespace,
            buckets=self._settings.subset_buckets,
            left_out=self._federation.left_out,
        )

    def _followed(self) -> frozenset[str] | None:
        """The namespaces whose Services are known; None: all."""
        return next(
            (source.followed for source in self._sources if isinstance(source, KubernetesSource)), None
        )

    def _is_named(self, service: ServiceId) -> bool:
        return self._catalog.is_named(self._store.get, service)

    def _absent(self, key: ObjectKey) -> str:
        """What is the matter with an object that is not known."""
        followed = self._followed()
        if followed is None or key.namespace in followed:
            return "does not exist"
        return f"is in namespace {key.namespace}, which the setting kubernetes.namespaces does not list"

    def _informers(self) -> Sequence[InformerStatus]:
        """Of the local API server and of remote ones."""
        followed = (*self._sources, *self._remotes)
        kubernetes = (source for source in followed if isinstance(source, KubernetesSource | RemoteCluster))
        return [status for source in kubernetes for status in source.status()]

    def _reported(self) -> Iterable[AboutObject]:
        """The problems of objects that came from the local API server."""
        name = _local(self._sources)
        for reported in self._store.problems_of(name):
            # A Service that another installation serves is that one's to report.
            if (
                reported.about is None
                or reported.about.kind != "Service"
                or self._resolver.covers(reported.about)
            ):
                yield reported
        for problem in self._catalog.problems():
            if problem.about is not None and self._store.source_of(problem.about) == name:
                yield problem

    def _identified(self) -> Mapping[ObjectKey, Subject]:
        """What is to be said of routes and policies that came from the local API server."""
        name, object_statuses = _local(self._sources), self._evaluator.object_statuses
        own = {
            key: object_status
            for key, object_status in object_statuses.items()
            if self._store.source_of(key) == name
        }
        return subjects(own, self._store.problems_of(name))

    def _problems(self) -> Sequence[ProblemView]:
        """What is skipped now, from all stages."""
        stages: tuple[_Stage, ...] = (
            self._store,
            *self._remotes,
            self._federation,
            self._evaluator,
            self._translator,
            self._authenticators,
        )
        return [problem for stage in stages for problem in stage.problems()]


class _Stage(Protocol):
    """What skips something of what it is given, and says so."""

    def problems(self) -> Sequence[ProblemView]: ...


class _Source(Protocol):
    """A source of facts: writes to the object store under its name until it is cancelled."""

    name: str

    async def run(self) -> None: ...


def _sources(settings: Settings, store: ObjectStore) -> list[_Source]:
    """The sources to run, known to the store. Files come first, and so win: somebody put them beside this process."""
    sources: list[_Source] = []
    if settings.files:
        sources.append(_file_source(settings, store))
    if settings.kubernetes.enabled:
        kubernetes = settings.kubernetes
        namespaces = None if kubernetes.namespaces == ("all",) else kubernetes.namespaces
        locality = kubernetes.client_locality != "off"
        options = KubernetesOptions(
            kubernetes.kubeconfig,
            kubernetes.context,
            namespaces,
            _reads_namespaces(settings),
            locality,
            policies=kubernetes.policies,
            silence_seconds=kubernetes.watch_idle_timeout_seconds,
            stale_seconds=kubernetes.stale_seconds,
        )
        sources.append(KubernetesSource(options, store))
    for source in sources:
        store.register(source.name)
    return sources


def _file_source(settings: Settings, store: ObjectStore) -> FileSource:
    """Raises SettingsError for a path that does not exist."""
    missing = [path for path in settings.files if not os.path.lexists(path)]
    if missing and not settings.files_optional:
        raise SettingsError(
            "\n".join(
                f"--files {path} does not exist: correct the path, or wait for it with --files-optional"
                for path in missing
            )
        )
    state = None
    if settings.state_dir is not None:
        state = FileState(settings.state_dir.absolute(), settings.state_max_age_seconds)
    wait = settings.files_sync_timeout_seconds
    return FileSource(settings.files, store, settings.default_namespace, wait, state)


def _catalog(settings: Settings, followed: Followed = lambda: None, remote: bool = False) -> Catalog:
    only = frozenset(settings.upstream_services)
    selection = Selection(only, settings.service_selector, settings.namespace_selector, followed)
    return Catalog(selection, nodes_known=settings.topology == "node", named_elsewhere=remote)


def _reads_namespaces(settings: Settings) -> bool:
    """Whether something depends on labels or annotations of Namespaces, so that they must be readable."""
    return settings.authentication.enabled or bool(settings.namespace_selector)


def _remotes(
    settings: Settings, changed: Changed, zones: KnownZones
) -> tuple[list[Member], list[RemoteCluster]]:
    """The remote clusters, each with its own store, catalog and debouncer."""
    kubernetes, members, remotes = settings.kubernetes, [], []
    for cluster in settings.clusters:
        store = ObjectStore()
        store.listen(partial(zones.update, cluster.name, store.get))
        options = KubernetesOptions(
            cluster.kubeconfig or kubernetes.kubeconfig,
            cluster.context,
            None if kubernetes.namespaces == ("all",) else kubernetes.namespaces,
            _reads_namespaces(settings),
            cluster=cluster.name,
            silence_seconds=kubernetes.watch_idle_timeout_seconds,
            stale_seconds=kubernetes.stale_seconds,
        )
        catalog = _catalog(settings, remote=True)
        members.append(Member(cluster.name, catalog, cluster.region, cluster.priority))
        source = KubernetesSource(options, store)
        committed = Committed(store.get)
        debouncer = _debouncer(settings, catalog, store, committed)
        wait = settings.remote_stale_seconds
        remotes.append(RemoteCluster(members[-1], source, store, committed, debouncer, wait, changed))
    return members, remotes


def _local(sources: Iterable[_Source]) -> str:
    """The name of the source that is the local API server."""
    return next(source.name for source in sources if isinstance(source, KubernetesSource))


def _lease_name(settings: Settings) -> str:
    """The name that is set, or one of the scope."""
    filters = {
        "upstream_services": sorted(settings.upstream_services),
        "service_selector": settings.service_selector,
        "namespace_selector": settings.namespace_selector,
        "kubernetes.namespaces": sorted({*settings.kubernetes.namespaces} - {"all"}),
    }
    scope = {setting: value for setting, value in filters.items() if value}
    return settings.kubernetes.lease_name or lease.name_of(scope)


def _reporters(settings: Settings, problems: Problems, evaluated: Subjects, covers: Covers) -> list[Reporter]:
    """None without an API server to report to, or with nothing to report."""
    kubernetes = settings.kubernetes
    by_event = problems if kubernetes.events else None
    by_status = evaluated if kubernetes.status and kubernetes.policies else None
    if not kubernetes.enabled or (by_event is None and by_status is None):
        return []
    options = ReporterOptions(
        kubernetes.kubeconfig, kubernetes.context, kubernetes.lease_namespace, _lease_name(settings)
    )
    return [Reporter(options, by_event, by_status, covers)]


def _rest_server(settings: Settings, engine: Engine) -> HttpServer | None:
    if settings.rest_listen is None:
        return None
    limits = replace(_http_limits(settings, settings.rest_max_connections), body_bytes=rest.MAX_BODY_BYTES)
    application = rest.application(engine.fetch)
    return HttpServer(settings.rest_listen, application, "--rest-listen", name="rest", limits=limits)


def _http_limits(settings: Settings, connections: int) -> HttpLimits:
    return HttpLimits(
        connections=within_open_files(connections, settings.max_connections),
        request_timeout_seconds=settings.http_request_timeout_seconds,
        idle_timeout_seconds=settings.http_idle_timeout_seconds,
    )


def _debouncer(settings: Settings, catalog: Catalog, store: ObjectStore, committed: Committed) -> Debouncer:
    debounce = settings.debounce
    window = Window(
        or_else("window", partial(catalog.owners, store.get), lambda key: (key,)),
        or_else("window", partial(catalog.references, store.get), lambda _: ()),
        or_else("window", partial(catalog.keeps_endpoints, committed.get, store.get), lambda _: True),
        endpoints=Delay(debounce.endpoint_quiet_seconds, debounce.endpoint_max_seconds),
        others=Delay(debounce.quiet_seconds, debounce.max_seconds),
    )
    return Debouncer(window, committed, partial=lambda: store.partial)


async def _first_of(stop: asyncio.Event, parts: Sequence[asyncio.Task[None]]) -> None:
    """Wait for `stop`. Raises what ended a part, should one end before."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([*parts, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for part in parts:
        if part.done():
            error = _cause(part.exception() or RuntimeError(f"{part.get_name()} ended by itself"))
            log.error("part_failed", part=part.get_name(), error=str(error))
            raise error


def _cause(error: BaseException) -> BaseException:
    """What a task group wrapped, when that is one error."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _described(client: Applicant) -> dict[str, Any]:
    """A stream and its client, for a log line."""
    return {
        "stream": client.stream,
        "peer": client.peer,
        "node": claimed_id(client.node),
        "client": str(client_of(client.node)),
    }


def _credential(client: Opened | WaitingCall) -> Credential:
    return Credential(client.token, client.certificate, client.local, network(client.peer))


def _log_nacks(nacks: list[Nack]) -> None:
    for nack in nacks:
        log.warning(
            "nack",
            node=nack.node_id,
            peer=nack.peer,
            type=nack.type_url.rpartition(".")[2],
            resources=nack.resources,
            refused=nack.refused,
            version=nack.version,
            message=nack.message,
            suppressed=nack.suppressed,
        )


def _log_handshakes(failed: list[HandshakeFailed]) -> None:
    for failure in failed:
        log.warning(
            "handshake_failed",
            peer=failure.peer,
            reason=failure.reason,
            message=failure.message,
            untold=failure.untold,
        )


def _log_limits(limits: list[Limited]) -> None:
    for limit in limits:
        effect = "delayed" if limit.delayed else "refused"
        log.warning("limit_reached", limit=limit.limit, effect=effect, count=limit.count, peer=limit.peer)


def _log_panics(panics: list[Panicked]) -> None:
    for panic in panics:
        log.error("engine_fault", message=panic.message, location=panic.location, peer=panic.peer)
