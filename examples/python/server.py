"""Serves the Echo service, with health checks, reflection and a drain on SIGTERM."""

import argparse
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import echo_pb2
import echo_pb2_grpc
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from telemetry import metrics, server_interceptors, tracer_provider

OPTIONS = [
    # Clients may ping once a minute, also without calls.
    ("grpc.http2.min_ping_interval_without_data_ms", 60_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Callers without xDS stay on one connection, so on one pod, until it ends. Longer than the longest call.
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    # A port that another process uses is an error.
    ("grpc.so_reuseport", 0),
]


class Echo(echo_pb2_grpc.EchoServicer):
    def __init__(self, name: str) -> None:
        self.name = name

    def Echo(self, request, context):  # noqa: N802, ARG002 (names of the generated code)
        return echo_pb2.EchoResponse(message=request.message, server=self.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--xds", action="store_true", help="get the server's own configuration by xDS")
    parser.add_argument("--port", type=int, default=50051, help="0 is any, without --xds")
    parser.add_argument("--drain", type=float, default=5.0, help="seconds between SIGTERM and the stop")
    parser.add_argument("--grace", type=float, default=20.0, help="seconds for running calls after that")
    arguments = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with metrics(), tracer_provider() as provider:
        server = grpc.server(
            ThreadPoolExecutor(max_workers=10),
            interceptors=server_interceptors(provider),
            options=OPTIONS,
            xds=arguments.xds,
        )
        port = listen(server, arguments.port, arguments.xds)
        status = serve(server, f"{socket.gethostname()}:{port}")
        print(f"listening on port {port}", flush=True)
        stopped.wait()
        # The readiness probe fails, Kubernetes marks the pod as terminating, the control plane removes it, and clients
        # go elsewhere; then new calls are refused and running ones finish.
        print("draining", flush=True)
        status.enter_graceful_shutdown()
        threading.Event().wait(arguments.drain)
        server.stop(arguments.grace).wait()


def listen(server: grpc.Server, port: int, xds: bool) -> int:
    address = f"0.0.0.0:{port}"
    if not xds:
        return server.add_insecure_port(address)
    credentials = grpc.xds_server_credentials(grpc.insecure_server_credentials())
    server.add_secure_port(address, credentials)
    return port


def serve(server: grpc.Server, name: str) -> health.HealthServicer:
    """Add the services and start the server. The health service has the state of them all."""
    echo_pb2_grpc.add_EchoServicer_to_server(Echo(name), server)
    status = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    status.set("", health_pb2.HealthCheckResponse.SERVING)
    names = [echo_pb2.DESCRIPTOR.services_by_name["Echo"].full_name, health.SERVICE_NAME]
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    server.start()
    return status


if __name__ == "__main__":
    main()
