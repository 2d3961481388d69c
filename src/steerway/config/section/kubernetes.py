"""Settings of the Kubernetes API server as a source, and of what is reported to it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from steerway.config.unit import LABEL, NamespaceName, PositiveSeconds, Switch


@dataclass(frozen=True, kw_only=True)
class KubernetesSettings:
    """The Kubernetes API server as a source, and the Events and status that are written to it."""

    enabled: Annotated[Switch, Meta(title="Read Services from an API server")] = False
    """Whether to list and watch Services, EndpointSlices and related objects of an API server. Off by default, because
    files alone are a complete source, and credentials should not be used without being asked for."""

    kubeconfig: Annotated[
        Path | None,
        Meta(
            title="Kubeconfig file",
            description="the path of a kubeconfig file",
            extra={
                "metavar": "FILE",
                "unset": "service account of the pod, else $KUBECONFIG, else ~/.kube/config",
            },
        ),
    ] = None
    """Kubeconfig file. Without it, the usual order of client libraries applies: the service account of the pod, then
    the file in `$KUBECONFIG`, then `~/.kube/config`."""

    context: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            title="Context of the kubeconfig file",
            description="the name of a context",
            extra={"metavar": "CONTEXT", "unset": "current-context"},
        ),
    ] = None
    """Context of the kubeconfig file. Without it, `current-context` of the file is used."""

    namespaces: Annotated[
        tuple[NamespaceName, ...],
        Meta(
            title="Namespace to watch; `all` for all namespaces (repeatable)",
            description="a list of namespaces, or all alone for every namespace",
            extra={"metavar": "NS|all", "unset": "own namespace"},
        ),
    ] = ()
    """Namespaces to watch; `all` alone watches all of them. Empty: the own namespace, because a namespaced Role allows
    just that. It is taken from `POD_NAMESPACE`, else from the service account, else from the kubeconfig context, else
    it is `default`."""

    client_locality: Annotated[
        Literal["bootstrap_first", "pod_first", "off"], Meta(title="Source of the locality of clients")
    ] = "bootstrap_first"
    """Source of the locality of clients (namespace, node, zone, region). `bootstrap_first`: the client's bootstrap;
    what it lacks is taken from the Pod with the client's address, and from the Node of that Pod. `pod_first`: Pod and
    Node take precedence over the bootstrap, which a client can set to anything. `off`: the bootstrap only; Pods and
    Nodes are not watched. The default follows explicit configuration. Needs list and watch on pods and nodes; a kind
    without permission is skipped."""

    policies: Annotated[Switch, Meta(title="Watch TrafficPolicies and routes of the Gateway API")] = True
    """Whether to watch TrafficPolicies, and routes of the Gateway API with Services as parents. Needs list and watch on
    these [kinds](guide.md#kubernetes). A kind that is not installed is checked again once a minute; a kind without
    permission is skipped, so it is on by default."""

    watch_idle_timeout_seconds: Annotated[
        PositiveSeconds, Meta(title="Idle time after which a watch is replaced by a new list")
    ] = 90.0
    """Seconds without an event or a bookmark after which a watch is closed and its kind is listed again; jitter adds up
    to two thirds. API servers send a bookmark every minute, so 90 s miss one: the peer behind a proxy is gone, or
    etcd was restored and the watch waits for a future resource version. Below 60, idle kinds are listed repeatedly."""

    stale_seconds: Annotated[
        PositiveSeconds, Meta(title="Idle time after which a kind is reported as stale")
    ] = 180.0
    """Seconds without a response, event or bookmark of a kind after which it is [reported](admin.md#probes) as stale in
    `/api/v1/problems` and `/readyz`. Clients are served, and the replica stays ready. Keep it above 1.7 times
    `kubernetes.watch_idle_timeout_seconds` (150 s by default), so that it covers only what a new list did not
    resolve."""

    events: Annotated[Switch, Meta(title="Write Events about objects that are not served")] = True
    """Whether the replica that holds the Lease writes Kubernetes Events about objects that cannot be served, and each
    replica those about changes that its clients refused. Needs get, create and update on leases, and create, get and
    patch on events; skipped without these permissions, so it is on by default."""

    status: Annotated[Switch, Meta(title="Write the status of routes and policies")] = True
    """Whether the replica that holds the Lease writes the status of TrafficPolicies and of routes with Services as
    parents. Needs get on these kinds, patch on `KIND/status`, and the permissions for the Lease as `events` does;
    skipped without these permissions, so it is on by default."""

    lease_namespace: Annotated[
        NamespaceName | None,
        Meta(
            title="Namespace of the Lease",
            description="the name of a namespace (a DNS label)",
            extra={"metavar": "NS", "unset": "own namespace"},
        ),
    ] = None
    """Namespace of the Lease. Without it, the own namespace as for `kubernetes.namespaces`."""

    lease_name: Annotated[
        Annotated[str, Meta(pattern=rf"^{LABEL}\Z")] | None,
        Meta(
            title="Name of the Lease",
            description="a DNS label",
            extra={"metavar": "NAME", "unset": "steerway, with a suffix if the scope is limited"},
        ),
    ] = None
    """Name of the Lease that replicas share. Without it, the name is `steerway`; with filters (`upstream_services`,
    `service_selector`, `namespace_selector`) or a list of `kubernetes.namespaces` it is `steerway-` and eight digits
    that depend on these, so that installations with different scopes have different Leases."""
