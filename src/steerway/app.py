"""The main path: build the stages, join them, run, drain. Nothing here decides anything.

::

    sources ──keys──▶ Debouncer ──batch──▶ Catalog ──change──▶ Translator ──commit──▶ Engine ══▶ clients
                                                          ▲──────────demand─────────────┘

All of it but the engine's threads and the reading of files runs on one event loop: a batch goes through
catalog, translate and engine without another one in between.
"""

import asyncio
import itertools
import signal
from collections.abc import Awaitable, Callable, Iterable

import structlog

from steerway import telemetry
from steerway.admin.server import AdminServer
from steerway.admin.view import AdminView, Phase
from steerway.catalog.catalog import Catalog
from steerway.config import Settings
from steerway.engine.engine import Closed, Demand, Engine, Nack, Opened, Withdrawn
from steerway.engine.stats import StatsCollector
from steerway.sources.debounce import Debouncer, Delay
from steerway.sources.files import FileSource
from steerway.sources.kubernetes import KubernetesOptions, KubernetesSource
from steerway.sources.objects import ObjectKey, XdsResource
from steerway.sources.store import ObjectStore, Problem
from steerway.translate.audience import classify
from steerway.translate.render import to_json
from steerway.translate.translator import Translator

log = structlog.get_logger()


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
        self._debouncer = _debouncer(settings)
        self._catalog = Catalog(frozenset(settings.upstream_services))
        self._translator = Translator(self._catalog, settings.cluster_domain)
        self._engine = Engine(
            listen=settings.listen,
            identifier=settings.identifier,
            threads=settings.threads,
            max_concurrent_streams=settings.max_concurrent_streams,
            keepalive_interval_seconds=settings.keepalive_interval_seconds,
            keepalive_timeout_seconds=settings.keepalive_timeout_seconds,
            demand_grace_seconds=settings.demand_grace_seconds,
        )

    async def serve(self, announce: Callable[[str], None]) -> int:
        """Start, run until a signal, drain. Each part runs for ever; one that ends takes the rest with it."""
        signals = _Signals()
        admin = AdminServer(self._settings.admin, self._view())
        try:
            announce(f"listening on {self._engine.start()}")
            announce(f"admin on http://{await admin.start()}")
            parts = [asyncio.create_task(source.run()) for source in self._sources]
            parts.append(asyncio.create_task(self._steer()))
            stop = asyncio.create_task(signals.first.wait())
            done, _ = await asyncio.wait([*parts, stop], return_when=asyncio.FIRST_COMPLETED)
            for part in done - {stop}:
                part.result()
            await self._drain(signals.second)
            for part in [*parts, stop]:
                part.cancel()
            await asyncio.gather(*parts, stop, return_exceptions=True)
        finally:
            await admin.stop()
            self._engine.stop()
        return 0

    async def _steer(self) -> None:
        """Publish nothing before every source has synced; then follow the sources and answer the clients."""
        synced = asyncio.Event()
        self._store.listen(self._debouncer.add)
        self._store.listen(lambda _: synced.set() if self._store.synced else None)
        await synced.wait()
        keys = [found.key for found in self._store.objects()]
        self._catalog.update(self._store.get, keys)
        self._engine.publish(self._translator.start(self._raw(keys)))
        self._engine.set_serving(True)
        self._phase = "serving"
        log.info("serving", objects=len(keys), problems=self._count_problems())
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._follow_sources())
            loops.create_task(self._answer_clients())

    async def _follow_sources(self) -> None:
        while True:
            keys = await self._debouncer.next()
            with telemetry.TRANSLATE_SECONDS.labels("change").time():
                services = self._catalog.update(self._store.get, keys)
                commit = self._translator.refresh(services, self._raw(keys))
            self._engine.publish(commit)
            self._count_problems()

    async def _answer_clients(self) -> None:
        async for events in self._engine.events():
            for kind, group in itertools.groupby(events, type):
                if kind is Opened:
                    self._engine.classify([(opened.stream, self._audience(opened)) for opened in group])
                elif kind is Demand:
                    with telemetry.TRANSLATE_SECONDS.labels("demand").time():
                        commit = self._translator.demand([(d.type_url, d.name, d.audience) for d in group])
                    self._engine.publish(commit)
                elif kind is Withdrawn:
                    self._engine.publish(
                        self._translator.withdraw([(w.type_url, w.name, w.audience) for w in group])
                    )
                elif kind is Nack:
                    for nack in group:
                        _log_nack(nack)
                elif kind is Closed:
                    for closed in group:
                        log.debug("stream_closed", stream=closed.stream)

    async def _drain(self, at_once: asyncio.Event) -> None:
        """Let clients move to another replica within the grace time; `at_once` cuts it short."""
        self._phase = "draining"
        log.info("draining", seconds=self._settings.drain_seconds)
        drain = asyncio.create_task(asyncio.to_thread(self._engine.drain, self._settings.drain_seconds))
        hurry = asyncio.create_task(at_once.wait())
        await asyncio.wait([drain, hurry], return_when=asyncio.FIRST_COMPLETED)
        self._engine.stop()
        hurry.cancel()
        await drain
        log.info("stopped")
