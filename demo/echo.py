"""One backend: a real gRPC server in a process of its own.

Run as `python -m demo.echo ADDRESS PORT OPEN_AT GRACE`.

It answers `/demo.Echo/Echo` with its own address, the peer's, and the request, with tabs between them, and
`grpc.health.v1.Health/Check`, which a kubelet's gRPC probe asks. Both speak bytes through generic handlers,
so that no generated code is needed. It opens its port at the monotonic time OPEN_AT, as a container that
has to load something first. SIGTERM stops it as servers should: GOAWAY, calls in flight may finish within
GRACE seconds, exit.
"""

import signal
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import grpc

SERVICE = "demo.Echo"
ECHO = f"/{SERVICE}/Echo"
HEALTH = "grpc.health.v1.Health"
HEALTH_CHECK = f"/{HEALTH}/Check"
SERVING = b"\x08\x01"
"""`HealthCheckResponse{status: SERVING}` on the wire (grpc/health/v1/health.proto: field 1, enum value 1)."""


def handlers(address: str) -> Mapping[str, grpc.RpcMethodHandler]:
    """The methods of one backend, by service and method; `address` is what Echo answers with."""

    def echo(request: bytes, context: grpc.ServicerContext) -> bytes:
        return b"\t".join((address.encode(), context.peer().encode(), request))

    return {
        ECHO: grpc.unary_unary_rpc_method_handler(echo),
        HEALTH_CHECK: grpc.unary_unary_rpc_method_handler(lambda _request, _context: SERVING),
    }


def connection_of(response: bytes) -> tuple[str, str]:
    """The two ends of the connection of this Echo response: the backend's address, and its peer."""
    backend, peer, _request = response.split(b"\t", 2)
    return backend.decode(), peer.decode()


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
    def __init__(self, address: str) -> None:
        self._handlers = handlers(address)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return self._handlers.get(details.method)


def serve(address: str, port: int, open_at: float, grace_seconds: float) -> None:
    """Serve until SIGTERM, then drain and return."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stop.set())
    if stop.wait(max(0.0, open_at - time.monotonic())):
        return
    # Without SO_REUSEPORT a taken port is an error instead of traffic shared with a stranger.
    server = grpc.server(ThreadPoolExecutor(max_workers=4), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((_Methods(address),))
    server.add_insecure_port(f"{address}:{port}")
    server.start()
    stop.wait()
    server.stop(grace_seconds).wait(grace_seconds + 1)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
