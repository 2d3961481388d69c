"""The native engine as the other stages use it: commits in, batches of events out, errors with a hint.

`steerway/_engine.pyi` documents the native module; its source is in `rust/`.
"""

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from steerway import _engine
from steerway._engine import (
    Absences,
    Call,
    Closed,
    Demand,
    Edge,
    EngineUsage,
    Entry,
    Group,
    HandshakeFailed,
    LabelEdges,
    Limited,
    Loads,
    LocalityLoad,
    Nack,
    Opened,
    Panicked,
    Propagation,
    Stats,
    Stream,
    Withdrawn,
)
from steerway.commit import Commit
from steerway.engine.decision import Classification, Identification, Rejection
from steerway.engine.event import Event
from steerway.engine.options import EngineOptions
from steerway.errors import EngineError

__all__ = [
    "Absences",
    "Call",
    "Closed",
    "Demand",
    "Edge",
    "Engine",
    "EngineOptions",
    "EngineUsage",
    "Entry",
    "Event",
    "Fetched",
    "Group",
    "HandshakeFailed",
    "Limited",
    "Loads",
    "LocalityLoad",
    "Nack",
    "Opened",
    "Panicked",
    "Propagation",
    "Stats",
    "Stream",
    "Withdrawn",
]


class Fetched(NamedTuple):
    """The answer of `Engine.fetch`."""

    code: int
    """A gRPC status code; 0: OK."""
    message: str
    body: bytes
    """A serialised DiscoveryResponse; empty with an error."""


