"""Calls the Echo service: client.py TARGET [CALLS]. With CALLS 0 it calls until SIGTERM."""

import argparse
import signal
import threading

import echo_pb2
import echo_pb2_grpc
import grpc
from grpc import experimental
from telemetry import metrics, traced, tracer_provider

INTERVAL_SECONDS = 0.1
DEADLINE_SECONDS = 5.0
START_DEADLINE_SECONDS = 30.0
"""The start waits for the control plane: gRPC treats a resource as missing after 15 s."""
OPTIONS = [
    # Connections that are silently gone are noticed after both times together, without them after minutes. Servers
    # close connections that are pinged more often than they allow: every 5 minutes by default.
    ("grpc.keepalive_time_ms", 300_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # An idle channel has no stream to the control plane, and its next call waits for one. INT_MAX is never.
    ("grpc.client_idle_timeout_ms", 2**31 - 1),
    # For dns:/// only; an xDS control plane sends the policy. Without it, all calls go to one address.
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="for example xds:///echo.shop:50051 or dns:///echo.shop:50051")
    parser.add_argument("calls", nargs="?", type=int, default=10)
    arguments = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    # Without TLS in the Cluster that the control plane sends, and for other schemes, the fallback applies.
    credentials = grpc.xds_channel_credentials(experimental.insecure_channel_credentials())
    with (
        metrics(),
        tracer_provider() as provider,
        grpc.secure_channel(arguments.target, credentials, OPTIONS) as channel,
    ):
        # Not a first call with wait_for_ready: one made before the control plane can be reached stays queued until its
        # deadline, also when the channel has become ready (grpcio 1.85).
        try:
            grpc.channel_ready_future(channel).result(START_DEADLINE_SECONDS)
        except grpc.FutureTimeoutError:
            raise SystemExit(
                f"{arguments.target} is not ready after {START_DEADLINE_SECONDS:.0f} s"
            ) from None
        echo = echo_pb2_grpc.EchoStub(traced(channel, provider))
        call(echo)
        made = 1
        while made != arguments.calls and not stopped.wait(INTERVAL_SECONDS):
            call(echo)
            made += 1


def call(echo: echo_pb2_grpc.EchoStub) -> None:
    """Make one call and print its result."""
    try:
        answer = echo.Echo(echo_pb2.EchoRequest(message="hello"), timeout=DEADLINE_SECONDS)
    except grpc.RpcError as error:
        print(error.code().name, error.details(), flush=True)
    else:
        print("OK", answer.server, flush=True)


if __name__ == "__main__":
    main()
