"""The Kubernetes source: one informer for each kind and namespace, and one moment at which all of it is
known."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import structlog

from steerway.sources.kubernetes.access import Access, RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.informer import Informer, InformerStatus
from steerway.sources.kubernetes.namespace import detect_namespace
from steerway.sources.kubernetes.resource import (
    BACKEND_TLS_POLICIES,
    ENDPOINT_SLICES,
    GRPC_ROUTES,
    HTTP_ROUTES,
    NAMESPACES,
    NODES,
    PODS,
    REFERENCE_GRANTS,
    SERVICES,
    TRAFFIC_POLICIES,
    Resource,
)
from steerway.sources.store import Batch, ObjectStore

log = structlog.get_logger()

_LOOK_SECONDS = 15.0
"""How often silence is looked for."""


@dataclass(frozen=True, slots=True)
class KubernetesOptions:
    """Which API server, and what of it.

    `kubeconfig` None: the pod's service account, else the usual kubeconfig. `namespaces` None: all; empty: the own one
    (see `namespace.py`). `namespace_words`: whether annotations and labels of Namespaces matter. `place`: whether Pods
    and Nodes are followed, to know where clients are; a server that does not show them holds up nothing. Namespaces and
    Nodes belong to the cluster, and are followed only where all namespaces are. `cluster`: the name of a remote
    cluster, for metrics and logs; "" for the local one. `policies`: whether TrafficPolicies and what the Gateway API
    attaches to Services are followed, as far as the API server knows these kinds.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    namespaces: tuple[str, ...] | None = None
    namespace_words: bool = False
    place: bool = False
    cluster: str = ""
    policies: bool = False


class KubernetesSource:
    """Follows Services and EndpointSlices, and what else the options name. Synced when every informer has listed (one
    that can be done without: or was refused); never publishes part of a list."""

    def __init__(self, options: KubernetesOptions, store: ObjectStore) -> None:
        self.name = f"kubernetes {options.cluster}" if options.cluster else "kubernetes"
        self._options = options
        self._store = store
        self._informers: list[Informer] = []
        self._followed: frozenset[str] | None = None

    @property
    def followed(self) -> frozenset[str] | None:
        """The namespaces that are followed; None: all, or not known yet."""
        return self._followed

    @property
    def lost_since(self) -> float | None:
        """Since when the API server has not told of some kind (seconds of `time.monotonic`); None: it tells of all."""
        since = (each.failing_since for each in self._informers if each.failing_since is not None)
        return min(since, default=None)

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
            try:
                await client.prepare()
            except RequestError as error:
                log.warning("credentials_not_ready", reason=str(error))  # the informers say it with a cure
            namespaces = self._namespaces(access)
            self._followed = None if None in namespaces else frozenset(filter(None, namespaces))
            informers = self._informers = [
                Informer(resource, namespace, client, self._apply, cluster=self._options.cluster)
                for namespace in namespaces
                for resource in self._resources(namespace)
            ]
            log.info(
                "kubernetes_source_started",
                access=str(access),
                server=client.server,
                informers=len(informers),
            )
            async with asyncio.TaskGroup() as tasks:
                for informer in informers:
                    tasks.create_task(informer.run())
                tasks.create_task(self._listen_for_silence())
                await asyncio.gather(*(informer.settled.wait() for informer in informers))
                self._store.mark_synced(self.name)
        finally:
            await client.close()

    async def _listen_for_silence(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for informer in self._informers:
                informer.tell_silence()

    def _resources(self, namespace: str | None) -> tuple[Resource, ...]:
        found = [SERVICES, ENDPOINT_SLICES]
        everywhere = namespace is None
        if self._options.namespace_words and everywhere:
            found.append(NAMESPACES)
        if self._options.place:
            found += [PODS, NODES] if everywhere else [PODS]
        if self._options.policies:
            found += [GRPC_ROUTES, HTTP_ROUTES, REFERENCE_GRANTS, BACKEND_TLS_POLICIES, TRAFFIC_POLICIES]
        return tuple(found)

    def _namespaces(self, access: Access) -> tuple[str | None, ...]:
        if self._options.namespaces is None:
            return (None,)
        own = (detect_namespace(os.environ, access.kubeconfigs, access.context),)
        return tuple(dict.fromkeys(self._options.namespaces)) or own

    def _apply(self, batch: Batch) -> None:
        self._store.apply(self.name, batch)
