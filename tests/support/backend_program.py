"""Backends that are opened and closed on command: real gRPC servers, all in this one process.

Run as `python backend_program.py`. Each line on standard input is a JSON command, answered by a JSON line when done::

    {"do": "open", "address": "127.0.0.1:0"}   → {"open": "127.0.0.1:40001"}
    {"do": "close", "address": A}              → {"closed": A}

A backend answers `/steerway.test.Backend/Who` with its own address: at once when the request is empty; when it is a
number, only once so many calls wait in all backends together, which shows that they were under way at the same time.

Closing is what a server does on SIGTERM: GOAWAY, calls in flight may finish.
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

WHO = "/steerway.test.Backend/Who"
MAX_CALLS = 2000
GRACE_SECONDS = 5.0
GATHER_SECONDS = 15.0
_OPTIONS = [
    # A taken port is an error instead of traffic shared with a stranger.
    ("grpc.so_reuseport", 0),
    # C-core cancels some calls when 1,000 wait to be taken up; tests begin more than that at once.
    ("grpc.server.max_pending_requests", MAX_CALLS),
    ("grpc.server.max_pending_requests_hard_limit", MAX_CALLS),
]


class Gatherings:
    """Calls that wait for each other, by how many they shall be."""

    def __init__(self) -> None:
        self._barriers: dict[int, threading.Barrier] = {}
        self._lock = threading.Lock()

    def join(self, size: int) -> None:
        """Return when `size` calls have joined; BrokenBarrierError when they do not come."""
        with self._lock:
            barrier = self._barriers.setdefault(size, threading.Barrier(size))
        barrier.wait(GATHER_SECONDS)


class Backend(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
    """One server."""

    def __init__(self, address: str, pool: ThreadPoolExecutor, gatherings: Gatherings) -> None:
        self._gatherings = gatherings
        self._handler = grpc.unary_unary_rpc_method_handler(self._who)
        self._server = grpc.server(pool, handlers=(self,), options=_OPTIONS)
        self.address = f"{address.rpartition(':')[0]}:{self._server.add_insecure_port(address)}"
        self._server.start()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """What grpcio asks for each call."""
        return self._handler if details.method == WHO else None

    def close(self) -> None:
        """Stop, and return when no call is left."""
        self._server.stop(GRACE_SECONDS).wait()

    def _who(self, request: bytes, _context: grpc.ServicerContext) -> bytes:
        if request:
            self._gatherings.join(int(request))
        return self.address.encode()


def main() -> None:
    """Do what the lines of standard input say, until it ends."""
    backends: dict[str, Backend] = {}
    gatherings = Gatherings()
    with ThreadPoolExecutor(MAX_CALLS) as pool:
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "open":
                backend = Backend(command["address"], pool, gatherings)
                backends[backend.address] = backend
                print(json.dumps({"open": backend.address}), flush=True)
            else:
                backends.pop(command["address"]).close()
                print(json.dumps({"closed": command["address"]}), flush=True)
        for backend in backends.values():
            backend.close()


if __name__ == "__main__":
    main()
