"""Limits of the xDS server. Those of the HTTP listeners: `http.py`."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from steerway.config.unit import Cores, Count, OptionalBytes, OptionalCount, PositiveSeconds, Seconds, whole


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """Limits of what xDS clients can use: connections, streams, requests, memory and CPU.

    The defaults are far above the needs of normal clients; they bound memory and work for any behaviour of a client.
    [Decision 0007](decisions/0007-limits.md) explains how they were chosen, and lists further, fixed limits. A client
    that exceeds a limit is refused (RESOURCE_EXHAUSTED for a stream, a closed connection) or delayed; other clients are
    not affected. Each case is counted in `steerway_refused_total` or `steerway_delayed_total`, and logged as
    `limit_reached` at most once in 10 seconds.
    """

    max_connections: Annotated[Count, Meta(title="Concurrent connections")] = 50_000
    """Number of concurrent connections. At the limit a new connection replaces the oldest one without an admitted
    stream, of the address with most of these; if there is none, the new connection is closed and its client tries
    another replica. The number is lower when the limit of open files (`ulimit -n`) is lower: 256 files are reserved for
    everything else."""

    max_connections_per_address: Annotated[
        OptionalCount, Meta(title="Concurrent connections of one address (0: unlimited)")
    ] = 10_000
    """Number of concurrent connections of one IP address, or of one user of a Unix socket. At the limit a new
    connection replaces the oldest one of the address without an admitted stream; if there is none, the new connection
    is closed. A client needs one or a few connections, but a proxy or NAT can hide many clients behind one address.
    0: unlimited."""

    max_connections_per_identity: Annotated[
        OptionalCount, Meta(title="Concurrent connections of one identity (0: unlimited)")
    ] = 10_000
    """Number of concurrent connections with streams of one [identity](security.md), where clients are authenticated. A
    stream on a further connection is refused. All pods of a workload have the same identity, so this limits the pods of
    a workload. 0: unlimited."""

    max_connections_per_second: Annotated[Count, Meta(title="New connections per second")] = 5000
    """New connections per second; also the burst after an idle second. Further connections are accepted later, in the
    order of their arrival: after a restart all clients connect at the same time, and connected clients must not be
    affected. Two cores can accept about 5,000 per second without TLS; a TLS handshake costs ten times as much."""

    max_streams: Annotated[Count, Meta(title="Concurrent discovery streams")] = 100_000
    """Number of concurrent discovery streams over all connections. Further streams are refused. An idle stream uses
    about 10 kB, so the default bounds them to about 1 GB."""

    max_concurrent_streams: Annotated[Count, Meta(title="Concurrent HTTP/2 streams per connection")] = 100
    """Number of concurrent HTTP/2 streams of one connection. Further streams are refused. An xDS client needs one or a
    few; RFC 9113 (6.5.2) advises against less than 100, and a proxy that multiplexes more clients opens another
    connection."""

    max_node_bytes: Annotated[
        int, whole(256, 1_000_000, "BYTES"), Meta(title="Size of the retained part of a Node")
    ] = 4096
    """Bytes of a client's Node that are retained for the life of its stream: id, cluster, locality, user agent, client
    features and the [metadata keys](admin.md#clients) that are used. A stream with more is refused. Other parts, such
    as Envoy's list of extensions, are not counted. Nodes of gRPC clients take about 200 bytes, those of Envoy 1,000."""

    max_request_bytes: Annotated[int, whole(1, 2147483647, "BYTES"), Meta(title="Size of one request")] = (
        4_194_304
    )
    """Bytes of one request. A stream with a larger one is closed. 4 MiB is the default of gRPC servers, and enough for
    40,000 names."""

    max_requests_per_second: Annotated[Count, Meta(title="Requests per second of one stream")] = 1000
    """Requests per second of one stream; also the burst after an idle second. Requests that acknowledge a response are
    not counted. Each ten names that are subscribed or unsubscribed count as one request. Further requests are read
    later, not lost."""

    request_timeout_seconds: Annotated[
        PositiveSeconds, Meta(title="Timeout of a handshake, of a first request, of a partial request")
    ] = 30.0
    """Seconds that a client has for its handshake (10 s at most), to open a stream, to send the first request of a
    stream, and to complete a partial request. Normal clients do each at once."""

    max_connection_age_seconds: Annotated[
        Seconds, Meta(title="Age at which a connection is closed (0: unlimited)")
    ] = 1800.0
    """Seconds after which a connection is closed gracefully, with a jitter of 10 %, so that clients distribute over new
    replicas. A client reconnects within milliseconds and keeps its configuration. 0: unlimited."""

    max_connection_age_grace_seconds: Annotated[
        Seconds, Meta(title="Time to answer the streams of a connection of that age")
    ] = 30.0
    """Seconds to send a first response on streams of a connection of that age before they are closed: gRPC clients
    treat the end of a stream without a response as a failure (gRFC A57)."""

    max_names_per_stream: Annotated[
        int, whole(1, 10_000_000), Meta(title="Subscribed names of one stream")
    ] = 50_000
    """Number of names that one stream can subscribe to, over all types. A stream that exceeds it ends with
    RESOURCE_EXHAUSTED. A name costs about 150 bytes per stream; 50,000 exceeds the services of large clusters."""

    max_name_bytes: Annotated[
        int, whole(64, 1_000_000, "BYTES"), Meta(title="Length of a resource name in a request")
    ] = 4096
    """Bytes of a resource name in a request. A stream that exceeds it ends with RESOURCE_EXHAUSTED. Names of Kubernetes
    Services are shorter than 300 bytes; xdstp names carry parameters."""

    max_subscription_bytes_per_stream: Annotated[
        OptionalBytes, Meta(title="Memory of the subscriptions of one stream (0: unlimited)")
    ] = 50_331_648
    """Bytes for the subscriptions of one stream. Each name counts its length and 512 bytes, which is about what the
    server stores for it. A stream that exceeds it ends with RESOURCE_EXHAUSTED. The default allows
    `max_names_per_stream` names of 490 bytes. 0: unlimited."""

    max_subscription_bytes_per_connection: Annotated[
        OptionalBytes, Meta(title="Memory of the subscriptions of one connection (0: unlimited)")
    ] = 67_108_864
    """As `max_subscription_bytes_per_stream`, for all streams of one connection; the first 16 KiB (30 names) of each
    stream are not counted. 0: unlimited."""

    max_subscription_bytes_per_peer: Annotated[
        OptionalBytes, Meta(title="Memory of the subscriptions of one peer (0: unlimited)")
    ] = 67_108_864
    """As `max_subscription_bytes_per_connection`, for all streams of one identity, or of one peer address where clients
    are not authenticated: 120,000 names. A name that exists counts 2,048 bytes more for the peer that requested it
    first. The first 30 names of each stream are not counted, because proxies and NAT hide many clients behind one
    address. 0: unlimited."""

    max_subscription_bytes: Annotated[
        OptionalBytes, Meta(title="Memory of all subscriptions (0: unlimited)")
    ] = 1_073_741_824
    """As `max_subscription_bytes_per_connection`, for all clients together. 0: unlimited."""

    max_cpu_per_stream: Annotated[Cores, Meta(title="CPU of the requests of one stream (0: unlimited)")] = (
        0.25
    )
    """Average number of cores that the requests of one stream can use, with a burst of two seconds of CPU time. Further
    requests wait; a stream that would wait for more than 30 s ends with RESOURCE_EXHAUSTED. Updates that the server
    sends are not counted. 0: unlimited."""

    max_cpu_per_connection: Annotated[
        Cores, Meta(title="CPU of the requests of one connection (0: unlimited)")
    ] = 0.5
    """As `max_cpu_per_stream`, for all streams of one connection. Streams with up to 30 names and 50 ms of CPU time do
    not wait for a shared budget. 0: unlimited."""

    max_cpu_per_peer: Annotated[Cores, Meta(title="CPU of the requests of one peer (0: unlimited)")] = 0.5
    """As `max_cpu_per_connection`, for all streams of one identity, or of one peer address where clients are not
    authenticated. The translation of new names counts too. 0: unlimited."""

    max_cpu: Annotated[Cores, Meta(title="CPU of all requests (0: unlimited)")] = 2.0
    """As `max_cpu_per_connection`, for all clients together. 0: unlimited."""
