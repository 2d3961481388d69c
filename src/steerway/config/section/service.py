"""Settings of which services are served, under which names, and of how their endpoints are selected."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from steerway.config.unit import LABEL, LabelSelector, NamespaceName, unset, whole


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Which services are served, their names, and the selection of endpoints for a client."""

    upstream_services: Annotated[
        tuple[
            Annotated[
                str, Meta(pattern=rf"^({LABEL}/)?{LABEL}\Z", description="SERVICE or NAMESPACE/SERVICE")
            ],
            ...,
        ],
        Meta(
            title="Serve only this service (repeatable)",
            description="a list of SERVICE or NAMESPACE/SERVICE",
            extra={"metavar": "[NS/]SERVICE", "unset": "all services"},
        ),
    ] = ()
    """Serve only these services: `SERVICE` (in any namespace) or `NAMESPACE/SERVICE`. Clients that request another
    service receive "not found"; it is still used as a backend of a route of a served Service. A name that matches no
    service is listed in `/api/v1/problems`. Raw xDS resources are not filtered. Empty: all services, as in k8s-xds."""

    service_selector: Annotated[
        LabelSelector, Meta(title="Serve only Services with these labels", **unset("all Services"))
    ] = ""
    """Serve only Services whose labels match, in the syntax of `kubectl -l`: `team=shop,tier in (a,b),!internal`.
    Empty: all Services."""

    namespace_selector: Annotated[
        LabelSelector,
        Meta(title="Serve only Services of Namespaces with these labels", **unset("all Namespaces")),
    ] = ""
    """Serve only Services of Namespaces whose labels match. With an API server it needs `kubernetes.namespaces: [all]`.
    Empty: all Namespaces."""

    default_namespace: Annotated[
        NamespaceName | None,
        Meta(
            title="Namespace of clients and manifests without one",
            description="the name of a namespace (a DNS label)",
            extra={"metavar": "NS", "unset": "the only watched namespace, else default"},
        ),
    ] = None
    """Namespace of a short name (`xds:///backend`) for clients whose Node has no `NAMESPACE` metadata, and of manifests
    and mappings without one. Without it: the namespace that `kubernetes.namespaces` watches if that is one (with
    `POD_NAMESPACE=shop` and no list, `shop`), because a short name cannot mean a Service of another; else `default`,
    as in kubectl."""

    cluster_domain: Annotated[
        str,
        Meta(
            pattern=rf"^{LABEL}(\.{LABEL})*\Z",
            title="DNS domain of the cluster",
            description="a domain such as cluster.local, without dots around",
            extra={"metavar": "DOMAIN"},
        ),
    ] = "cluster.local"
    """DNS domain of the cluster, the end of the name `backend.shop.svc.cluster.local`. The default is the domain of
    nearly all clusters."""

    topology: Annotated[
        Literal["off", "zone", "node"], Meta(title="Granularity of the locality of clients")
    ] = "zone"
    """Granularity of the client locality, for Services with `trafficDistribution`, topology hints or
    `internalTrafficPolicy: Local`. `zone`: the zone of the client. `node`: also its Node, which `Local` and
    `PreferSameNode` need, and which costs one assignment for each node with clients of such a Service. `off`: locality
    is not used. The default costs one assignment per zone."""

    subset_buckets: Annotated[
        int, whole(0, 256), Meta(title="Buckets of clients for subsets of endpoints (0: no subsets)")
    ] = 16
    """Number of buckets that clients are divided into for Services whose TrafficPolicy has a `subset`
    ([guide](guides/subsets.md)). All clients of a bucket get the same endpoints. The bucket depends on the id of the
    Node and on the address, so it is the same on all replicas. With 16, a few dozen clients use the endpoints evenly,
    and such a Service has at most 16 assignments per zone. 0: clients are not divided, and `subset` is ignored."""
