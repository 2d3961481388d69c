"""Settings of the xDS server itself. What clients may use of it: `limit.py`."""

import socket
from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from steerway.config.unit import HOST, PORT, PositiveSeconds, Seconds, whole


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Addresses, threads, keepalive and shutdown of the xDS server."""

    listen: Annotated[
        tuple[Annotated[str, Meta(pattern=rf"^({HOST}:{PORT}|unix:/[^\0]{{1,106}})\Z")], ...],
        Meta(
            min_length=1,
            title="Address of the xDS server (repeatable)",
            description="a list of HOST:PORT (an IPv6 host in brackets; PORT up to 65535, 0 lets the system choose) and"
            " unix:/PATH (absolute, up to 107 bytes)",
            extra={"metavar": "HOST:PORT|unix:/PATH"},
        ),
    ] = ("0.0.0.0:18000",)
    """Addresses of the xDS server: `HOST:PORT` for TCP, `unix:/PATH` for a [Unix socket](#unix-sockets). With port 0
    the system chooses the port; the chosen one is printed. The default binds all interfaces, because most clients run
    in other pods; 18000 is the usual port of xDS servers."""

    plaintext_listen: Annotated[
        tuple[Annotated[str, Meta(pattern=rf"^{HOST}:{PORT}\Z")], ...],
        Meta(
            title="Further address of the xDS server, without TLS (repeatable)",
            description="a list of HOST:PORT (an IPv6 host in brackets; port 0 lets the system choose)",
            extra={"metavar": "HOST:PORT", "unset": "none"},
        ),
    ] = ()
    """Further addresses of the xDS server, without TLS also where `tls.certificate` is set: for clients that do not
    support TLS to the control plane, such as [grpc-js](security.md#credentials-by-client-library), beside clients that
    do. Without `tls.certificate`, `listen` has no TLS either."""

    identifier: Annotated[
        str,
        Meta(
            title="Name of this replica, sent to clients",
            min_length=1,
            max_length=255,
            description="1 to 255 characters",
            extra={"metavar": "NAME", "unset": "host name"},
        ),
    ] = field(default_factory=socket.gethostname)
    """Name of this replica, sent to clients as `control_plane.identifier`. The default is the host name, which in
    Kubernetes is the pod name."""

    threads: Annotated[int, whole(0, 1024), Meta(title="Threads of the engine (0: one per core)")] = 0
    """Number of threads of the native engine. 0: one per core, because connections are distributed evenly over the
    threads."""

    keepalive_interval_seconds: Annotated[
        PositiveSeconds, Meta(title="Idle time before an HTTP/2 PING is sent")
    ] = 30.0
    """Seconds without a frame from the client before an HTTP/2 PING is sent. Load balancers and NAT drop idle
    connections after a minute or more, and an xDS stream can be idle for days."""

    keepalive_timeout_seconds: Annotated[PositiveSeconds, Meta(title="Timeout of an HTTP/2 PING")] = 20.0
    """Seconds to wait for the answer to an HTTP/2 PING before the connection is closed. 20 is the default of gRPC."""

    make_before_break_timeout_seconds: Annotated[
        Seconds, Meta(title="Longest delay of an update for make-before-break order")
    ] = 5.0
    """Longest time in seconds that an update of one client is delayed to keep the make-before-break order: a route
    waits until the client has acknowledged the clusters that it names, and the removal of a cluster waits until the
    client has acknowledged its replacement. Clients acknowledge within a round trip; 5 s allow for a busy client and
    bound the delay by one that never answers. 0: no order, all updates are sent at once."""

    unsubscribe_grace_seconds: Annotated[
        Seconds, Meta(title="Time that a resource without subscribers is kept current")
    ] = 30.0
    """Seconds that a resource is kept up to date after its last subscriber has unsubscribed or disconnected, so that a
    client that reconnects, or an idle channel that wakes up, is answered at once."""

    drain_seconds: Annotated[Seconds, Meta(title="Time to close streams after SIGTERM")] = 10.0
    """Seconds over which streams are closed after SIGTERM, so that clients reconnect to other replicas gradually. A
    second SIGTERM ends the process at once. Keep it below `terminationGracePeriodSeconds` (30 s in Kubernetes by
    default). 0: close all streams at once."""
