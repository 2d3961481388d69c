"""The Kubernetes source: one informer for each kind and namespace, and one moment at which all of it is
known."""

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import structlog

from steerway.sources.kubernetes.access import Access, RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.informer import Informer, InformerStatus
from steerway.sources.kubernetes.namespace import detect_namespace
from steerway.sources.kubernetes.outage import Outages, listed
from steerway.sources.kubernetes.resource import (
    AUTHENTICATING_PODS,
    BACKEND_TLS_POLICIES,
    ENDPOINT_SLICES,
    GRPC_ROUTES,
    HTTP_ROUTES,
    NAMESPACES,
    NODES,
    OUR_KINDS,
    PODS,
    REFERENCE_GRANTS,
    SERVICES,
    Resource,
)
from steerway.sources.kubernetes.watcher import Watcher
from steerway.sources.store import Batch, ObjectStore, Problem

log = structlog.get_logger()

_LOOK_SECONDS = 5.0
"""How often staleness is looked for."""
_STALE = "kubernetes API server: stale"


@dataclass(frozen=True, slots=True)
class KubernetesOptions:
    """Which API server, and what of it.

    `kubeconfig` None: the pod's service account, else the usual kubeconfig. `namespaces` None: all; empty: the
    own one (see `namespace.py`). `namespace_words`: whether annotations and labels of Namespaces matter.
    `pods_and_nodes`: whether they are followed, for the localities of clients; a server that does not show them
    delays nothing. `pods_authenticate`: whether Pods are followed, because their addresses authenticate clients.
    Namespaces and Nodes belong to the cluster, and are followed only where all namespaces are.
    `cluster`: the name of a remote cluster, for metrics and logs; "" for the local one. `policies`: whether
    TrafficPolicies and what the Gateway API attaches to Services are followed, as far as the API server knows
    these kinds. `silence_seconds`: shortest silence after which a watch is closed and its kind listed again.
    `stale_seconds`: silence about a kind that is a problem."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespaces: tuple[str, ...] | None = None
    namespace_words: bool = False
    pods_and_nodes: bool = False
    cluster: str = ""
    policies: bool = False
    pods_authenticate: bool = False
    _: KW_ONLY
    silence_seconds: float
    stale_seconds: float


def followed_resources(options: KubernetesOptions, *, everywhere: bool) -> tuple[Resource, ...]:
    """What is listed and watched in each namespace, or `everywhere`: in all of them."""
    resources = [SERVICES, ENDPOINT_SLICES]
    if options.namespace_words and everywhere:
        resources.append(NAMESPACES)
    if options.pods_and_nodes or options.pods_authenticate:
        resources.append(AUTHENTICATING_PODS if options.pods_authenticate else PODS)
    if options.pods_and_nodes and everywhere:
        resources.append(NODES)
    if options.policies:
        resources += [GRPC_ROUTES, HTTP_ROUTES, REFERENCE_GRANTS, BACKEND_TLS_POLICIES, *OUR_KINDS]
    return tuple(resources)


class KubernetesSource:
    """Follows Services and EndpointSlices, and what else the options name. Synced when every informer has listed (one
    that can be done without: or was refused); never publishes part of a list."""

    def __init__(
        self, options: KubernetesOptions, store: ObjectStore, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = f"kubernetes {options.cluster}" if options.cluster else "kubernetes"
        self._options = options
        self._store = store
        self._informers: list[Informer] = []
        self._followed: frozenset[str] | None = None
        self._clock = clock
        self._stale: frozenset[str] = frozenset()
        self._log = log.bind(cluster=options.cluster) if options.cluster else log

    @property
    def followed(self) -> frozenset[str] | None:
        """The namespaces that are followed; None: all, or not known yet."""
        return self._followed

    @property
    def lost_since(self) -> float | None:
        """Start of the API server's silence about some kind (seconds of `time.monotonic`); None: no kind is stale."""
        since = (informer.failing_since for informer in self._informers if informer.failing_since is not None)
        return min(since, default=None)

    def outage_seconds(self, kind: str, namespace: str = "") -> float | None:
        """How long ago the API server last answered about a kind that it does not answer about now; infinite if that
        kind was never listed; None: it answers. `namespace`: only about this one; "": about any, the longest time."""
        outages = [
            informer.outage_seconds
            for informer in self._informers
            if informer.kind == kind and (not namespace or informer.namespace in (None, namespace))
        ]
        failing = [seconds for seconds in outages if seconds is not None]
        return max(failing, default=None) if outages else math.inf

    def status(self) -> list[InformerStatus]:
        """Each informer, for operators."""
        return [informer.status() for informer in self._informers]

    async def run(self) -> None:
        """Follow until cancelled, through any outage.

        Raises SourceError when there is no kubeconfig or it cannot be understood; everything else is tried
        again.
        """
        access = Access.find(self._options.kubeconfig, self._options.context)
        client = KubernetesClient(access)
        try:
            with contextlib.suppress(RequestError):  # the informers try again, and report it
                await client.prepare()
            namespaces = self._namespaces(access)
            self._followed = None if None in namespaces else frozenset(filter(None, namespaces))
            informers = self._informers = self._make_informers(client, namespaces)
            self._log.info(
                "kubernetes_source_started",
                access=str(access),
                server=client.server,
                informers=len(informers),
            )
            async with asyncio.TaskGroup() as tasks:
                for informer in informers:
                    tasks.create_task(informer.run())
                tasks.create_task(self._look_for_staleness())
                await asyncio.gather(*(informer.settled.wait() for informer in informers))
                self._store.mark_synced(self.name)
        finally:
            await client.close()

    def report_staleness(self) -> None:
        """Keep one problem about all kinds without an answer for longer than `stale_seconds`."""
        stale = frozenset(informer.subject for informer in self._informers if informer.stale)
        if stale == self._stale:
            return
        came, self._stale = stale - self._stale, stale
        reason = f"nothing was heard for more than {self._options.stale_seconds:g} s about {listed(stale)}"
        advice = "clients keep what they have; check that the API server answers (/livez)"
        problem = Problem("kubernetes API server", reason, advice)
        self._apply(Batch(problems={_STALE: (problem,) if stale else ()}))
        if came:
            self._log.warning("informers_stale", reason=reason, hint=advice)

    def _make_informers(self, client: KubernetesClient, namespaces: Iterable[str | None]) -> list[Informer]:
        outages = Outages(self._apply, lambda: client.server, self._log, self._clock)
        return [
            Informer(
                resource,
                namespace,
                client,
                self._apply,
                outages,
                Watcher(self._options.silence_seconds),
                self._options.cluster,
                self._options.stale_seconds,
                self._clock,
            )
            for namespace in namespaces
            for resource in followed_resources(self._options, everywhere=namespace is None)
        ]

    async def _look_for_staleness(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.report_staleness()

    def _namespaces(self, access: Access) -> tuple[str | None, ...]:
        if self._options.namespaces is None:
            return (None,)
        own = (detect_namespace(os.environ, access.kubeconfigs, access.context),)
        return tuple(dict.fromkeys(self._options.namespaces)) or own

    def _apply(self, batch: Batch) -> None:
        self._store.apply(self.name, batch)
