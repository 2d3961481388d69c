"""The native engine as the rest of steerway uses it: whole commits in, batches of events out, errors with a cure.

What it does is written in `steerway/_engine.pyi`; the code is in `rust/`.
"""

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol, TypeAlias

from steerway import _engine
from steerway._engine import (
    Absences,
    Call,
    Closed,
    Demand,
    EngineUsage,
    Entry,
    HandshakeFailed,
    Limited,
    Loads,
    LocalityLoad,
    Nack,
    Opened,
    Panicked,
    Stats,
    Stream,
    Withdrawn,
)
from steerway.engine.reflection import descriptors
from steerway.errors import EngineError

__all__ = [
    "Absences",
    "Call",
    "Closed",
    "Demand",
    "Engine",
    "EngineUsage",
    "Entry",
    "Event",
    "HandshakeFailed",
    "Limited",
    "Loads",
    "LocalityLoad",
    "Nack",
    "Opened",
    "Panicked",
    "Stats",
    "Stream",
    "Withdrawn",
]

Event: TypeAlias = Opened | Demand | Withdrawn | Nack | HandshakeFailed | Closed | Limited | Panicked | Call


class Commit(Protocol):
    """Changes that become visible together, in the shape of `_engine.Engine.publish`."""

    @property
    def put(
        self,
    ) -> Sequence[
        tuple[str, str, str, bytes, Sequence[tuple[str, str]], str, float, tuple[float, float | None] | None]
    ]: ...
    @property
    def absent(self) -> Sequence[tuple[str, str, str, str]]: ...
    @property
    def denied(self) -> Sequence[tuple[str, str, str, str]]: ...
    @property
    def forget(self) -> Sequence[tuple[str, str, str]]: ...
    @property
    def complete(self) -> Sequence[tuple[str, str]]: ...
    @property
    def missing(self) -> Sequence[tuple[str, str, str, str, str]]: ...


