"""Changes on their way from the catalog through translate into the engine.

All of it runs on the event loop: a batch passes catalog, translate and engine before the next one starts. A large batch
runs in slices.
"""

import asyncio
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence

import structlog

from steerway import telemetry
from steerway.catalog.federation import Federation
from steerway.catalog.model.mesh import ServiceId
from steerway.commit import Commit
from steerway.control.local_cluster import LocalCluster
from steerway.engine.engine import Engine
from steerway.journal.entry import Work
from steerway.journal.journal import Journal
from steerway.origin import Origin
from steerway.runtime import garbage
from steerway.runtime.isolation import isolated
from steerway.runtime.steps import run_sliced
from steerway.sources.objects.core import ObjectKey, XdsResource
from steerway.sources.window import Due
from steerway.translate.translator import Translator

log = structlog.get_logger()

_RELEASE_SECONDS = 1.0
"""How often the ends of hold-downs are checked; a hold-down takes seconds to minutes."""


class Publisher:
    """Publishes changes of the local cluster, and of remote clusters through `refresh`.

    `changing` is locked while the catalog changes, which may take many slices of the event loop, and by readers that
    need it unchanged. Demands do not lock it: until the last slice every service is as before.
    """

    def __init__(
        self,
        cluster: LocalCluster,
        federation: Federation,
        translator: Translator,
        engine: Engine,
        journal: Journal,
        changing: asyncio.Lock,
    ) -> None:
        self._store = cluster.store
        self._committed = cluster.committed
        self._debouncer = cluster.debouncer
        self._catalog = cluster.catalog
        self._federation = federation
        self._translator = translator
        self._engine = engine
        self._journal = journal
        self._changing = changing
        self._started = False

    async def start(self) -> None:
        """Publish everything that is known. Changes from here on wait in the debouncer."""
        # Listen before reading: no change is missed, and none is translated twice.
        self._store.listen(self._debouncer.add)
        objects = list(self._store.objects())
        with garbage.load(len(objects)):
            await self._update_catalog([obj.key for obj in objects])
        await asyncio.sleep(0)
        self.publish(self._translator.start([obj for obj in objects if isinstance(obj, XdsResource)]))
        self._started = True

    async def follow(self) -> None:
        """Publish each batch of the debouncer, until cancelled."""
        while True:
            due = await self._debouncer.next()
            await asyncio.sleep(0)  # other tasks run in between, also while further batches are due
            async with self._changing:
                with isolated("batch"):
                    await self.apply(due)

    async def release(self) -> None:
        """Apply updates of services when their hold-down ends, until cancelled."""
        while True:
            await asyncio.sleep(_RELEASE_SECONDS)
            async with self._changing:
                with isolated("batch"):
                    services = self._catalog.release(self._committed.get)
                    if services or self._catalog.changed_servers:
                        self.refresh(services, {}, self._catalog.changed_servers)

    async def apply(self, due: Due) -> None:
        """Publish one batch. The caller has locked `changing`."""
        began = time.monotonic()
        with telemetry.TRANSLATE_SECONDS.labels("change").time():
            services = await self._update_catalog(due.keys)
            resources = self._raw_resources(due.keys)
            commit = self._translator.refresh(services, resources, due.origins, self._catalog.changed_servers)
        self._publish_change(commit, services, due, began, [name for name, _ in resources])

    def refresh(
        self,
        services: frozenset[ServiceId],
        origins: Mapping[Hashable, Origin],
        servers: frozenset[str] = frozenset(),
    ) -> None:
        """Publish services that changed without a change of local objects, and namespaces of servers whose
        configurations did. Before `start` they are only noted."""
        self._federation.changed(services)
        self._catalog.attachments.note_services(services)
        if self._started:
            began = time.monotonic()
            with telemetry.TRANSLATE_SECONDS.labels("change").time():
                commit = self._translator.refresh(services, origins=origins, servers=servers)
            self._publish_change(commit, services, Due(frozenset(), origins), began)

    def publish(self, commit: Commit, change: int = 0) -> None:
        """Publish a commit; where the engine refuses it, entry by entry, so that one entry stops no other.

        `change`: its id in the journal; 0: it is no change, but answers clients.
        """
        if not commit:
            return
        with isolated("commit") as run:
            self._engine.publish(commit, change)
        if run.failure:
            for part in commit.parts():
                with isolated("commit"):
                    self._engine.publish(part, change)

    async def _update_catalog(self, keys: Iterable[ObjectKey]) -> frozenset[ServiceId]:
        """Apply changed objects. Those without a service are logged as information: few of them are mistakes."""
        services = await run_sliced(self._catalog.steps(self._committed.get, keys))
        self._federation.changed(services)
        for problem in self._catalog.new_problems:
            log.info("not_served", where=problem.where, reason=problem.reason, hint=problem.hint)
        return services

    def _publish_change(
        self,
        commit: Commit,
        services: frozenset[ServiceId],
        due: Due,
        began: float,
        names: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Publish a change, on which work began at `began`; the engine demands again the names that were missing
        without these services or names."""
        if commit or services:
            change, work = self._journal.reserve(), Work(began, time.monotonic())
            self.publish(commit, change)
            self._journal.record(change, due.keys, services, commit, due.origins, work)
        self._engine.changed([str(service) for service in services], names)

    def _raw_resources(self, keys: Iterable[ObjectKey]) -> list[tuple[tuple[str, str], XdsResource | None]]:
        """The raw resources among changed objects, by type and name; None: deleted."""
        resources = []
        for key in keys:
            if key.kind == XdsResource.__name__:
                resource = self._committed.get(key)
                resources.append(
                    ((key.namespace, key.name), resource if isinstance(resource, XdsResource) else None)
                )
        return resources
