"""A grpcio xDS server that runs commands: those of testbed/interop/grpc_go/main.go for servers, with the same lines as
output but for the serving status, which grpcio does not report.

It is a process of its own, because C-core reads the bootstrap file once per process.
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from cryptography import x509

MAX_CALLS = 500
GRACE_SECONDS = 30.0
_PEER, _CERTIFICATE = "peer_spiffe_id", "x509_pem_cert"
"""Properties of the connection of a client with a certificate."""
_OUTPUT = threading.Lock()


def write_line(**line: object) -> None:
    """Write one line of JSON."""
    with _OUTPUT:
        print(json.dumps(line), flush=True)


class Server(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
    """One server, which answers every method with its name."""

    def __init__(self, name: str, address: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._blocked: set[threading.Event] = set()
        self._server = grpc.server(
            ThreadPoolExecutor(MAX_CALLS), handlers=(self,), options=[("grpc.so_reuseport", 0)], xds=True
        )
        # the credentials of the Listener, plaintext where that has none
        credentials = grpc.xds_server_credentials(grpc.insecure_server_credentials())
        self._server.add_secure_port(address, credentials)
        self._server.start()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """What grpcio asks for each call."""
        block = details.method.endswith("/Block")
        return grpc.unary_unary_rpc_method_handler(self._block if block else self._answer)

    def release(self) -> None:
        """Answer the calls that wait."""
        with self._lock:
            blocked, self._blocked = self._blocked, set()
        for ended in blocked:
            ended.set()

    def close(self) -> None:
        """End the server; calls in flight may finish."""
        self._server.stop(GRACE_SECONDS).wait()
        write_line(server=self._name, closed=True)

    def _block(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        ended = threading.Event()
        with self._lock:
            self._blocked.add(ended)
            write_line(server=self._name, blocked=len(self._blocked))
        if context.add_callback(ended.set):
            ended.wait()
        return self._answer(request, context)

    def _answer(self, _request: bytes, context: grpc.ServicerContext) -> bytes:
        properties = context.auth_context()
        identity = next(iter(properties.get(_PEER, ())), b"").decode()
        serials = [
            f"{x509.load_pem_x509_certificate(pem).serial_number:x}"
            for pem in properties.get(_CERTIFICATE, ())
        ]
        context.send_initial_metadata((("peer", identity), ("serial", serials[0] if serials else "")))
        return self._name.encode()


def main() -> None:
    """Run the commands on standard input, until it ends."""
    servers: dict[str, Server] = {}
    for line in sys.stdin:
        command = json.loads(line)
        name = command["server"]
        match command["do"]:
            case "serve":
                servers[name] = Server(name, command["address"])
            case "release":
                servers[name].release()
            case "close":
                threading.Thread(target=servers[name].close).start()
            case unknown:
                raise ValueError(f"command {unknown!r}: nothing to do")


if __name__ == "__main__":
    main()
