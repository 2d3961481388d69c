"""A remote cluster: its API server, its own store and catalog, and whether what it gave may be used.

It is not used before all of it is known, so that no service is seen without a part of its endpoints because a list was
still on its way. While its API server is lost its last endpoints are used for a time; then they are given up, and
clients go where the policy says. When it is back they are used again.
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
"""How often the API server's absence is looked at when nothing changes."""


Changed = Callable[[frozenset[ServiceId], Mapping[Hashable, Origin]], None]
"""Hears of services that are others now, and of when what changed them was heard of."""


class RemoteCluster:
    """Runs one remote cluster into its `member`; `changed` hears of services that are others now.

    `cluster` is its name, `name` that of the running part.
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
        """Set once all of it was known for the first time."""
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
        """What its source tells of, and that it is lost or not known yet."""
        problems = [
            Problem(f"{self.name}: {problem.where}", problem.reason, problem.hint)
            for problem in self._store.problems()
        ]
        if not self._store.synced:
            hint = "its endpoints are not used until its API server has told all of them"
            problems.append(Problem(self.name, "is not known yet", hint))
        elif not self._member.in_use:
            problems.append(
                Problem(self.name, "is lost, and its endpoints were given up", "bring its API server back")
            )
        return problems

    async def _follow(self) -> None:
        await self._store.until_synced()
        # What changes from here on waits in the debouncer: no change is missed, and none is looked at twice.
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
        """What changed, or nothing after a while."""
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
            log.warning("cluster_given_up", cluster=self._member.name, after_seconds=self._lost_seconds)
