"""A gRPC client of the xDS services for tests: it sends any request and reads with a deadline.

It decides nothing by itself (no ACK, no subscription, no reconnect), so that a test can be any client, a wrong one
included. Envoy's "xDS REST and gRPC protocol" defines a right one.

    with AdsClient("127.0.0.1:9000") as client:
        stream = client.sotw()
        stream.request(LISTENER, "backend.shop:8080")
        response = stream.read()
        stream.ack(response)
"""

import queue
import threading
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)

DEADLINE_SECONDS = 100.0
"""How long `read` and `end` wait by default: far longer than any answer takes."""

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class Service(Enum):
    """A discovery service: its full name and what its two methods end with (`Stream…`, `Delta…`)."""

    ADS = ("envoy.service.discovery.v3.AggregatedDiscoveryService", "AggregatedResources")
    LDS = ("envoy.service.listener.v3.ListenerDiscoveryService", "Listeners")
    RDS = ("envoy.service.route.v3.RouteDiscoveryService", "Routes")
    CDS = ("envoy.service.cluster.v3.ClusterDiscoveryService", "Clusters")
    EDS = ("envoy.service.endpoint.v3.EndpointDiscoveryService", "Endpoints")
    SDS = ("envoy.service.secret.v3.SecretDiscoveryService", "Secrets")
    RTDS = ("envoy.service.runtime.v3.RuntimeDiscoveryService", "Runtime")
    SRDS = ("envoy.service.route.v3.ScopedRoutesDiscoveryService", "ScopedRoutes")
    ECDS = ("envoy.service.extension.v3.ExtensionConfigDiscoveryService", "ExtensionConfigs")

    def method(self, variant: str) -> str:
        """Path of a method; `variant` is "Stream" (state of the world) or "Delta"."""
        name, resources = self.value
        return f"/{name}/{variant}{resources}"


