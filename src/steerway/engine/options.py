"""The options of the native engine. Their defaults are those of the settings; this module has none."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Self

from steerway.engine.reflection import descriptors

if TYPE_CHECKING:
    from steerway.config import Settings

_NOT_SETTINGS = frozenset({"tls", "node_metadata", "descriptors"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What an engine is made with. Counts are at least 1 unless 0 has a meaning; times are at most a year.

    Reaching a limit refuses the client, but `max_connections_per_second`, `max_requests_per_second` and `max_cpu…`
    delay it. `max_subscription_bytes…` and `max_cpu…` are per stream, per connection, per peer (an identity from
    `Engine.identify`, otherwise an address) and for all. The shared ones do not count the first 16 KiB of a stream.
    """

    listen: str | Sequence[str]
    """One address or several: HOST:PORT (port 0: a free one) or unix:/PATH (absolute; mode 0660; a socket without a
    process is replaced; removed when the engine stops)."""
    plaintext_listen: Sequence[str]
    """Further HOST:PORT, always without TLS."""
    identifier: str
    """`control_plane.identifier` of every response."""
    threads: int
    """0: one per core; at most 1024."""
    max_connections: int
    """Fewer where the limit of open files is lower."""
    max_connections_per_address: int
    """Per IP address, or user of a Unix socket; 0: no limit."""
    max_connections_per_identity: int
    """Per identity from `Engine.identify`; 0: no limit."""
    max_connections_per_second: int
    """New connections; the burst is that of one second."""
    max_streams: int
    """Discovery and load reporting streams of all connections."""
    max_concurrent_streams: int
    """Streams per connection."""
    max_node_bytes: int
    """What is kept of a Node: id, cluster, locality, user agent, client features and `node_metadata`."""
    max_request_bytes: int
    max_requests_per_second: int
    """Per stream; requests that answer a response are not counted."""
    request_timeout_seconds: float
    """For the handshake (at most 10 s), for opening a stream, and for completing each request; at least 1 ms."""
    max_connection_age_seconds: float
    """Varied by a tenth; 0: no limit."""
    max_connection_age_grace_seconds: float
    """After the age, for streams without a response."""
    max_names_per_stream: int
    """Names that one stream is subscribed to."""
    max_name_bytes: int
    max_subscription_bytes_per_stream: int
    """Each name counts with its length and 512 bytes; 0: no limit."""
    max_subscription_bytes_per_connection: int
    max_subscription_bytes_per_peer: int
    max_subscription_bytes: int
    max_cpu_per_stream: float
    """Cores that requests may keep busy in the long run; 0: no limit."""
    max_cpu_per_connection: float
    max_cpu_per_peer: float
    max_cpu: float
    keepalive_interval_seconds: float
    """Silence after which a connection is pinged; at least 1 ms."""
    keepalive_timeout_seconds: float
    """For the answer to a ping; at least 1 ms."""
    make_before_break_timeout_seconds: float
    """How long a resource waits for others of its stream that must be sent first."""
    unsubscribe_grace_seconds: float
    """Time from the last unsubscription of a name to its `Withdrawn`."""
    tls: bool
    """TCP clients of `listen` must use TLS, and are refused until `Engine.set_tls`. Unix sockets never use it."""
    node_metadata: Sequence[str] = ()
    """Keys of a Node's metadata that are kept."""
    descriptors: bytes = field(default_factory=descriptors, repr=False)
    """A serialised google.protobuf.FileDescriptorSet for gRPC reflection."""

    @classmethod
    def from_settings(cls, settings: "Settings", *, tls: bool, node_metadata: Sequence[str] = ()) -> Self:
        """Every option that is a setting has the setting's name."""
        names = [option.name for option in fields(cls) if option.name not in _NOT_SETTINGS]
        return cls(**{name: getattr(settings, name) for name in names}, tls=tls, node_metadata=node_metadata)