class Engine:
    """One server. All methods may be called from any thread, `events` from one event loop only."""

    def __init__(
        self,
        *,
        listen: str | Sequence[str],
        identifier: str,
        threads: int = 0,
        max_connections: int = 50000,
        max_connections_per_address: int = 10_000,
        max_connections_per_identity: int = 10_000,
        max_connections_per_second: int = 5000,
        max_streams: int = 100000,
        max_concurrent_streams: int = 100,
        max_node_bytes: int = 4096,
        max_request_bytes: int = 4194304,
        max_requests_per_second: int = 1000,
        request_timeout_seconds: float = 30.0,
        max_connection_age_seconds: float = 1800.0,
        max_connection_age_grace_seconds: float = 30.0,
        max_names_per_stream: int = 50_000,
        max_name_bytes: int = 4096,
        max_subscription_bytes_per_stream: int = 50_331_648,
        max_subscription_bytes_per_connection: int = 67_108_864,
        max_subscription_bytes_per_peer: int = 67_108_864,
        max_subscription_bytes: int = 1_073_741_824,
        max_cpu_per_stream: float = 0.25,
        max_cpu_per_connection: float = 0.5,
        max_cpu_per_peer: float = 0.5,
        max_cpu: float = 2.0,
        keepalive_interval_seconds: float = 30.0,
        keepalive_timeout_seconds: float = 20.0,
        order_timeout_seconds: float = 5.0,
        demand_grace_seconds: float = 30.0,
        tls: bool = False,
        node_metadata: Sequence[str] = (),
    ) -> None:
        """Raises EngineError for an argument that is out of range."""
        try:
            self._native = _engine.Engine(
                listen=listen,
                identifier=identifier,
                threads=threads,
                max_connections=max_connections,
                max_connections_per_address=max_connections_per_address,
                max_connections_per_identity=max_connections_per_identity,
                max_connections_per_second=max_connections_per_second,
                max_streams=max_streams,
                max_concurrent_streams=max_concurrent_streams,
                max_node_bytes=max_node_bytes,
                max_request_bytes=max_request_bytes,
                max_requests_per_second=max_requests_per_second,
                request_timeout_seconds=request_timeout_seconds,
                max_connection_age_seconds=max_connection_age_seconds,
                max_connection_age_grace_seconds=max_connection_age_grace_seconds,
                max_names_per_stream=max_names_per_stream,
                max_name_bytes=max_name_bytes,
                max_subscription_bytes_per_stream=max_subscription_bytes_per_stream,
                max_subscription_bytes_per_connection=max_subscription_bytes_per_connection,
                max_subscription_bytes_per_peer=max_subscription_bytes_per_peer,
                max_subscription_bytes=max_subscription_bytes,
                max_cpu_per_stream=max_cpu_per_stream,
                max_cpu_per_connection=max_cpu_per_connection,
                max_cpu_per_peer=max_cpu_per_peer,
                max_cpu=max_cpu,
                keepalive_interval_seconds=keepalive_interval_seconds,
                keepalive_timeout_seconds=keepalive_timeout_seconds,
                order_timeout_seconds=order_timeout_seconds,
                demand_grace_seconds=demand_grace_seconds,
                tls=tls,
                node_metadata=node_metadata,
                descriptors=descriptors(),
            )
        except (ValueError, OSError) as error:
            raise EngineError(f"the engine cannot be set up: {error}") from None

    def set_tls(
        self,
        certificate_pem: bytes,
        key_pem: bytes,
        client_ca_pem: bytes | None = None,
        require_client_certificate: bool = False,
    ) -> float:
        """Have new handshakes use these; returns when the certificate expires, in seconds since the epoch.

        Raises EngineError that says what is wrong; what was set before stays in use then.
        """
        try:
            return self._native.set_tls(certificate_pem, key_pem, client_ca_pem, require_client_certificate)
        except ValueError as error:
            raise EngineError(f"TLS cannot be set up: {error}") from None

    def start(self) -> list[str]:
        """Bind and accept; returns the bound addresses. EngineError names the one that fails and the reason."""
        try:
            return self._native.start()
        except FileExistsError as error:
            raise EngineError(str(error)) from None
        except OSError as error:
            reason = error.strerror or error.args[0]
            hint = "choose another address with --listen"
            if error.errno == errno.EADDRINUSE:
                hint += ", or end what holds this one"
            raise EngineError(f"cannot listen on {error.filename}: {reason}; {hint}") from None

    async def events(self, most: Callable[[], int] = lambda: 1000) -> AsyncIterator[list[Event]]:
        """What happened, in order, in batches that are never empty; for ever.

        `most`: how many demands a batch holds at most. Others wait for the next one, each client in its turn.
        """
        while True:
            await self._readable()
            if events := self._native.poll(most()):
                yield events

    async def _readable(self) -> None:
        """Wait for events. The loop watches for them only meanwhile: what comes while a batch is handled keeps the
        descriptor readable, and the loop would spin."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._native.event_fd, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._native.event_fd)

    def classify(self, audiences: Sequence[tuple[int, str, Sequence[str] | None]]) -> None:
        """Give opened streams their audience and their grant (None: everything). Streams that are gone are ignored."""
        self._native.classify(audiences)

    def identify(self, identities: Sequence[tuple[int, str]]) -> None:
        """Say which identities the clients of opened streams proved, before `classify`: their connections count for
        these, whose budgets pay, not those of the addresses. Streams that are gone are ignored."""
        self._native.identify(identities)

    def charge(self, account: int, seconds: float) -> None:
        """What was done for the `account` of a `Demand` took so long: its CPU budget pays."""
        self._native.charge(account, seconds)

    def reject(self, rejections: Sequence[tuple[int, int, str]]) -> None:
        """End opened streams that wait for their audience, each with a gRPC status code from 1 to 16 and a message."""
        self._native.reject(rejections)

    def publish(self, commit: Commit) -> int:
        """Apply one commit; returns how many entries changed.

        ValueError for a type that is not served or a time to live out of range; nothing is published then.
        """
        return self._native.publish(
            commit.put,
            commit.absent,
            commit.forget,
            commit.complete,
            time.monotonic(),
            denied=commit.denied,
            missing=commit.missing,
        )

    def changed(self, services: Sequence[str], names: Sequence[tuple[str, str]] = ()) -> None:
        """Services and names (type_url, name) changed: what is missing because of them is demanded anew."""
        self._native.changed(services, names)

    def fetch(
        self, type_url: str, request: bytes, peer: str, token: str, timeout_seconds: float
    ) -> tuple[int, str, bytes]:
        """Answer one DiscoveryRequest without a stream: gRPC status code, its message, DiscoveryResponse. Blocks."""
        return self._native.fetch(type_url, request, peer, token, timeout_seconds)

    def set_serving(self, serving: bool) -> None:
        """gRPC health. While never serving yet, no stream is answered."""
        self._native.set_serving(serving)

    def streams(self, *, resources: bool = False) -> list[Stream]:
        """Every stream that said who it is, with `resources` also what came of each name."""
        return self._native.streams(resources=resources)

    def absences(self, *, after: int = 0, streams: int = 0) -> Absences:
        """What clients ask for and there is nothing for: the number of names, and rows of `streams` streams whose ids
        come after `after`. Blocks while each stream that may have some is looked at."""
        return self._native.absences(after=after, streams=streams)

    def reply(self, call: int, message: bytes) -> None:
        """Answer a call. One that is gone is ignored."""
        self._native.reply(call, message)

    def refuse(self, call: int, code: int, message: str) -> None:
        """End a call with a gRPC status code from 1 to 16 and a message."""
        self._native.refuse(call, code, message)

    def loads(self) -> Loads:
        """What clients report of their requests."""
        return self._native.loads()

    def entries(self) -> list[Entry]:
        """The resource store."""
        return self._native.entries()

    def body(self, type_url: str, name: str, audience: str) -> bytes | None:
        """The serialised resource of exactly this entry; None when there is none."""
        return self._native.body(type_url, name, audience)

    def stats(self) -> Stats:
        """All counters as they are now."""
        return self._native.stats()

    def kept(self) -> tuple[int, int]:
        """Bytes of subscriptions, and demanded names: what clients make the engine keep. Cheap."""
        return self._native.kept()

    def usage(self) -> EngineUsage:
        """What is held for clients now."""
        return self._native.usage()

    def drain(self, grace_seconds: float) -> None:
        """Send the clients away; blocks until all are gone, the time is up or `stop` is called."""
        self._native.drain(grace_seconds)

    def stop(self) -> None:
        """End at once. Doing it again does nothing."""
        self._native.stop()
