"""The local cluster: its sources, the object store, the catalog and the debouncer between them."""

import math
from collections.abc import Sequence
from functools import partial

from steerway.catalog.locality.pod_index import PodIndex
from steerway.catalog.model.mesh import ServiceId
from steerway.catalog.model.security import ServerConfiguration
from steerway.config import Settings
from steerway.control.source import Source, local_sources
from steerway.control.wiring import make_catalog, make_debouncer
from steerway.sources.committed import Committed
from steerway.sources.files import FileSource
from steerway.sources.kubernetes import InformerStatus, KubernetesSource
from steerway.sources.objects.core import ObjectKey
from steerway.sources.store import ObjectStore


class LocalCluster:
    """Stages from the sources to the catalog. From the debouncer on, objects are read from `committed`, as of the last
    batch, and not from `store`, which is ahead of it."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError for a path of `--files` that does not exist."""
        self.store = ObjectStore()
        self.pods = PodIndex()
        """The Pods and Nodes in `store`, ahead of `committed`: their clients do not wait for a batch."""
        self.store.listen(partial(self.pods.update, self.store.get))
        self.sources: Sequence[Source] = local_sources(settings, self.store)
        self._kubernetes = next(
            (source for source in self.sources if isinstance(source, KubernetesSource)), None
        )
        self.catalog = make_catalog(settings, self._followed, pods=self.pods)
        self.committed = Committed(self.store.get)
        self.debouncer = make_debouncer(settings, self.catalog, self.store, self.committed)

    def server_configuration(self, namespace: str, workload: str, port: int) -> ServerConfiguration:
        """See `Catalog.server_configuration`."""
        return self.catalog.server_configuration(self.committed.get, namespace, workload, port)

    @property
    def api_server(self) -> str:
        """The name of the source that is the API server; "" without one."""
        return "" if self._kubernetes is None else self._kubernetes.name

    def status(self) -> Sequence[InformerStatus]:
        """Each informer, for operators."""
        return [] if self._kubernetes is None else self._kubernetes.status()

    def pod_outage_seconds(self, namespace: str) -> float | None:
        """See `KubernetesSource.outage_seconds`. Without an API server no Pod is known."""
        return math.inf if self._kubernetes is None else self._kubernetes.outage_seconds("Pod", namespace)

    def reread(self) -> None:
        """Read all files again."""
        for source in self.sources:
            if isinstance(source, FileSource):
                source.reread()

    def is_named(self, service: ServiceId) -> bool:
        """Whether a route names a service that is outside the scope."""
        return self.catalog.is_named(self.store.get, service)

    def absence(self, key: ObjectKey) -> str:
        """Why an object is not known, as the end of a sentence."""
        followed = self._followed()
        if followed is None or key.namespace in followed:
            return "does not exist"
        return f"is in namespace {key.namespace}, which the setting kubernetes.namespaces does not list"

    def _followed(self) -> frozenset[str] | None:
        return None if self._kubernetes is None else self._kubernetes.followed