class Engine:
    """One server. All methods may be called from any thread, `events` from one event loop only."""

    def __init__(self, options: EngineOptions) -> None:
        """Raises EngineError for an option that is out of range."""
        try:
            self._native = _engine.Engine(options)
        except (ValueError, OSError) as error:
            raise EngineError(f"the engine cannot be set up: {error}") from None

    def set_tls(
        self,
        certificate_pem: bytes,
        key_pem: bytes,
        client_ca_pem: bytes | None = None,
        require_client_certificate: bool = False,
    ) -> float:
        """Set the certificates of new handshakes; returns when the certificate expires, in seconds since the epoch.

        EngineError names what is invalid; the previous certificates stay in use then.
        """
        try:
            return self._native.set_tls(certificate_pem, key_pem, client_ca_pem, require_client_certificate)
        except ValueError as error:
            raise EngineError(f"TLS cannot be set up: {error}") from None

    def start(self) -> list[str]:
        """Bind and accept; returns the bound addresses. EngineError names the address that fails and the reason."""
        try:
            return self._native.start()
        except FileExistsError as error:
            raise EngineError(str(error)) from None
        except OSError as error:
            reason = error.strerror or error.args[0]
            hint = "choose another address with --listen"
            if error.errno == errno.EADDRINUSE:
                hint += ", or stop the process that uses this one"
            raise EngineError(f"cannot listen on {error.filename}: {reason}; {hint}") from None

    async def events(self, most: Callable[[], int] = lambda: 1000) -> AsyncIterator[list[Event]]:
        """Non-empty batches of events, in order; never ends.

        `most`: maximum number of demands in a batch. The others follow in the next one, clients in turn.
        """
        while True:
            await self._readable()
            if events := self._native.poll(most()):
                yield events

    async def _readable(self) -> None:
        """Wait for events. The descriptor is watched only while waiting: events that arrive while a batch is handled
        keep it readable, and the loop would spin."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._native.event_fd, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._native.event_fd)

    def classify(self, classifications: Sequence[Classification]) -> None:
        """Set the audience and the grant of opened streams. Streams that have ended are ignored."""
        self._native.classify(classifications)

    def identify(self, identities: Sequence[Identification]) -> None:
        """Set the identities that clients of opened streams proved, before `classify`: connections and budgets count
        per identity instead of per address. Streams that have ended are ignored."""
        self._native.identify(identities)

    def charge(self, account: int, seconds: float) -> None:
        """Charge the time of work for the account of a `Demand` to its CPU budget."""
        self._native.charge(account, seconds)

    def reject(self, rejections: Sequence[Rejection]) -> None:
        """End opened streams without an audience. Other streams are ignored."""
        self._native.reject(rejections)

    def publish(self, commit: Commit, change: int = 0) -> int:
        """Apply one commit; returns how many entries changed.

        `change`: id of the change that causes it, higher than those before, for `propagations`; 0: it is not counted.
        ValueError for an unsupported type or a time to live out of range; nothing is published then.
        """
        return self._native.publish(
            put=commit.put,
            absent=commit.absent,
            denied=commit.denied,
            forget=commit.forget,
            complete=commit.complete,
            missing=commit.missing,
            now=time.monotonic(),
            change=change,
        )

    def changed(self, services: Sequence[str], names: Sequence[tuple[str, str]] = ()) -> None:
        """Services and names (type_url, name) changed: demand anew what is missing because of them."""
        self._native.changed(services, names)

    def fetch(self, type_url: str, request: bytes, peer: str, token: str, timeout_seconds: float) -> Fetched:
        """Answer one serialised DiscoveryRequest without a stream. Blocks."""
        return Fetched(*self._native.fetch(type_url, request, peer, token, timeout_seconds))

    def set_serving(self, serving: bool) -> None:
        """Set the gRPC health. Until it is serving for the first time, no stream is answered."""
        self._native.set_serving(serving)

    def label(self, labels: Sequence[tuple[int, str]]) -> None:
        """Set the label of streams by id, which `groups` and `edges` sum up by. Streams that have ended are ignored."""
        self._native.label(labels)

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
        """Streams that sent a Node, ordered by id, with `resources` also the state of each name.

        Only those with one of `ids`, a node id that matches the pattern `node` (`*` is any text, `?` one character),
        the `label` ("": none) and an id above `after`; the first `limit` of them (0: all).
        Blocks while the streams are read, as `states`, `groups`, `edges` and `stats` do.
        """
        return self._native.streams(
            resources=resources, ids=ids, node=node, label=label, after=after, limit=limit
        )

    def states(self) -> tuple[bytes, bytes]:
        """Ids of all streams as little-endian 64-bit numbers, ascending, and a byte for the state of each: the index
        into `steerway.inventory.row.client.STATES`."""
        return self._native.states()

    def propagations(self, changes: Sequence[int]) -> list[Propagation]:
        """How far these changes have reached the clients; without those that are unknown or older than the last
        4,096."""
        return self._native.propagations(changes)

    def groups(self) -> list[Group]:
        """The streams, summed up by label."""
        return self._native.groups()

    def edges(self, label: str | None = None, names: Sequence[str] | None = None) -> list[Edge]:
        """The streams, summed up by label, type and requested name; only those of `label` and of `names`."""
        return self._native.edges(label, names)

    def changed_edges(self, known: dict[str, int]) -> tuple[list[LabelEdges], list[str]]:
        """The edges of labels whose version is another than in `known`, and the labels in `known` without edges."""
        return self._native.changed_edges(known)

    def absences(self, *, after: int = 0, streams: int = 0) -> Absences:
        """Subscribed names without a resource: their number, and rows of `streams` streams with ids above `after`.
        Blocks while the streams are scanned."""
        return self._native.absences(after=after, streams=streams)

    def reply(self, call: int, message: bytes) -> None:
        """Answer a call. A call that has ended is ignored."""
        self._native.reply(call, message)

    def refuse(self, call: int, code: int, message: str) -> None:
        """End a call with a gRPC status code from 1 to 16 and a message."""
        self._native.refuse(call, code, message)

    def loads(self) -> Loads:
        """Load reports of clients."""
        return self._native.loads()

    def entries(self) -> list[Entry]:
        """All entries of the resource store."""
        return self._native.entries()

    def body(self, type_url: str, name: str, audience: str) -> bytes | None:
        """The serialised resource of exactly this entry; None when there is none."""
        return self._native.body(type_url, name, audience)

    def stats(self) -> Stats:
        """The current counters."""
        return self._native.stats()

    def kept(self) -> tuple[int, int]:
        """Bytes of subscriptions, and number of demanded names. Cheap."""
        return self._native.kept()

    def usage(self) -> EngineUsage:
        """What the engine holds for clients."""
        return self._native.usage()

    def drain(self, grace_seconds: float) -> None:
        """Disconnect the clients; blocks until all are gone, the time is up or `stop` is called."""
        self._native.drain(grace_seconds)

    def stop(self) -> None:
        """End at once. Idempotent."""
        self._native.stop()
