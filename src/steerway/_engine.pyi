"""The native engine: holds the xDS streams, the resource store and the demand table. Source: `rust/`.

Everything crosses in batches of flat values, and every call releases the GIL while it works. No Python code runs on
the hot path: the engine answers clients alone and reports through `poll()`.

Audience: a string of parts joined by "/" (`grpc/core/shop`), widest first. A stream sees the entry of the most exact
audience that has one: `grpc/core/shop`, then `grpc/core`, then `grpc`, then "" (all clients).
"""

from collections.abc import Sequence
from typing import Final, final

from steerway import commit
from steerway.engine.decision import Classification, Identification, Rejection
from steerway.engine.event import Event
from steerway.engine.options import EngineOptions
from steerway.peer import Transport

__all__ = [
    "MAX_TEXT",
    "Absence",
    "Absences",
    "Absent",
    "Call",
    "Change",
    "Closed",
    "Demand",
    "DroppedLoad",
    "Edge",
    "Engine",
    "EngineUsage",
    "Entry",
    "Group",
    "HandshakeFailed",
    "LabelEdges",
    "Limited",
    "Loads",
    "LocalityLoad",
    "Nack",
    "Opened",
    "Panicked",
    "Propagation",
    "Resource",
    "Stats",
    "Stream",
    "Subscription",
    "Withdrawn",
    "canonical_name",
    "connections_within",
    "is_collection",
]

MAX_TEXT: Final[int]
"""Bytes to which texts of clients are cut, in UTF-8."""

def canonical_name(name: str) -> str:
    """The spelling of a name in the engine: of an `xdstp://` name the context parameters are sorted and needless
    escapes removed. Other names do not change."""

def is_collection(name: str) -> bool:
    """Whether the name is that of a glob collection: `xdstp://AUTHORITY/TYPE/PATH/*`, with or without parameters."""

def connections_within(files: int) -> int:
    """Connections that fit into a limit of `files` open files."""

@final
class Opened:
    """A stream sent its first request. It waits for `Engine.classify` or `Engine.reject`."""

    @property
    def stream(self) -> int: ...
    @property
    def peer(self) -> str:
        """`ip:port` of the client, or `unix:/path (pid 7, uid 1000)`."""
    @property
    def token(self) -> str:
        """The bearer token of the stream's `authorization` metadata; "" when there is none. A secret."""
    @property
    def certificate(self) -> list[str]:
        """Names of the verified client certificate, "URI:spiffe://…" and "DNS:name"; [] when there is none."""
    @property
    def transport(self) -> Transport:
        """How the client reached the server."""
    @property
    def node(self) -> bytes:
        """The serialised envoy.config.core.v3.Node of the first request."""