class StreamEndedError(Exception):
    """The stream is over; `code` and `details` are its gRPC status (OK, too)."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"the stream ended with {code.name}: {details}")
        self.code = code
        self.details = details


class Stream(Generic[_Request, _Response]):
    """One discovery stream. A message is taken from the network only when a `read` asks for it."""

    def __init__(self, call: Any, node: Node | None) -> None:
        self.node = node
        """Goes out with the first request of the helpers; None: never."""
        self._requests: queue.SimpleQueue[_Request | bytes | None] = queue.SimpleQueue()
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._responses: queue.SimpleQueue[_Response | StreamEndedError] = queue.SimpleQueue()
        self._asked = False
        self._ended: StreamEndedError | None = None
        self._call = call(iter(self._requests.get, None))
        self._reader = threading.Thread(target=self._read_wanted, name="ads-client", daemon=True)
        self._reader.start()

    def send(self, request: _Request | bytes) -> None:
        """Send this request as it is; bytes go out as one gRPC message, whatever they are."""
        self._requests.put(request)

    def half_close(self) -> None:
        """Send no more requests."""
        self._requests.put(None)

    def read(self, seconds: float = DEADLINE_SECONDS) -> _Response:
        """The next response. StreamEndedError when there is none any more, TimeoutError after `seconds`."""
        if self._ended is not None:
            raise self._ended
        if not self._asked:
            self._asked = True
            self._wanted.put(True)
        try:
            answer = self._responses.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError(f"no response within {seconds} s") from None
        self._asked = False
        if isinstance(answer, StreamEndedError):
            self._ended = answer
            raise answer
        return answer

    def end(self, seconds: float = DEADLINE_SECONDS) -> StreamEndedError:
        """Wait for the end of the stream and return its status. AssertionError for a response before it."""
        try:
            response = self.read(seconds)
        except StreamEndedError as ended:
            return ended
        raise AssertionError(f"a response came instead of the end of the stream: {response}")

    def close(self) -> None:
        """Reset the stream. Doing it again does nothing."""
        self._call.cancel()
        self._requests.put(None)
        self._wanted.put(False)
        self._reader.join(DEADLINE_SECONDS)

    def _read_wanted(self) -> None:
        while self._wanted.get():
            try:
                self._responses.put(next(self._call))
            except (grpc.RpcError, StopIteration):
                self._responses.put(StreamEndedError(self._call.code(), self._call.details() or ""))
                self._requests.put(None)
                return

    def _take_node(self) -> Node | None:
        node, self.node = self.node, None
        return node


class SotwStream(Stream[DiscoveryRequest, DiscoveryResponse]):
    """State of the world. Remembers per type what a client must repeat: names, nonce and accepted version."""

    def __init__(self, call: Any, node: Node | None) -> None:
        super().__init__(call, node)
        self._names: dict[str, Sequence[str]] = {}
        self._nonces: dict[str, str] = {}
        self._accepted: dict[str, str] = {}

    def request(self, type_url: str, *names: str) -> None:
        """Subscribe to exactly these names, with the last nonce and the last accepted version of the type."""
        self._names[type_url] = names
        self._send(type_url)

    def ack(self, response: DiscoveryResponse) -> None:
        """Accept; the names stay."""
        self._nonces[response.type_url] = response.nonce
        self._accepted[response.type_url] = response.version_info
        self._send(response.type_url)

    def nack(self, response: DiscoveryResponse, message: str, code: int = 3) -> None:
        """Refuse with a google.rpc.Status; names and accepted version stay."""
        self._nonces[response.type_url] = response.nonce
        self._send(response.type_url, {"code": code, "message": message})

    def _send(self, type_url: str, error_detail: Mapping[str, Any] | None = None) -> None:
        self.send(
            DiscoveryRequest(
                node=self._take_node(),
                type_url=type_url,
                resource_names=self._names.get(type_url, ()),
                response_nonce=self._nonces.get(type_url, ""),
                version_info=self._accepted.get(type_url, ""),
                error_detail=error_detail,
            )
        )


class DeltaStream(Stream[DeltaDiscoveryRequest, DeltaDiscoveryResponse]):
    """Incremental."""

    def request(
        self,
        type_url: str,
        *subscribe: str,
        unsubscribe: Sequence[str] = (),
        initial_versions: Mapping[str, str] | None = None,
    ) -> None:
        """Change the subscription; not an answer to any response. `initial_versions`: name to version held."""
        self.send(
            DeltaDiscoveryRequest(
                node=self._take_node(),
                type_url=type_url,
                resource_names_subscribe=subscribe,
                resource_names_unsubscribe=unsubscribe,
                initial_resource_versions=initial_versions or {},
            )
        )

    def ack(self, response: DeltaDiscoveryResponse) -> None:
        """Accept."""
        self.send(DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce))

    def nack(self, response: DeltaDiscoveryResponse, message: str, code: int = 3) -> None:
        """Refuse with a google.rpc.Status."""
        self.send(
            DeltaDiscoveryRequest(
                type_url=response.type_url,
                response_nonce=response.nonce,
                error_detail={"code": code, "message": message},
            )
        )


class AdsClient:
    """One HTTP/2 connection to an xDS server. Closing it closes its streams."""

    def __init__(
        self,
        address: str,
        node: Node | None = None,
        *,
        metadata: Iterable[tuple[str, str]] = (),
        credentials: grpc.ChannelCredentials | None = None,
        authority: str | None = None,
    ) -> None:
        """`node` (by default with the id "test") and `metadata` go out with each stream.

        `credentials` secure the connection (None: plaintext), to a server whose name is `authority` (None: `address`).
        """
        self._node = node or Node(id="test")
        self._metadata = tuple(metadata)
        # A pool of its own: channels to one address share a connection otherwise.
        options: list[tuple[str, Any]] = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_http_proxy", 0),
        ]
        if authority is not None:
            options.append(("grpc.ssl_target_name_override", authority))
        if credentials is None:
            self.channel = grpc.insecure_channel(address, options)
        else:
            self.channel = grpc.secure_channel(address, credentials, options)
        """For other services of the server: health, reflection."""
        self._streams: list[SotwStream | DeltaStream] = []

    def sotw(self, service: Service = Service.ADS, *, compressed: bool = False) -> SotwStream:
        """Open a state-of-the-world stream. `compressed`: send the requests with gzip."""
        call = self._call(service.method("Stream"), DiscoveryRequest, DiscoveryResponse, compressed)
        stream = SotwStream(call, self._node)
        self._streams.append(stream)
        return stream

    def delta(self, service: Service = Service.ADS) -> DeltaStream:
        """Open an incremental stream."""
        call = self._call(service.method("Delta"), DeltaDiscoveryRequest, DeltaDiscoveryResponse, False)
        stream = DeltaStream(call, self._node)
        self._streams.append(stream)
        return stream

    def close(self) -> None:
        """End all streams and the connection."""
        for stream in self._streams:
            stream.close()
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: str, request: Any, response: Any, compressed: bool) -> Any:
        def serialize(message: Any) -> bytes:
            return message if isinstance(message, bytes) else request.SerializeToString(message)

        call = self.channel.stream_stream(method, serialize, response.FromString)
        compression = grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression
        return lambda requests: call(requests, metadata=self._metadata, compression=compression)
