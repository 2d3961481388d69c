"""The tree of settings. Each has its unit, its default, why that default, and what an absent value means.

The annotations are the validation: `Meta.description` is the text of "must be …" in an error, `Meta.title`
the line of the flag in `steerway serve --help`.
`steerway.config.load` applies them; building a `Settings` by hand (in tests) does not.

A file writes `debounce: {quiet_seconds: 0.1}`, the environment `STEERWAY_DEBOUNCE_QUIET_SECONDS=0.1` and a
flag `--debounce-quiet-seconds 0.1`.
"""

import socket
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from steerway.config.cluster import ClusterSettings
from steerway.config.security import AuthenticationSettings, AuthorizationSettings, TlsSettings
from steerway.config.unit import (
    FILE,
    LABEL,
    Budget,
    Cores,
    Count,
    LabelSelector,
    OptionalCount,
    PositiveSeconds,
    Seconds,
    whole,
)

_PORT = r"(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"

_HOST = r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z]([-.0-9A-Za-z]*[0-9A-Za-z])?)"

Address: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^{_HOST}:{_PORT}\Z",
        description="HOST:PORT (an IPv6 host in brackets; port 0 lets the system choose)",
        extra={"metavar": "HOST:PORT"},
    ),
]
HttpConnections: TypeAlias = Annotated[int, whole(8, 65536, "N")]
NamespaceName: TypeAlias = Annotated[
    str, Meta(pattern=rf"^{LABEL}\Z", description="the name of a namespace (a DNS label)")
]


class KubernetesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The Kubernetes API server as a source of Services and EndpointSlices."""

    enabled: Annotated[bool, Meta(title="Follow an API server", description="true or false")] = False
    """Follow an API server. Off by default: files alone are a complete source, and a program should not look
    for credentials unasked. The flag is `--kubernetes`."""

    kubeconfig: Annotated[
        Path | None,
        Meta(
            title="Kubeconfig file",
            description="the path of a kubeconfig file",
            extra={"metavar": "FILE"},
        ),
    ] = None
    """Kubeconfig file. None: the service account of the pod when there is one, else `$KUBECONFIG`, else
    `~/.kube/config`, in the order that client libraries have made usual. The flag is `--kubeconfig`."""

    context: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            title="Context of the kubeconfig file",
            description="the name of a context",
            extra={"metavar": "CONTEXT"},
        ),
    ] = None
    """Context of the kubeconfig file. None: its `current-context`. The flag is `--context`."""

    namespaces: Annotated[
        tuple[NamespaceName, ...],
        Meta(
            title="Namespace to watch (repeatable; all: every one; default: the own one)",
            description="a list of namespaces, or all alone for every namespace",
            extra={"metavar": "NS|all"},
        ),
    ] = ()
    """Namespaces to watch; `("all",)` is every namespace. Empty: the own one, from `POD_NAMESPACE`, the
    service account or the kubeconfig context, because that is what a namespaced Role allows. The flag is
    `--namespace`, repeated."""

    client_place: Annotated[
        Literal["node_first", "pod_first", "off"],
        Meta(
            title="Where clients are",
            description="node_first, pod_first or off",
            extra={"metavar": "node_first|pod_first|off"},
        ),
    ] = "node_first"
    """Where clients are (namespace, node, zone, region). `node_first`: what the client's bootstrap does not say is
    found by its address, from its Pod and the Pod's Node. `pod_first`: what the address tells counts before the
    bootstrap, which anybody can write. `off`: Pods and Nodes are not followed. Needs list and watch on pods and nodes;
    goes without where they are refused. The flag is `--client-locality`."""

    policies: Annotated[
        bool, Meta(title="Follow TrafficPolicies and routes of the Gateway API", description="true or false")
    ] = True
    """Follow TrafficPolicies, and routes of the Gateway API with Services as parents. Needs list and watch on
    grpcroutes, httproutes, referencegrants, backendtlspolicies and trafficpolicies; a kind that the API server does not
    know is looked for once a minute, and one that it refuses is gone without. The flag is `--policies`."""

    watch_silence_seconds: Annotated[
        PositiveSeconds, Meta(title="Silence of a watch after which its kind is listed again")
    ] = 90.0
    """Seconds without an event or a bookmark after which a watch is given up and its kind listed again; jitter adds two
    thirds at most. An API server sends a bookmark every minute, so 90 s miss one: the peer is dead behind a proxy, or
    etcd was restored and the watch waits for a version of the future, which is answered with silence. Below 60, idle
    kinds are listed over and over."""

    stale_seconds: Annotated[
        PositiveSeconds, Meta(title="Silence about a kind that is reported as a problem")
    ] = 180.0
    """Seconds without an answer, an event or a bookmark about a kind after which it is reported as stale, in
    `/api/v1/problems` and `/readyz`. Longer than a watch is silent before it is given up (150 s), so that only what a
    new list did not resolve is reported. Clients are served all the same, and the replica stays ready."""

    events: Annotated[
        bool, Meta(title="Write Events about objects that are not served", description="true or false")
    ] = True
    """Write Kubernetes Events about objects that cannot be served, by the one replica that holds a Lease. Needs get,
    create and update on leases in the Lease's namespace, and create, get and patch on events; goes without where they
    are refused. The flag is `--events`."""

    status: Annotated[
        bool, Meta(title="Write the status of routes and policies", description="true or false")
    ] = True
    """Write the status of TrafficPolicies, and of routes with Services as parents, by the one replica that holds a
    Lease. Needs get on these kinds, patch on their status, and the Lease as `events` does; goes without where they are
    refused. The flag is `--status`."""

    lease_namespace: Annotated[
        NamespaceName | None,
        Meta(
            title="Namespace of the Lease",
            description="the name of a namespace (a DNS label)",
            extra={"metavar": "NS"},
        ),
    ] = None
    """Namespace of the Lease. None: the own one, as for `namespaces`. The flag is `--lease-namespace`."""

    lease_name: Annotated[
        Annotated[str, Meta(pattern=rf"^{LABEL}\Z", description="a DNS label")] | None,
        Meta(title="Name of the Lease", description="a DNS label", extra={"metavar": "NAME"}),
    ] = None
    """Name of the Lease that replicas share. None: `steerway`, with a suffix where filters or `namespaces` limit what
    is served, so that installations of different scopes have one each. The flag is `--lease-name`."""


class DebounceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long changes are gathered before they are translated together.

    Two numbers each: translation starts after `quiet` seconds without a further change, and `max` seconds
    after the first one at the latest. A quiet time of 0 translates each change at once.
    """

    endpoint_quiet_seconds: Annotated[
        Seconds, Meta(title="Quiet time for EndpointSlices and changes of files")
    ] = 0.005
    """Quiet time for EndpointSlices and changes of files, in seconds. Short, because a client that calls a stopped
    pod fails; not 0, because the slices of one rollout step arrive within a few milliseconds."""

    endpoint_max_seconds: Annotated[
        Seconds, Meta(title="Longest wait for EndpointSlices and changes of files")
    ] = 0.05
    """Longest wait for EndpointSlices and changes of files, in seconds: a storm of changes never delays one of them
    by more."""

    quiet_seconds: Annotated[Seconds, Meta(title="Quiet time for every other kind")] = 0.05
    """Quiet time for every other kind of an API server, in seconds. These change by hand or by deployment, in groups of
    objects that mean something together only: linked objects that arrive within this time are committed together."""

    max_seconds: Annotated[Seconds, Meta(title="Longest wait for every other kind")] = 0.5
    """Longest wait for every other kind, in seconds."""


class LoadReportingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Load reports of clients (LRS): how many requests they made to each locality of a cluster, and how they ended."""

    enabled: Annotated[bool, Meta(title="Ask gRPC clients for load reports", description="true or false")] = (
        False
    )
    """Ask gRPC clients that are able to. Off, because each of them then holds a second stream and sends a message every
    interval, and nothing that steers traffic depends on it. Reports that come unasked (an Envoy's, by its own
    bootstrap) are always taken."""

    interval_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=86400,
            title="Time between two load reports of a client",
            description="a number of seconds from 1 to 86400",
            extra={"metavar": "SECONDS"},
        ),
    ] = 10.0
    """Seconds between two reports of a client, at least 1, which is the least that gRPC clients do. 10: as often as a
    scrape of Prometheus looks at the sums."""


class EnvoySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What Envoys are told to do: one listener each, where their part in the mesh is to be reached."""

    listen: Annotated[Address, Meta(title="Address that Envoys listen on as sidecars")] = "127.0.0.1:15001"
    """Address that an Envoy listens on as a sidecar, for the outgoing requests of its pod. Loopback, because whoever
    reaches it may call everything that the sidecar's namespace is told of."""

    gateway_listen: Annotated[Address, Meta(title="Address that Envoys listen on as gateways")] = (
        "0.0.0.0:8080"
    )
    """Address that an Envoy listens on as a gateway (`steerway.io/role: gateway` in its Node's metadata). All
    interfaces, because its clients are elsewhere."""

    system_ca_file: Annotated[
        str,
        Meta(
            min_length=1,
            title="File with the CA certificates of an Envoy's system",
            description="the path of a file in the container of an Envoy",
        ),
    ] = "/etc/ssl/certs/ca-certificates.crt"
    """File with the CA certificates of its system, in the container of an Envoy: for a BackendTLSPolicy with
    `wellKnownCACertificates: System`. Where it is missing Envoy refuses the cluster, and requests fail."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of `steerway serve`."""

    listen: Annotated[
        tuple[
            Annotated[str, Meta(pattern=rf"^({_HOST}:{_PORT}|unix:/[^\0]{{1,106}})\Z")],
            ...,
        ],
        Meta(
            min_length=1,
            title="Address of the xDS server (repeatable)",
            description="a list of HOST:PORT (an IPv6 host in brackets; port 0 lets the system choose) and"
            " unix:/PATH (absolute, up to 107 bytes)",
            extra={"metavar": "HOST:PORT|unix:/PATH"},
        ),
    ] = ("0.0.0.0:18000",)
    """Addresses of the xDS server: `HOST:PORT`, and `unix:/PATH` for clients in the same pod. All interfaces,
    because most clients are in other pods; 18000 is the port that xDS servers commonly use.
    `managementServer.port: N` means `0.0.0.0:N`."""

    admin: Annotated[Address, Meta(title="Address of the admin HTTP server")] = "127.0.0.1:18001"
    """Address of the admin HTTP server. Loopback, because it shows every client and every resource to anyone
    who can reach it; in a pod, `0.0.0.0:18001` lets the kubelet probe it and Prometheus scrape it."""

    rest_listen: Annotated[
        Address | None,
        Meta(
            title="Address of REST-JSON discovery, for Envoys that poll (default: none)",
            description="HOST:PORT (an IPv6 host in brackets; port 0 lets the system choose)",
            extra={"metavar": "HOST:PORT"},
        ),
    ] = None
    """Address of REST-JSON discovery (`POST /v3/discovery:clusters`), for Envoys that poll instead of holding a stream.
    None: there is none, since a stream is better in all respects. Plain HTTP without TLS; it gives out secrets (SDS) to
    who may have them, and asks for tokens where `authentication` does."""

    admin_token_file: Annotated[
        Path | None, Meta(title="File with the bearer token of the admin server", **FILE)
    ] = None
    """File that holds the token which requests to the admin server must carry, probes (`/healthz`, `/readyz`)
    apart; read again when it changes. None: whoever reaches the port may read."""

    admin_hosts: Annotated[
        tuple[
            Annotated[str, Meta(pattern=r"^(\*|(\*\.)?[0-9A-Za-z]([-.0-9A-Za-z]*[0-9A-Za-z])?)\Z")],
            ...,
        ],
        Meta(
            title="Host name under which the admin server is reached (repeatable)",
            description="a list of host names, *.DOMAIN or *",
            extra={"metavar": "NAME"},
        ),
    ] = ()
    """Names that the `Host` of a request to the admin server may have, besides IP addresses, `localhost`, this host's
    name and that of `admin`; others get status 421, so that a page of another site cannot read it (DNS rebinding).
    `*.DOMAIN` is every name below it, `*` every name. Empty: no more, since probes, scrapers and port-forwards use
    addresses."""

    admin_max_connections: Annotated[
        HttpConnections, Meta(title="Connections of the admin server at a time")
    ] = 64
    """Connections of the admin server at a time. One more closes the one that has waited longest for its client (idle,
    or with half a request), so that probes are answered whatever others do; requests that are being answered take
    seven in eight at the most, and one more gets status 503. Fewer when the limit of open files is low: a quarter of
    what xDS connections leave. 64: some replicas of Prometheus, the kubelet and a few people need a dozen."""

    rest_max_connections: Annotated[
        HttpConnections, Meta(title="Connections of REST-JSON discovery at a time")
    ] = 64
    """As `admin_max_connections`, for `rest_listen`. An Envoy that polls needs a connection for some milliseconds every
    few seconds, and opens another one when its idle connection was closed, so 64 serve hundreds of them."""

    http_request_timeout_seconds: Annotated[
        PositiveSeconds,
        Meta(title="Time of a client of an HTTP listener for a request, or to take a response"),
    ] = 10.0
    """Seconds that a client of the admin server or of REST discovery has to send a request, headers and body, from its
    first byte on (or from the connection on), and to take a response, with a second more per 64 KiB of it. Clients
    do either in milliseconds; a kubelet gives up after one second."""

    http_idle_timeout_seconds: Annotated[
        PositiveSeconds, Meta(title="Time after which an idle HTTP connection is closed")
    ] = 60.0
    """Seconds after which a connection of the admin server or of REST discovery without a request is closed, rounded up
    to whole ones. 60: a scraper that comes every 15 or 30 seconds keeps its connection."""

    tls: TlsSettings = TlsSettings()

    authentication: AuthenticationSettings = AuthenticationSettings()

    authorization: AuthorizationSettings = AuthorizationSettings()

    files: Annotated[
        tuple[Path, ...],
        Meta(
            title="Manifests: a directory or a file, watched live (repeatable)",
            description="a list of files and directories",
            extra={"metavar": "DIR"},
        ),
    ] = ()
    """Manifest files and directories, watched live. Relative to the working directory. Empty: no files."""

    files_optional: Annotated[
        bool, Meta(title="Wait for a path of --files that does not exist", description="true or false")
    ] = False
    """Wait for a path of `files` that does not exist at the start, instead of ending with exit code 2: for a volume
    that is mounted late. The wait ends as `strict_start_seconds` says."""

    strict_start_seconds: Annotated[
        Seconds, Meta(title="Wait at the start for files of which nothing can be read")
    ] = 60.0
    """Seconds that a start waits, and is not ready, while a file of `files` cannot be read or nothing in it can be
    parsed. A rollout with a broken mount stops meanwhile, and the old replicas serve. Afterwards all else is served,
    and the file stays a problem, so that it never keeps a mesh down for ever. 0: do not wait."""

    state_dir: Annotated[
        Path | None,
        Meta(
            title="Directory for the last good objects of files",
            description="the path of a directory",
            extra={"metavar": "DIR"},
        ),
    ] = None
    """Directory for the last good objects of `files`, so that what breaks while no process runs is served after a
    restart as it was. One for each replica; created when it is missing; its file has mode 0600. None: a restart serves
    what can be read."""

    state_max_age_seconds: Annotated[
        PositiveSeconds, Meta(title="Age at which objects in the state directory are not used any more")
    ] = 86400.0
    """Seconds since objects were last read from their file, after which a restart does not take them from `state_dir`.
    A day: long enough to repair a file, and endpoints that are older are probably others."""

    kubernetes: KubernetesSettings = KubernetesSettings()

    clusters: Annotated[
        tuple[ClusterSettings, ...],
        Meta(
            title="Remote cluster, as YAML (repeatable)",
            description="a list of {name: NAME, kubeconfig: FILE, context: CONTEXT, region: REGION, priority: N}",
            extra={"metavar": "YAML"},
        ),
    ] = ()
    """Remote clusters, whose endpoints join those of equally named Services here. Empty: none."""

    topology: Annotated[
        Literal["off", "zone", "node"],
        Meta(
            title="How near clients are told apart",
            description="off, zone or node",
            extra={"metavar": "off|zone|node"},
        ),
    ] = "zone"
    """How near clients are told apart, for Services with `trafficDistribution`, topology hints or
    `internalTrafficPolicy: Local`. `zone`: by the zone of their bootstrap or their Node; `node`: by their Node, too,
    which `Local` and `PreferSameNode` need and which costs an assignment for each node that has clients of such a
    Service; `off`: not at all."""

    subset_buckets: Annotated[
        int,
        Meta(
            title="Parts that clients are divided into, for subsets (0: none)",
            ge=0,
            le=256,
            description="a whole number from 0 to 256",
            extra={"metavar": "N"},
        ),
    ] = 16
    """Parts that clients are divided into, so that each part sees other endpoints of a Service whose TrafficPolicy
    has a `subset`. All clients of a part see the same ones. 16: endpoints are used evenly where there are some dozens
    of clients, and an assignment of such a Service exists 16 times at the most, in each zone. The same on all
    replicas. 0: clients are not divided, and a `subset` is not followed."""

    cluster_policy: Annotated[
        Literal["local_only", "local_first", "all"],
        Meta(
            title="Whose endpoints clients get",
            description="local_only, local_first or all",
            extra={"metavar": "local_only|local_first|all"},
        ),
    ] = "local_first"
    """Whose endpoints clients get: `local_only` those of this cluster; `local_first` those of remote ones when none of
    this cluster can be reached, by their priority; `all` those of all clusters alike. A Service that is not here is
    served from the others but with `local_only`."""

    cluster_lost_seconds: Annotated[
        Seconds, Meta(title="Use of the last endpoints of a cluster whose API server is lost")
    ] = 300.0
    """Seconds that the last endpoints of a remote cluster are used after its API server was lost. An API server that is
    away says nothing of the pods, so this is long enough for its upgrade."""

    cluster_start_seconds: Annotated[Seconds, Meta(title="Wait for remote clusters at the start")] = 15.0
    """Seconds that a start waits for the remote clusters, so that clients do not get a part of the endpoints first. One
    that is not known by then joins when it is."""

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
            extra={"metavar": "[NS/]SERVICE"},
        ),
    ] = ()
    """Serve only these: `SERVICE` (in any namespace) or `NAMESPACE/SERVICE`. Empty: all of them, as in the
    system that this key (`upstreamServices`) comes from."""

    service_selector: Annotated[LabelSelector, Meta(title="Serve only services with these labels")] = ""
    """Serve only Services whose labels match. Empty: all of them."""

    namespace_selector: Annotated[
        LabelSelector, Meta(title="Serve only services of namespaces with these labels")
    ] = ""
    """Serve only Services of Namespaces whose labels match; of an API server, Namespaces are read with
    `kubernetes.namespaces: [all]`. Empty: all of them."""

    default_namespace: Annotated[
        NamespaceName,
        Meta(title="Namespace of clients and manifests that name none", extra={"metavar": "NS"}),
    ] = "default"
    """Namespace in which a short name (`xds:///backend`) is looked up when the client's Node has no
    `NAMESPACE` metadata; also that of the short mapping format and of manifests that name none. `default` is
    what kubectl takes."""

    cluster_domain: Annotated[
        str,
        Meta(
            pattern=rf"^{LABEL}(\.{LABEL})*\Z",
            title="DNS domain of the cluster",
            description="a domain such as cluster.local, without dots around",
            extra={"metavar": "DOMAIN"},
        ),
    ] = "cluster.local"
    """DNS domain of the cluster: `backend.shop.svc.cluster.local` is a name of the Service. The default is
    that of nearly every cluster."""

    identifier: Annotated[
        str,
        Meta(
            title="Name of this replica, told to clients (default: host name)",
            min_length=1,
            max_length=255,
            description="1 to 255 characters",
            extra={"metavar": "NAME"},
        ),
    ] = msgspec.field(default_factory=socket.gethostname)
    """Name of this replica, sent to clients as `control_plane.identifier`. The host name by default, which in
    Kubernetes is the pod's name. `nodeId` is another name of this key."""

    max_connections: Annotated[Count, Meta(title="Connections at a time")] = 50_000
    """Connections at a time. For one more the oldest connection is closed that has no stream yet which was let in, of
    the address with most of these; without any the new one is closed, so that its client tries another replica. Fewer
    when the limit of open files (`ulimit -n`) leaves no room for them: 256 files are kept for everything else."""

    max_connections_per_address: Annotated[
        OptionalCount, Meta(title="Connections of one address at a time (0: any number)")
    ] = 10_000
    """Connections of one IP address at a time, or of one user of a Unix socket. One more is closed at once, unless a
    connection of the address has no stream yet that was let in: then the oldest of those is closed for it. 10,000: a
    client needs one or a few, and a proxy or NAT without addresses of its own may stand for a fleet; five times as many
    are needed to fill the server. 0: any number."""

    max_connections_per_identity: Annotated[
        OptionalCount, Meta(title="Connections of one identity at a time (0: any number)")
    ] = 10_000
    """Connections with streams of one identity at a time, where clients are authenticated. A stream on one more ends
    with RESOURCE_EXHAUSTED. All pods of a workload have one identity, so this is its number of pods. 0: any number."""

    max_connections_per_second: Annotated[Count, Meta(title="New connections in a second")] = 5000
    """New connections in a second, and so many at once after a quiet second. More have to wait, in the order in which
    they came: after a restart all clients come at the same time, and those who are connected are to notice nothing.
    5,000 is about what two cores can take without TLS; TLS handshakes cost ten times as much."""

    max_streams: Annotated[Count, Meta(title="Discovery streams at a time")] = 100_000
    """Discovery streams at a time, over all connections. One more is refused. An idle stream takes some 10 kB, so this
    is about 1 GB."""

    max_concurrent_streams: Annotated[Count, Meta(title="HTTP/2 streams per connection")] = 100
    """HTTP/2 streams per connection. An xDS client needs one or a handful; RFC 9113 (6.5.2) advises against fewer than
    100, and a proxy that multiplexes more clients opens another connection. `maxConcurrentStreams` is another name of
    this key."""

    max_node_bytes: Annotated[
        int,
        Meta(
            title="Bytes that are kept of a client's Node",
            ge=256,
            le=1_000_000,
            description="a whole number from 256 to 1000000",
            extra={"metavar": "BYTES"},
        ),
    ] = 4096
    """Bytes that are kept of a client's Node as long as its stream lives: id, cluster, locality, user agent, client
    features, and the metadata keys that are read. A stream with more ends with RESOURCE_EXHAUSTED; what is not kept, as
    Envoy's list of extensions, may have any size. Nodes of gRPC clients have some 200 bytes, those of Envoy 1,000."""

    max_request_bytes: Annotated[Count, Meta(title="Bytes of one request")] = 4_194_304
    """Bytes of one request. 4 MiB is what every gRPC server takes, and room for 40,000 names."""

    max_requests_per_second: Annotated[Count, Meta(title="Requests of a stream in a second")] = 1000
    """Requests that a stream may make in a second, and so many at once after a quiet second, besides those that
    answer a response: changes may come at any rate. Ten names that come or go count as a request. More are not lost
    but read later. A client that subscribes to thousands of names one by one needs seconds for it, and nobody else
    notices."""

    request_timeout_seconds: Annotated[
        PositiveSeconds, Meta(title="Time that a client has to complete a request")
    ] = 30.0
    """Seconds that a client has for its handshake (10 s at most), to open a stream, for the first request of a
    stream, and for the rest of a request that it has begun. Clients do each of these at once."""

    max_connection_age_seconds: Annotated[
        Seconds, Meta(title="Age at which a connection is closed (0: never)")
    ] = 1800.0
    """Seconds after which a connection is closed gracefully, each at its own time within a tenth of it, so that clients
    spread over the replicas that there are now. A client takes milliseconds to come back and keeps its
    configuration meanwhile. 0: never."""

    max_connection_age_grace_seconds: Annotated[
        Seconds, Meta(title="Time that streams of such a connection have to be answered")
    ] = 30.0
    """Seconds that streams of such a connection have to be answered, if they were not yet: gRPC clients take the end of
    a stream without an answer for a failure (gRFC A57)."""

    max_names_per_stream: Annotated[
        int,
        Meta(
            title="Names that one stream may be subscribed to",
            ge=1,
            le=10_000_000,
            description="a whole number from 1 to 10000000",
            extra={"metavar": "N"},
        ),
    ] = 50_000
    """Names that one stream may be subscribed to, over all types; a stream that asks for more ends with
    RESOURCE_EXHAUSTED. A name costs some 150 bytes per stream; 50,000 are more than the services of large clusters."""

    max_name_bytes: Annotated[
        int,
        Meta(
            title="Longest resource name that a client may ask for",
            ge=64,
            le=1_000_000,
            description="a whole number from 64 to 1000000",
            extra={"metavar": "BYTES"},
        ),
    ] = 4096
    """Longest resource name that a client may ask for, in bytes; a stream that asks for a longer one ends with
    RESOURCE_EXHAUSTED. Names of Kubernetes services stay below 300; xdstp names carry parameters."""

    max_subscription_bytes_per_stream: Annotated[Budget, Meta(title="Bytes of subscriptions of a stream")] = (
        50_331_648
    )
    """Bytes that the subscriptions of one stream may count: each name with its length and 512 bytes, about what the
    server keeps for it. A stream that asks for more ends with RESOURCE_EXHAUSTED. 0 is no limit. The default has room
    for `max_names_per_stream` names of 490 bytes."""

    max_subscription_bytes_per_connection: Annotated[
        Budget, Meta(title="Bytes of subscriptions of a connection")
    ] = 67_108_864
    """The same for all streams of one connection, without the first 16 KiB of each stream; 0 is no limit."""

    max_subscription_bytes_per_peer: Annotated[Budget, Meta(title="Bytes of subscriptions of a peer")] = (
        67_108_864
    )
    """The same for all streams of one identity, or of one peer address where clients prove none: 120,000 names. A name
    that exists counts 2,048 bytes more for the peer that demanded it first. Proxies and address translation hide fleets
    behind one address: the first 30 names of each stream do not count. 0 is no limit."""

    max_subscription_bytes: Annotated[Budget, Meta(title="Bytes of all subscriptions")] = 1_073_741_824
    """The same for all clients together; 0 is no limit."""

    max_cpu_per_stream: Annotated[Cores, Meta(title="Cores that the requests of a stream may keep busy")] = (
        0.25
    )
    """Cores that the requests of one stream may keep busy in the long run, and two seconds of CPU time at once. Further
    requests wait; a stream that would have to wait for more than 30 seconds ends with RESOURCE_EXHAUSTED. Updates that
    the server sends do not count. 0 is no limit."""

    max_cpu_per_connection: Annotated[
        Cores, Meta(title="Cores that the requests of a connection may keep busy")
    ] = 0.5
    """The same for all streams of one connection. Streams with up to 30 names and 50 ms of CPU time do not wait for a
    budget that they share. 0 is no limit."""

    max_cpu_per_peer: Annotated[Cores, Meta(title="Cores that the requests of a peer may keep busy")] = 0.5
    """The same for all streams of one identity, or of one peer address where clients prove none; what it takes to
    answer new names counts, too. 0 is no limit."""

    max_cpu: Annotated[Cores, Meta(title="Cores that all requests may keep busy")] = 2.0
    """The same for all clients together; 0 is no limit."""

    threads: Annotated[
        int,
        Meta(
            title="Threads of the engine (0: one per core)",
            ge=0,
            le=1024,
            description="a whole number from 0 to 1024",
            extra={"metavar": "N"},
        ),
    ] = 0
    """Threads of the native engine. 0: one per core, because connections are spread evenly over threads."""

    keepalive_interval_seconds: Annotated[
        PositiveSeconds, Meta(title="Silence before a client is pinged")
    ] = 30.0
    """Seconds without a frame after which a client is pinged. Load balancers and NAT forget quiet connections
    after a minute or more, and an xDS stream may be quiet for days."""

    keepalive_timeout_seconds: Annotated[
        PositiveSeconds, Meta(title="Time that a client has to answer a ping")
    ] = 20.0
    """Seconds that a client has to answer the ping before its connection is closed; gRPC's own default."""

    order_timeout_seconds: Annotated[Seconds, Meta(title="Longest wait of a resource for those it names")] = (
        5.0
    )
    """Seconds that a resource waits at most for others of the same client: a route until the client has the clusters
    that it names, a cluster to be withdrawn until the client has what replaced it. A client answers within a round
    trip; five seconds let a busy one answer and end the wait for one that never does. 0: no order, everything at
    once."""

    demand_grace_seconds: Annotated[Seconds, Meta(title="Upkeep of a resource after its last subscriber")] = (
        30.0
    )
    """Seconds that a resource is kept up to date after its last subscriber went, so that a client which
    reconnects or an idle channel that wakes up gets its answer at once."""

    drain_seconds: Annotated[Seconds, Meta(title="Time that streams have to end after SIGTERM")] = 10.0
    """Seconds that streams have to end after SIGTERM: spread over that time, clients move to other replicas
    without a rush. Well below Kubernetes' 30 s grace period. 0: end them at once."""

    debounce: DebounceSettings = DebounceSettings()

    load_reporting: LoadReportingSettings = LoadReportingSettings()

    envoy: EnvoySettings = EnvoySettings()

    log_format: Annotated[
        Literal["text", "json"],
        Meta(title="Form of log lines", description="text or json", extra={"metavar": "text|json"}),
    ] = "text"
    """`text` for people, `json` (one object per line) for machines."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(
            title="Least severe log lines",
            description="debug, info, warning or error",
            extra={"metavar": "LEVEL"},
        ),
    ] = "info"
    """Least severe log lines that are written. `info` writes a line per client and per commit at most."""
