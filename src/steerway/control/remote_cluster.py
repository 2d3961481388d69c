"""A remote cluster: its API server, its own store and catalog, and whether its endpoints are in use.

It is not in use before all of its lists are complete, so that no service lacks endpoints of a list that is still to
come. While its API server is unreachable its last endpoints stay in use for a time; then they are removed, and clients
move by the cluster policy. They are in use again when the API server is back.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Mapping

import structlog

from steerway import telemetry
from steerway.catalog.federation import Member
from steerway.catalog.model.mesh import ServiceId
from steerway.errors import SourceError
from steerway.origin import Origin
from steerway.runtime import garbage
from steerway.runtime.isolation import isolated
from steerway.runtime.steps import run_sliced
from steerway.sources.committed import Committed
from steerway.sources.debounce import Debouncer
from steerway.sources.kubernetes import InformerStatus, KubernetesSource
from steerway.sources.store import ObjectStore, Problem
from steerway.sources.window import Due

log = structlog.get_logger()

_LOOK_SECONDS = 1.0
"""Period of the check for an unreachable API server."""


Changed = Callable[[frozenset[ServiceId], Mapping[Hashable, Origin]], None]
"""Called with changed services, and the origins of the change."""


class RemoteCluster:
    """Updates `member` from one remote cluster, and calls `changed` with changed services.

    `cluster` is its name, `name` that of the task. Its endpoints are removed after `lost_seconds` without its API
    server.
    """

    def __init__(
        self,
        member: Member,
        source: KubernetesSource,
        store: ObjectStore,
        committed: Committed,
        debouncer: Debouncer,
        lost_seconds: float,
        changed: Changed,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = member.name
        self.name = f"cluster {member.name}"
        self.known = asyncio.Event()
        """Set when all of its lists were complete for the first time."""
        self._member = member
        self._source = source
        self._store = store
        self._committed = committed
        self._debouncer = debouncer
        self._lost_seconds = lost_seconds
        self._changed = changed
        self._clock = clock
        store.register(source.name)
        telemetry.CLUSTER_IN_USE.labels(member.name).set(0)

    def status(self) -> list[InformerStatus]:
        """Each informer, for operators."""
        return self._source.status()

    async def run(self) -> None:
        """Follow until cancelled. SourceError when its kubeconfig cannot be used."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(self._follow())

    async def _watch(self) -> None:
        try:
            await self._source.run()
        except SourceError as error:
            raise SourceError(f"{self.name}: {error}") from None

    def problems(self) -> list[Problem]:
        """The problems of its source, and of itself while it is not in use."""
        problems = [
            Problem(f"{self.name}: {problem.where}", problem.reason, problem.hint)
            for problem in self._store.problems()
        ]
        if not self._store.synced:
            hint = "its endpoints are used after the first complete list of its API server"
            problems.append(Problem(self.name, "is not known yet", hint))
        elif not self._member.in_use:
            problems.append(
                Problem(self.name, "is lost, and its endpoints are not used", "bring its API server back")
            )
        return problems

    async def _follow(self) -> None:
        await self._store.until_synced()
        # Listen before reading: no change is missed, and none is applied twice.
        self._store.listen(self._debouncer.add)
        catalog = self._member.catalog
        keys = [obj.key for obj in self._store.objects()]
        with garbage.load(len(keys)):
            changed = await run_sliced(catalog.steps(self._committed.get, keys))
        self._use(True)
        self._changed(changed, {})
        self.known.set()
        while True:
            due = await self._next()
            with isolated("batch", cluster=self.cluster):
                changed = await run_sliced(catalog.steps(self._committed.get, due.keys))
                if self._is_lost() == self._member.in_use:
                    self._use(not self._member.in_use)
                    changed |= catalog.built
                if changed:
                    self._changed(changed, due.origins)

    async def _next(self) -> Due:
        """The next batch; an empty one after `_LOOK_SECONDS`."""
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                return await self._debouncer.next()
        except TimeoutError:
            return Due(frozenset(), {})

    def _is_lost(self) -> bool:
        since = self._source.lost_since
        return since is not None and self._clock() - since > self._lost_seconds

    def _use(self, use: bool) -> None:
        self._member.in_use = use
        telemetry.CLUSTER_IN_USE.labels(self._member.name).set(int(use))
        services = len(self._member.catalog)
        if use:
            log.info("cluster_in_use", cluster=self._member.name, services=services)
        else:
            log.warning("cluster_not_in_use", cluster=self._member.name, after_seconds=self._lost_seconds)
