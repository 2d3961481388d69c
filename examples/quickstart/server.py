"""A gRPC server that registers itself as an endpoint of the Service `backend`: python server.py PORT

Kubernetes writes the EndpointSlice of a pod, marks it as terminating while the pod stops, and removes it. Without a
cluster the server does so itself, in the folder that `steerway serve --files` reads.
"""

import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

MANIFESTS = Path(__file__).with_name("manifests")
DRAIN_SECONDS = 1.0
"""Time for clients to receive the change before the server stops: in a pod, the preStop hook."""
SLICE = """\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: backend-{port}
  namespace: shop
  labels: {{kubernetes.io/service-name: backend}}
addressType: IPv4
ports: [{{name: grpc, port: {port}}}]
endpoints: [{{addresses: [127.0.0.1], conditions: {{ready: {ready}, serving: true, terminating: {terminating}}}}}]
"""


def publish(port: int, ready: bool) -> Path:
    """Write the EndpointSlice; a rename never shows half a file."""
    file = MANIFESTS / f"backend-{port}.yaml"
    unfinished = file.with_suffix(".unfinished")
    text = SLICE.format(port=port, ready=str(ready).lower(), terminating=str(not ready).lower())
    unfinished.write_text(text, encoding="utf-8")
    return unfinished.rename(file)


def main(port: int) -> None:
    """Serve until SIGTERM or Ctrl-C, then drain."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    # No generated code is needed for a message of plain bytes: the answer is the port.
    hello = grpc.unary_unary_rpc_method_handler(lambda _request, _context: str(port).encode())
    # Without the option a second server with the same port would start, too, and share its EndpointSlice.
    server = grpc.server(ThreadPoolExecutor(10), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("quickstart.Greeter", {"Hello": hello})]
    )
    try:
        server.add_insecure_port(f"127.0.0.1:{port}")
    except RuntimeError:
        sys.exit(
            f"server {port}: the port cannot be bound: stop the process that uses it, or choose another port"
        )
    server.start()
    file = publish(port, ready=True)
    print(f"server {port}: registered in {file.name}", flush=True)

    stopped.wait()
    publish(port, ready=False)
    threading.Event().wait(DRAIN_SECONDS)
    server.stop(grace=5).wait()
    file.unlink(missing_ok=True)
    print(f"server {port}: stopped", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].isdecimal() or not 0 < int(sys.argv[1]) < 65536:
        sys.exit(__doc__)
    main(int(sys.argv[1]))
