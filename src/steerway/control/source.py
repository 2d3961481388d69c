"""Construction of sources from settings."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from steerway.config import ClusterSettings, Settings
from steerway.errors import SettingsError, SourceError
from steerway.sources.files import FileSource, FileState
from steerway.sources.kubernetes import KubernetesOptions, KubernetesSource
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.namespace import DEFAULT, detect_namespace
from steerway.sources.store import ObjectStore


class Source(Protocol):
    """A source of objects: writes to the object store under its name until it is cancelled."""

    name: str

    async def run(self) -> None: ...


def local_sources(settings: Settings, store: ObjectStore) -> list[Source]:
    """The sources of the local cluster, registered with `store`.

    Files precede the API server, so that an object of a file replaces one of the same name.
    """
    sources: list[Source] = []
    if settings.files:
        sources.append(_file_source(settings, store))
    if settings.kubernetes.enabled:
        sources.append(KubernetesSource(local_options(settings), store))
    for source in sources:
        store.register(source.name)
    return sources


def remote_source(settings: Settings, cluster: ClusterSettings, store: ObjectStore) -> KubernetesSource:
    """The API server of a remote cluster; `RemoteCluster` registers it."""
    options = replace(
        _kubernetes_options(settings),
        kubeconfig=cluster.kubeconfig or settings.kubernetes.kubeconfig,
        context=cluster.context,
        cluster=cluster.name,
    )
    return KubernetesSource(options, store)


def local_options(settings: Settings) -> KubernetesOptions:
    """What is followed of the API server of the local cluster."""
    kubernetes = settings.kubernetes
    return replace(
        _kubernetes_options(settings),
        pods_and_nodes=kubernetes.client_locality != "off",
        pods_authenticate=settings.authentication.pod_address != "off",
        policies=kubernetes.policies,
    )


def _kubernetes_options(settings: Settings) -> KubernetesOptions:
    """Options for Services and EndpointSlices of the API server in the settings."""
    kubernetes = settings.kubernetes
    return KubernetesOptions(
        kubernetes.kubeconfig,
        kubernetes.context,
        _namespaces(settings),
        _reads_namespaces(settings),
        silence_seconds=kubernetes.watch_idle_timeout_seconds,
        stale_seconds=kubernetes.stale_seconds,
    )


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
    return FileSource(settings.files, store, default_namespace(settings), wait, state)


def _namespaces(settings: Settings) -> tuple[str, ...] | None:
    """None: all."""
    namespaces = settings.kubernetes.namespaces
    return None if namespaces == ("all",) else namespaces


def _reads_namespaces(settings: Settings) -> bool:
    """Whether labels or annotations of Namespaces are in use, so that they must be readable."""
    return settings.authentication.enabled or bool(settings.namespace_selector)


def default_namespace(settings: Settings, environ: Mapping[str, str] = os.environ) -> str:
    """The setting, else the one namespace of the API server that is watched, else `default`.

    A control plane that watches one namespace serves no other, so a short name cannot mean anything else.
    """
    if settings.default_namespace is not None:
        return settings.default_namespace
    kubernetes = settings.kubernetes
    match tuple(dict.fromkeys(kubernetes.namespaces)):
        case (namespace,) if kubernetes.enabled and namespace != "all":
            return namespace
        case () if kubernetes.enabled:
            try:
                access = Access.find(kubernetes.kubeconfig, kubernetes.context, environ)
            except SourceError:  # the source of the objects raises it, too, and ends the process
                return DEFAULT
            return detect_namespace(environ, access.kubeconfigs, access.context)
    return DEFAULT
