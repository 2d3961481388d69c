"""A gRPC server in this process that reports its health (`grpc.health.v1`), and answers with its address."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


class _Identity(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
    def __init__(self) -> None:
        self.address = ""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """What grpcio asks for each call."""
        if not details.method.startswith("/steerway.test."):
            return None
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: self.address.encode())


class HealthBackend:
    """`HOST:PORT`, and its word on a service."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._health = health.HealthServicer()
        owner = _Identity()
        self._server = grpc.server(
            ThreadPoolExecutor(8), handlers=(owner,), options=[("grpc.so_reuseport", 0)]
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        owner.address = self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self.write_line(well=True)
        self._server.start()

    def write_line(self, well: bool) -> None:
        """Be well from now on, or not. Calls are answered either way."""
        status = health_pb2.HealthCheckResponse
        self._health.set(self._service, status.SERVING if well else status.NOT_SERVING)

    def close(self) -> None:
        self._server.stop(0).wait()


@contextmanager
def health_backends(service: str, count: int) -> Iterator[list[HealthBackend]]:
    """Some of them, until the context ends."""
    backends = [HealthBackend(service) for _ in range(count)]
    try:
        yield backends
    finally:
        for health_backend in backends:
            health_backend.close()
