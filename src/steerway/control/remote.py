"""Construction of the remote clusters from settings, and the wait for them at start."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial

import structlog

from steerway.catalog.federation import Member
from steerway.catalog.locality.client_zone import KnownZones
from steerway.config import ClusterSettings, Settings
from steerway.control.remote_cluster import Changed, RemoteCluster
from steerway.control.source import remote_source
from steerway.control.wiring import make_catalog, make_debouncer
from steerway.sources.committed import Committed
from steerway.sources.store import ObjectStore

log = structlog.get_logger()


def remote_members(settings: Settings) -> list[Member]:
    """A member of the federation per remote cluster, each with its own catalog."""
    return [
        Member(cluster.name, make_catalog(settings, remote=True), cluster.region, cluster.priority)
        for cluster in settings.clusters
    ]


def remote_clusters(
    settings: Settings, members: Iterable[Member], zones: KnownZones, changed: Changed
) -> list[RemoteCluster]:
    """The remote clusters of the settings, each with its member (`remote_members`), its own store and debouncer."""
    return [
        _remote_cluster(settings, cluster, member, zones, changed)
        for cluster, member in zip(settings.clusters, members, strict=True)
    ]


async def wait_known(remotes: Sequence[RemoteCluster], timeout_seconds: float) -> None:
    """Wait for remote clusters. One that cannot be reached must not delay the others without end."""
    waiting = [asyncio.create_task(remote.known.wait()) for remote in remotes]
    if waiting:
        await asyncio.wait(waiting, timeout=timeout_seconds)
    for remote, task in zip(remotes, waiting, strict=True):
        if not task.done():
            task.cancel()
            log.warning("cluster_not_known", cluster=remote.cluster, waited=timeout_seconds)


def _remote_cluster(
    settings: Settings, cluster: ClusterSettings, member: Member, zones: KnownZones, changed: Changed
) -> RemoteCluster:
    store = ObjectStore()
    store.listen(partial(zones.update, member.name, store.get))
    committed = Committed(store.get)
    return RemoteCluster(
        member,
        remote_source(settings, cluster, store),
        store,
        committed,
        make_debouncer(settings, member.catalog, store, committed),
        settings.remote_stale_seconds,
        changed,
    )