@final
class Demand:
    """First subscription to a name ("*": wildcard) in an audience; it waits until the store has an answer. A name that
    was published as missing is demanded anew when its service changes."""

    @property
    def type_url(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def account(self) -> int:
        """Id of the identity or address whose CPU budget is charged, for `Engine.charge`."""

@final
class Withdrawn:
    """The last subscription to a name in an audience ended `unsubscribe_grace_seconds` ago."""

    @property
    def type_url(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def audience(self) -> str: ...

@final
class Nack:
    """A client refused a response. Not polled ones: the newest 32 of each client are kept, 1,024 in all.

    Texts and names are cut to 512 bytes.
    """

    @property
    def stream(self) -> int: ...
    @property
    def peer(self) -> str: ...
    @property
    def node_id(self) -> str: ...
    @property
    def type_url(self) -> str: ...
    @property
    def resources(self) -> list[str]:
        """Names that the refused response added, changed or removed: the first of them, 512 bytes in all."""
    @property
    def refused(self) -> int:
        """The number of these names."""
    @property
    def version(self) -> str: ...
    @property
    def code(self) -> int: ...
    @property
    def message(self) -> str: ...
    @property
    def change(self) -> int:
        """Id of the newest change that the refused response delivered; 0: none."""
    @property
    def suppressed(self) -> int:
        """Dropped NACKs that this one represents: those of its client, in the client's last one; in the last one of all
        also those of clients without any."""

@final
class HandshakeFailed:
    """A handshake failed. Reported at most once in 10 seconds per reason; `Stats` counts all."""

    @property
    def peer(self) -> str: ...
    @property
    def reason(self) -> str:
        """As in `Stats.handshake_failures`."""
    @property
    def message(self) -> str: ...
    @property
    def suppressed(self) -> int:
        """Failures for the same reason that were not reported since the last report."""

@final
class Closed:
    """A stream that was reported as opened ended."""

    @property
    def stream(self) -> int: ...

@final
class Limited:
    """Clients reached a limit. Reported at most once in 10 seconds per limit; `Stats` counts all."""

    @property
    def limit(self) -> str:
        """A key of `Stats.refused` or `Stats.delayed`."""
    @property
    def delayed(self) -> bool:
        """Whether the limit delays clients; otherwise it refuses them."""
    @property
    def count(self) -> int:
        """How often since the last report."""
    @property
    def peer(self) -> str:
        """The last of these clients."""

@final
class Panicked:
    """The engine panicked in one stream, which was ended with INTERNAL; nothing else was."""

    @property
    def peer(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def location(self) -> str:
        """`file:line:column` in `rust/`."""

@final
class Call:
    """A client calls a method of envoy.service.status.v3.ClientStatusDiscoveryService, or asks to report load
    (envoy.service.load_stats.v3.LoadReportingService). It gets UNAVAILABLE when neither `Engine.reply` nor
    `Engine.refuse` answers within 20 seconds, and RESOURCE_EXHAUSTED at once when too many calls wait (64 slots; one
    that was not polled holds two). Load reporters are reported 16 at a time; the others wait."""

    @property
    def id(self) -> int: ...
    @property
    def method(self) -> str:
        """`FetchClientStatus`, or `StreamClientStatus` for each message of a stream; `StreamLoadStats` for the first
        message of a stream, whose answer is a LoadStatsResponse."""
    @property
    def message(self) -> bytes:
        """The serialised ClientStatusRequest or LoadStatsRequest, at most 256 KiB."""
    @property
    def peer(self) -> str: ...
    @property
    def token(self) -> str:
        """As in `Opened`, so are `certificate` and `transport`."""
    @property
    def certificate(self) -> list[str]: ...
    @property
    def transport(self) -> Transport: ...

@final
class Resource:
    """One name on one stream."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str:
        """The version that was sent last; "": none, or one that the client already had."""
    @property
    def status(self) -> str:
        """One of "requested" (nothing was sent), "sent" (not answered), "acked", "nacked" (the last response) and
        "does_not_exist" (no resource, or none that the client may see)."""
    @property
    def error(self) -> str:
        """Why it was refused; "" also when the client refused another response of the type later."""
    @property
    def sent_age_seconds(self) -> float | None:
        """Rounded to a second; None: never sent on this stream."""

@final
class Change:
    """The duration of each step of the last change, in seconds. Steps from the event are None when its time is unknown
    or before the start of the engine."""

    @property
    def event_to_received(self) -> float | None: ...
    @property
    def received_to_published(self) -> float: ...
    @property
    def published_to_sent(self) -> float: ...
    @property
    def sent_to_acked(self) -> float: ...
    @property
    def event_to_acked(self) -> float | None: ...

@final
class Absent:
    """A subscribed name without a resource."""

    @property
    def name(self) -> str: ...
    @property
    def reason(self) -> str:
        """For operators, not for clients: it may name what is withheld."""
    @property
    def removed(self) -> bool:
        """Whether the client had a resource of the name earlier on this stream."""

@final
class Absence:
    """An `Absent` name with its stream."""

    @property
    def stream(self) -> int: ...
    @property
    def node_id(self) -> str: ...
    @property
    def peer(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def type_url(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def removed(self) -> bool: ...
    @property
    def count(self) -> int:
        """The number of absent names of the stream."""

@final
class Absences:
    """Subscribed names without a resource."""

    @property
    def counts(self) -> dict[str, int]:
        """Subscriptions to them, summed over streams, by type_url."""
    @property
    def rows(self) -> list[Absence]:
        """Some of them: at most 10 per stream, ordered by the id of the stream."""

@final
class Subscription:
    """State of one type on one stream. Ages in seconds; None: never."""

    @property
    def type_url(self) -> str: ...
    @property
    def state(self) -> str:
        """As in `Stream.state`."""
    @property
    def wildcard(self) -> bool: ...
    @property
    def names(self) -> list[str]: ...
    @property
    def waiting(self) -> list[str]:
        """Names without an answer from Python yet."""
    @property
    def absent(self) -> list[Absent]:
        """Names without a resource, sorted; at most 100."""
    @property
    def absent_count(self) -> int:
        """The number of all of them."""
    @property
    def version_sent(self) -> str: ...
    @property
    def version_acked(self) -> str: ...
    @property
    def sent_age_seconds(self) -> float | None: ...
    @property
    def acked_age_seconds(self) -> float | None: ...
    @property
    def change(self) -> Change | None:
        """The last acknowledged change of a resource that the client had before; None: none yet."""
    @property
    def nack_version(self) -> str: ...
    @property
    def nack_message(self) -> str:
        """Message of the last NACK; "" after a later ACK."""
    @property
    def nack_age_seconds(self) -> float | None: ...
    @property
    def resources(self) -> list[Resource]:
        """Each name, sorted, if requested. Glob collections are left out; their members are listed."""

@final
class Stream:
    """One client stream as the server sees it now."""

    @property
    def id(self) -> int: ...
    @property
    def node_id(self) -> str: ...
    @property
    def node(self) -> bytes: ...
    @property
    def peer(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def service(self) -> str:
        """The gRPC method, such as `envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources`."""
    @property
    def delta(self) -> bool: ...
    @property
    def age_seconds(self) -> float: ...
    @property
    def label(self) -> str:
        """As set by `Engine.label`; "": none."""
    @property
    def state(self) -> str:
        """The worst state of its types. The worst first: "refused" (the client rejected the last response), "waiting"
        (a name has no answer from Python yet), "behind" (the newest response is not acknowledged), "absent" (a name has
        no resource) and "in_sync"."""
    @property
    def subscriptions(self) -> list[Subscription]: ...

@final
class Group:
    """The streams of one label."""

    @property
    def label(self) -> str:
        """Empty: streams without a label."""
    @property
    def streams(self) -> int: ...
    @property
    def states(self) -> dict[str, int]:
        """Their number by `Stream.state`, without zeros."""
    @property
    def oldest_unacked_seconds(self) -> float | None:
        """Age of the oldest response without an answer; None: all are answered."""
    @property
    def oldest_age_seconds(self) -> float:
        """Age of the oldest stream."""

@final
class Edge:
    """The streams of one label that are subscribed to one name."""

    @property
    def label(self) -> str:
        """Empty: streams without a label."""
    @property
    def type_url(self) -> str: ...
    @property
    def name(self) -> str:
        """A name or glob collection that clients requested, or "*"."""
    @property
    def streams(self) -> int: ...
    @property
    def states(self) -> dict[str, int]:
        """Their number by the state of the name, without zeros: values as in `Stream.state`. Of a collection or "*" it
        is the state of the type."""
    @property
    def since_seconds(self) -> float:
        """Age of the oldest of these streams, which may have subscribed to the name later."""

@final
class LabelEdges:
    """All edges of one label."""

    @property
    def label(self) -> str: ...
    @property
    def version(self) -> int:
        """A hash: equal for edges that are equal in all but the ages, of the same oldest streams."""
    @property
    def edges(self) -> list[Edge]: ...

@final
class Propagation:
    """How far a change has reached the clients. A stream counts once, however many responses it was sent.

    Counted are streams that were sent what the change published or removed, after they had subscribed. A change that
    was superseded before it was sent is not counted, and neither are heartbeats and answers to new subscriptions.
    """

    @property
    def change(self) -> int: ...
    @property
    def sent(self) -> int:
        """Streams that were sent a response with it: the sum of the following four."""
    @property
    def acked(self) -> int:
        """Streams that accepted all of these responses."""
    @property
    def nacked(self) -> int:
        """Streams that refused one of them."""
    @property
    def pending(self) -> int:
        """Streams that have not answered yet."""
    @property
    def ended(self) -> int:
        """Streams that ended without an answer."""
    @property
    def first_sent_seconds(self) -> float | None:
        """From its publication until the first response; None: there was none."""
    @property
    def last_acked_seconds(self) -> float | None:
        """From its publication until the last acknowledgement so far; None: there was none."""

@final
class Entry:
    """One entry of the resource store. `reason` is not empty for an absent one, whose version is ""."""

    @property
    def type_url(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def size(self) -> int:
        """Bytes of the serialised resource."""
    @property
    def reason(self) -> str: ...

@final
class LocalityLoad:
    """Requests of all clients to one locality of a cluster, as they report them (LRS); counted since start."""

    @property
    def cluster(self) -> str: ...
    @property
    def service(self) -> str:
        """Name of the cluster's endpoint assignment; "" when clients do not give it."""
    @property
    def region(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def sub_zone(self) -> str: ...
    @property
    def issued(self) -> int: ...
    @property
    def successful(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def in_progress(self) -> int:
        """Requests in progress, by the last report of each client that still reports."""

@final
class DroppedLoad:
    """Requests to a cluster that clients dropped, counted since start."""

    @property
    def cluster(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def category(self) -> str:
        """As the endpoint assignment names it; "" for a circuit breaker's."""
    @property
    def count(self) -> int: ...

@final
class Loads:
    """Load reports of clients, for clusters in the store.

    Each cluster has rows for the localities and drop categories of its assignments; all others are `other`.
    """

    @property
    def reporters(self) -> int:
        """Clients that report now."""
    @property
    def reports(self) -> int: ...
    @property
    def ignored(self) -> int:
        """Rows of reports for clusters that are not in the store."""
    @property
    def localities(self) -> list[LocalityLoad]: ...
    @property
    def dropped(self) -> list[DroppedLoad]: ...

@final
class Stats:
    """Counters since start and present gauges. Maps are keyed by type_url."""

    @property
    def connections(self) -> int: ...
    @property
    def streams(self) -> dict[str, int]:
        """Open discovery streams: "sotw" and "delta"."""
    @property
    def subscriptions(self) -> dict[str, int]:
        """Names subscribed now, summed over streams."""
    @property
    def resources(self) -> dict[str, int]:
        """Resources in the store now; absent ones do not count."""
    @property
    def absent(self) -> int:
        """Subscribed names without a resource now, summed over streams."""
    @property
    def oldest_unacked_seconds(self) -> float | None:
        """Age of the oldest response without an answer; None: all are answered."""
    @property
    def refused_now(self) -> dict[str, int]:
        """Streams whose client rejected the last response of the type that it answered."""
    @property
    def requests(self) -> dict[str, int]: ...
    @property
    def responses(self) -> dict[str, int]: ...
    @property
    def resources_sent(self) -> dict[str, int]: ...
    @property
    def bytes_sent(self) -> int: ...
    @property
    def acks(self) -> dict[str, int]: ...
    @property
    def nacks(self) -> dict[str, int]: ...
    @property
    def stale(self) -> dict[str, int]:
        """Requests ignored for an old nonce."""
    @property
    def rejected(self) -> dict[str, int]:
        """Streams ended by the server for a bad request or by `Engine.reject`, keyed by gRPC status name."""
    @property
    def handshake_failures(self) -> dict[str, int]:
        """Failed handshakes, by reason. A client that disconnects without sending anything is not counted.

        "plaintext": no TLS on a TLS port. "tls": TLS on a plaintext port. "no_client_certificate", "unknown_ca",
        "expired_certificate", "bad_certificate": the client's certificate. "refused_by_client": most often it does not
        accept the server's. "alpn": it did not offer "h2". "incompatible": no common TLS version (1.2, 1.3) or
        algorithm. "no_certificate": `set_tls` was never called. "protocol": invalid TLS. "http2": not HTTP/2. "closed":
        the client disconnected. "timeout": longer than 10 seconds.
        """
    @property
    def refused(self) -> dict[str, int]:
        """How often each limit refused a client. "connections…", "streams", "request_bytes", "request_timeout",
        "node_bytes" and "subscription_bytes…" are options; "calls" and "calls_per_address": calls that wait for Python;
        "subscription": names of a stream; "control_frames": HTTP/2 frames other than requests; "request_buffers": 256
        MiB of incomplete requests of all clients; "unread": a response that the client did not read; "cpu_time": too
        long a wait for CPU time."""
    @property
    def delayed(self) -> dict[str, int]:
        """How often each limit delayed a client: "connections_per_second", "requests_per_second", "cpu…"."""
    @property
    def panics(self) -> int: ...
    @property
    def commits(self) -> int: ...
    @property
    def denied(self) -> int:
        """Resources withheld because the client's grant does not cover them."""
    @property
    def ack_latency_bounds(self) -> list[float]:
        """Upper bounds in seconds, ascending, without +Inf."""
    @property
    def ack_latency_counts(self) -> list[int]:
        """Observations per bucket (not cumulative); one more than bounds, the last is +Inf."""
    @property
    def ack_latency_sum(self) -> float: ...
    @property
    def change_latency_bounds(self) -> list[float]:
        """Upper bounds in seconds, ascending, without +Inf."""
    @property
    def change_latency(self) -> list[tuple[str, list[int], float]]:
        """Each step of a change with its observations per bucket (as of ACKs) and their sum. Steps before the
        publication are observed once per resource, those after it once per ACK."""

@final
class EngineUsage:
    """What the engine holds for clients: nothing `unsubscribe_grace_seconds` after the last client disconnected."""

    @property
    def connections(self) -> int: ...
    @property
    def tasks(self) -> int:
        """Tasks that serve a connection, over all threads."""
    @property
    def streams(self) -> int: ...
    @property
    def interest(self) -> int:
        """Names in the indices of all threads."""
    @property
    def demand(self) -> int:
        """Names that are demanded and not withdrawn yet."""
    @property
    def events(self) -> int:
        """Events that were not polled."""
    @property
    def request_buffers(self) -> int:
        """Bytes of incomplete requests, beyond the first 16 KiB of each."""
    @property
    def subscription_bytes(self) -> int:
        """Bytes that subscriptions count, beyond the first 16 KiB of each stream."""
    @property
    def accounts(self) -> int:
        """Identities and addresses that use something, or whose CPU budget has not recovered."""

@final
class Engine:
    """The server. Created stopped; `start` binds. All methods are thread-safe.

    A connection is pending until `classify` was called for one of its streams. When no slot is left, the oldest pending
    connection of the address with most of them is closed for a new one.

    `options` has the attributes of `EngineOptions`. ValueError for an invalid address, a number out of range or invalid
    descriptors.
    """

    def __new__(cls, options: EngineOptions) -> Engine: ...
    def set_tls(
        self,
        certificate_pem: bytes,
        key_pem: bytes,
        client_ca_pem: bytes | None = None,
        require_client_certificate: bool = False,
    ) -> float:
        """Set the certificates of new handshakes; open connections are kept. Returns when the certificate expires, in
        seconds since the epoch.

        `certificate_pem` is the server's certificate, followed by the intermediate ones. The key is not encrypted. With
        `client_ca_pem` a certificate of one of these authorities is requested from clients, and verified; with
        `require_client_certificate` it is required.

        ValueError for invalid PEM, a key that belongs to another certificate, a certificate that has expired or is not
        valid yet, an empty or invalid CA, or an engine without `tls`. The previous certificates stay in use then.
        """
    def start(self) -> list[str]:
        """Bind and accept; returns the bound addresses, in the order of `listen` and `plaintext_listen`. OSError when
        one cannot be bound (its `filename` is the address); its subclass FileExistsError when the engine was started
        before."""
    @property
    def event_fd(self) -> int:
        """Readable while `poll()` has events (an eventfd; `poll()` clears it)."""
    def poll(self, most: int = 1000) -> list[Event]:
        """All events since the last call, in order, after `Demand` and `Withdrawn` of at most `most` names; these take
        turns by account and connection, and the others follow later. Never blocks. A stream that opened and closed
        since the last call is not reported, nor a demand that was withdrawn since."""
    def charge(self, account: int, time_seconds: float) -> None:
        """Charge the time of work for the account of a `Demand` to its CPU budget."""
    def identify(self, identities: Sequence[Identification]) -> None:
        """Set the identities that clients of opened streams proved, before `classify`. Connections and budgets count
        per identity instead of per address. Streams that have ended are ignored.

        A stream whose identity has `max_connections_per_identity` other connections ends with RESOURCE_EXHAUSTED.
        """
    def classify(self, classifications: Sequence[Classification]) -> None:
        """Set the audience and the grant of opened streams. Streams that have ended are ignored."""
    def reject(self, rejections: Sequence[Rejection]) -> None:
        """End opened streams without an audience. Other streams are ignored. Counted in `Stats.rejected`.

        ValueError for a code that is not from 1 to 16; no stream is ended then.
        """
    def publish(
        self,
        *,
        put: Sequence[commit.Put] = (),
        absent: Sequence[commit.Absent] = (),
        denied: Sequence[commit.Absent] = (),
        forget: Sequence[commit.Forgotten] = (),
        complete: Sequence[commit.Complete] = (),
        missing: Sequence[commit.Missing] = (),
        now: float = 0.0,
        change: int = 0,
    ) -> int:
        """Publish one atomic commit (`steerway.commit.Commit`); returns how many entries changed. Equal bytes change
        nothing and send nothing.

        now: the time on the clock of `Put.origin`, in seconds.
        change: id of the change that causes it, higher than those before, for `propagations`; 0: it is not counted.
        Resources without an origin are answers to demands and not counted where a client had nothing before.

        ValueError for an unsupported type_url or a `ttl_seconds` out of range; nothing is published then.
        """
    def changed(self, services: Sequence[str], names: Sequence[tuple[str, str]] = ()) -> None:
        """These services, and these names as (type_url, name), changed: what was published as missing because of them
        is demanded anew. Names of unsupported types are ignored."""
    def reply(self, call: int, message: bytes) -> None:
        """Answer a `Call`. A call that has ended is ignored."""
    def refuse(self, call: int, code: int, message: str) -> None:
        """End a `Call` with a gRPC status. ValueError for a code that is not from 1 to 16."""
    def fetch(
        self, type_url: str, request: bytes, peer: str, token: str, timeout_seconds: float
    ) -> tuple[int, str, bytes]:
        """Answer one serialised DiscoveryRequest as a stream of that type would, for transports without streams.

        Blocks until every name in it has an answer, or the time is up; then the response has the names with an answer.
        `poll` must go on meanwhile, since the client is reported as `Opened`. Returns a gRPC status code, its message
        and the serialised DiscoveryResponse: 0 with an empty message, or an error with an empty response (4: no name
        has an answer). ValueError for an unsupported type_url.
        """
    def set_serving(self, serving: bool) -> None:
        """Set the gRPC health. Until it is serving for the first time, no stream is answered."""
    def label(self, labels: Sequence[tuple[int, str]]) -> None:
        """Set the label of streams by id; a later one replaces the earlier. Streams that have ended are ignored."""
    def streams(
        self,
        *,
        resources: bool = False,
        ids: Sequence[int] | None = None,
        node: str | None = None,
        label: str | None = None,
        after: int = 0,
        limit: int = 0,
    ) -> list[Stream]:
        """Streams that sent a Node, ordered by id: those with one of `ids`, a node id that matches the pattern `node`
        (`*` is any text, `?` one character), the `label` ("": none) and an id above `after`; the first `limit` of them
        (0: all). `resources` fills `Subscription.resources`."""
    def states(self) -> tuple[bytes, bytes]:
        """Every stream that sent a Node, ordered by id: the ids, 8 bytes each, little-endian, and the states, one byte
        each: 0 "refused", 1 "waiting", 2 "behind", 3 "absent", 4 "in_sync"."""
    def propagations(self, changes: Sequence[int]) -> list[Propagation]:
        """How far these changes have reached the clients, ordered by id; without unknown ones. The last 4,096 are
        known."""
    def groups(self) -> list[Group]:
        """The streams that sent a Node, summed up by label, ordered by label."""
    def edges(self, label: str | None = None, names: Sequence[str] | None = None) -> list[Edge]:
        """The classified streams, summed up by label, type and requested name: those of `label` and of `names` ("*":
        wildcards). With `names` it is cheap."""
    def changed_edges(self, known: dict[str, int]) -> tuple[list[LabelEdges], list[str]]:
        """The edges of labels whose version is not that in `known`, ordered by label, and the labels in `known` that
        have no edges any more, in any order."""
    def absences(self, *, after: int = 0, streams: int = 0) -> Absences:
        """Subscribed names without a resource; rows are those of `streams` streams with ids above `after`. Looks up
        each name of each stream, where the store has absent entries of the type or the stream may not see all."""
    def loads(self) -> Loads: ...
    def entries(self) -> list[Entry]: ...
    def body(self, type_url: str, name: str, audience: str) -> bytes | None: ...
    def stats(self) -> Stats: ...
    def kept(self) -> tuple[int, int]:
        """Bytes of subscriptions that count, and demanded names."""
    def usage(self) -> EngineUsage: ...
    def drain(self, grace_seconds: float) -> None:
        """Stop accepting, health NOT_SERVING, GOAWAY, end streams within the grace time. Blocks; GIL released."""
    def stop(self) -> None:
        """End at once; wakes a running `drain`. Idempotent."""
