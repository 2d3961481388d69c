"""The control plane: build the stages, run them, drain. No rules here; their connections are in `control`.

::

    sources ──keys──▶ Debouncer ──batch──▶ Catalog ──change──▶ Translator ──commit──▶ Engine ══▶ clients
                                                          ▲──────────demand─────────────┘

Everything but the engine's threads and the reading of files runs on one event loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import structlog

from steerway import telemetry
from steerway.access.authenticators import Authenticators
from steerway.access.rules import Authorization
from steerway.admin.absence_log import AbsenceLog
from steerway.admin.view import AdminView, Phase
from steerway.catalog.federation import Federation
from steerway.catalog.locality.client_zone import KnownZones
from steerway.config import Settings
from steerway.control.admission import StreamAdmission
from steerway.control.classifier import Classifier
from steerway.control.demand import Demands
from steerway.control.engine_events import EngineEvents
from steerway.control.injection import Injection
from steerway.control.local_cluster import LocalCluster
from steerway.control.part import wait_first
from steerway.control.publisher import Publisher
from steerway.control.remote import remote_clusters, remote_members, wait_known
from steerway.control.server import admin_server, call_service, rest_servers
from steerway.control.status import LocalReport, evaluate, make_resolver, report_start, reporters
from steerway.control.view.admin_view import Stage, admin_view, problems_of
from steerway.control.wiring import make_engine, make_journal, make_translator
from steerway.engine.memory import Trimmer, trim_function
from steerway.log import setup
from steerway.runtime.signals import Signals
from steerway.status.evaluation import StatusEvaluator

log = structlog.get_logger()


class _Part(Protocol):
    """Runs until it is cancelled."""

    name: str

    async def run(self) -> None: ...


def run(settings: Settings, announce: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT drains, or a second one ends at once; returns the exit code.

    `announce` gets one line per bound address. Raises SettingsError, SourceError, ListenError or EngineError when
    something cannot start at all.
    """
    return asyncio.run(ControlPlane(settings).serve(announce))


class ControlPlane:
    """The stages and their connections."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._phase: Phase = "starting"
        self._changing = asyncio.Lock()
        # Sources and catalog: the local cluster, and the services of all clusters as one.
        self._local = local = LocalCluster(settings)
        zones = KnownZones()
        classifier = Classifier(settings, local, zones)
        members = remote_members(settings)
        self._federation = Federation(local.catalog, members, settings.cluster_policy, local.is_named)
        # Translate and engine.
        authorization = Authorization(settings.authorization.rules)
        self._translator = make_translator(
            settings, self._federation, local.server_configuration, scope_all=authorization.by_rules
        )
        self._engine = make_engine(settings)
        self._journal, self._traces = make_journal(settings, self._engine)
        self._publisher = Publisher(
            self._local, self._federation, self._translator, self._engine, self._journal, self._changing
        )
        self._remotes = remote_clusters(settings, members, zones, self._publisher.refresh)
        # Clients: admission, demands, calls.
        self._authenticators = Authenticators(
            settings, self._engine.set_tls, self._local.pods, self._local.pod_outage_seconds
        )
        self._admission = StreamAdmission(self._authenticators, authorization, classifier, self._engine)
        self._absences = AbsenceLog(self._engine, settings.cluster_domain)
        self._calls = call_service(settings, self._engine, self._admission.authorize_call)
        demands = Demands(self._translator, self._engine, self._publisher.publish, self._absences)
        self._events = EngineEvents(self._engine, self._admission, demands, self._calls, self._journal)
        # Operators: status, Events, the admin server.
        resolver = make_resolver(self._local, self._federation)
        self._evaluator = StatusEvaluator(resolver)
        self._report = LocalReport(self._local, self._evaluator, resolver.covers)
        self._injection = Injection(settings)
        self._reporters = reporters(settings, self._report, self._injection.writers, self._events)
        stages: tuple[Stage, ...] = (
            self._local.store,
            *self._remotes,
            self._federation,
            self._evaluator,
            self._translator,
            self._authenticators,
            self._injection,
        )
        self._problems = partial(problems_of, stages)
        self._view = self._admin_view(classifier)

    async def serve(self, announce: Callable[[str], None]) -> int:
        """Start, run until a signal, drain. Each part runs until then; one that ends earlier ends the process."""
        admin = admin_server(self._settings, self._view, self._authenticators.admin_token)
        servers = [*rest_servers(self._settings, self._engine), *self._injection.servers]
        telemetry.follow_tasks(asyncio.get_running_loop())
        tasks: list[asyncio.Task[None]] = []
        with Signals(self._local.reread) as signals:
            try:
                for number, address in enumerate(self._engine.start()):
                    plaintext = " without TLS" if number >= len(self._settings.listen) else ""
                    announce(f"listening on {address}{plaintext}")
                announce(f"admin on http://{await admin.start()}")
                for label, server in servers:
                    announce(f"{label}{await server.start()}")
                self._authenticators.warn()
                tasks = [asyncio.create_task(part.run(), name=part.name) for part in self._parts()]
                tasks.append(asyncio.create_task(self._steer(), name="steering"))
                tasks.append(asyncio.create_task(setup.summarize(), name="log summaries"))
                await wait_first(signals.first, tasks)
                await self._drain(signals.second)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._admission.close()
                await self._calls.close()
                for _, server in servers:
                    await server.stop()
                await admin.stop()
                self._engine.stop()
        log.info("stopped")
        return 0

    def _admin_view(self, classifier: Classifier) -> AdminView:
        return admin_view(
            settings=self._settings,
            phase=lambda: self._phase,
            problems=self._problems,
            local=self._local,
            remotes=self._remotes,
            federation=self._federation,
            translator=self._translator,
            engine=self._engine,
            classifier=classifier,
            admission=self._admission,
            journal=self._journal,
        )

    def _parts(self) -> Sequence[_Part]:
        return (
            *self._local.sources,
            *self._remotes,
            *self._reporters,
            *self._injection.parts,
            self._authenticators,
            self._absences,
            *self._traces,
            Trimmer(self._engine.kept, trim_function()),
            self._view.inventory,
        )

    async def _steer(self) -> None:
        """Publish nothing before every source has synced; then follow the sources and answer the clients."""
        await self._local.store.until_synced()
        await wait_known(self._remotes, self._settings.remote_sync_timeout_seconds)
        await self._injection.wait()
        await self._publisher.start()
        self._engine.set_serving(True)
        self._phase = "serving"
        report_start(self._journal, self._view.inventory, self._federation, self._local, self._problems())
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._publisher.follow())
            loops.create_task(self._publisher.release())
            loops.create_task(evaluate(self._evaluator, self._changing))
            loops.create_task(self._events.run())

    async def _drain(self, at_once: asyncio.Event) -> None:
        """Let clients move to another replica within the grace time; `at_once` ends it early."""
        self._phase = "draining"
        log.info("draining", seconds=self._settings.drain_seconds)
        drain = asyncio.create_task(asyncio.to_thread(self._engine.drain, self._settings.drain_seconds))
        hurry = asyncio.create_task(at_once.wait())
        await asyncio.wait([drain, hurry], return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        self._engine.stop()
        await drain
