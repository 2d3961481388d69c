"""Settings of remote clusters. How they are used: `steerway.control.remote_cluster`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from steerway.config.unit import LABEL, Seconds


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A remote cluster, whose endpoints join those of local Services of the same namespace and name."""

    name: Annotated[str, Meta(pattern=rf"^{LABEL}\Z")]
    """Name in logs, metrics and problems: a DNS label. Required."""
    kubeconfig: Path | None = None
    """Kubeconfig file. Without it, `kubernetes.kubeconfig`."""
    context: Annotated[str, Meta(min_length=1)] | None = None
    """Context of the kubeconfig file. Without it, its `current-context`."""
    region: str = ""
    """Region of its endpoints. Without it, the region is unknown."""
    priority: Annotated[int, Meta(ge=1, le=100)] = 1
    """Order of failover when no local endpoint is available, from 1 to 100: lowest first; equal priorities share the
    load. Default: 1."""


@dataclass(frozen=True, kw_only=True)
class RemoteSettings:
    """Remote clusters, whose endpoints join those of local Services of the same namespace and name."""

    clusters: Annotated[
        tuple[ClusterSettings, ...],
        Meta(
            title="Remote cluster, as YAML (repeatable)",
            description="a list of {name: NAME, kubeconfig: FILE, context: CONTEXT, region: REGION, priority: N}",
            extra={"metavar": "YAML", "unset": "no remote clusters"},
        ),
    ] = ()
    """[Remote clusters](guide.md#several-clusters). In the environment, give the list in YAML; each flag gives one
    cluster. Each cluster has these fields:"""

    cluster_policy: Annotated[
        Literal["local_only", "local_first", "all"], Meta(title="Clusters whose endpoints clients get")
    ] = "local_first"
    """Clusters whose endpoints clients get. `local_only`: this one; `local_first`: remote ones if no local endpoint is
    available, by priority, because calls across clusters cost more; `all`: all alike. A Service without a local object
    is served from remote clusters, except with `local_only`."""

    remote_stale_seconds: Annotated[
        Seconds, Meta(title="Use of the endpoints of a remote cluster without its API server")
    ] = 300.0
    """Seconds that the last endpoints of a remote cluster are used after the connection to its API server was lost.
    The loss of an API server does not mean that pods are down, so the default covers an upgrade of it."""

    remote_sync_timeout_seconds: Annotated[
        Seconds, Meta(title="Longest wait at the start for remote clusters")
    ] = 15.0
    """Seconds that a start waits for the initial lists of remote clusters, so that clients do not get a part of the
    endpoints first. A cluster that is later joins when its lists are complete. 0: do not wait."""
