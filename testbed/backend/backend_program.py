"""Backends that are opened and closed on command: real gRPC servers, all in this one process.

Run as `python backend_program.py`. Each line on standard input is a JSON command, answered by a JSON line when done::

    {"do": "open", "address": "127.0.0.1:0"}             → {"open": "127.0.0.1:40001"}
    {"do": "close", "address": A}                        → {"closed": A}
    {"do": "fail", "address": A, "code": C, "count": N}  → {"fail": A}      its next N calls end with this status
    {"do": "block", "address": A}                         → {"block": A}      its calls wait for "release", or their end
    {"do": "release", "address": A}                      → {"release": A}
    {"do": "report", "address": A, "percent": U, "errors": E} → {"report": A}  its answers report this load (ORCA)
    {"do": "calls", "address": A}                        → {"calls": [{"method": M, "metadata": {NAME: VALUE}}]}
    {"do": "end", "address": ""}                         → {"end": N}       all N that are open close, their calls end

A backend answers every method with its own address: at once when the request is empty; when it is a number, only once
so many calls wait in all backends together, which shows that they were under way at the same time. "calls" are those
that came since it was last asked, the oldest of very many forgotten.

Closing is what a server does on SIGTERM: GOAWAY, calls in flight may finish.
"""

import json
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from xds.data.orca.v3 import orca_load_report_pb2

MAX_CALLS = 2000
MAX_KEPT = 10_000
GRACE_SECONDS = 5.0
GATHER_SECONDS = 15.0
REPORT = "endpoint-load-metrics-bin"
"""The trailer with an OrcaLoadReport (gRFC A51)."""
REPORTED_RATE = 100.0
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
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

    def end(self) -> None:
        """Let none wait any more, and start anew."""
        with self._lock:
            for barrier in self._barriers.values():
                barrier.abort()
            self._barriers.clear()


class Backend(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
    """One server."""

    def __init__(self, address: str, pool: ThreadPoolExecutor, gatherings: Gatherings) -> None:
        self._gatherings = gatherings
        self._lock = threading.Lock()
        self._came: deque[dict[str, Any]] = deque(maxlen=MAX_KEPT)
        self._failures: deque[grpc.StatusCode] = deque()
        self._blocked: set[threading.Event] | None = None
        self._trailer: tuple[tuple[str, bytes], ...] = ()
        self._server = grpc.server(pool, handlers=(self,), options=_OPTIONS)
        self.address = f"{address.rpartition(':')[0]}:{self._server.add_insecure_port(address)}"
        self._server.start()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """What grpcio asks for each call."""
        metadata = {name: value for name, value in details.invocation_metadata if isinstance(value, str)}
        with self._lock:
            self._came.append({"method": details.method, "metadata": metadata})
        return grpc.unary_unary_rpc_method_handler(self._answer)

    def fail(self, code: int, count: int) -> None:
        """End the next calls with this status."""
        with self._lock:
            self._failures = deque([_CODES[code]] * count)

    def block(self) -> None:
        """Let calls wait from now on."""
        with self._lock:
            self._blocked = set()

    def release(self) -> None:
        """Answer those that wait, and let none wait any more."""
        with self._lock:
            blocked, self._blocked = self._blocked or set(), None
        for ended in blocked:
            ended.set()

    def report(self, percent: int, errors: int) -> None:
        """Report load and percentage of failed calls with each answer, by the same rate of calls."""
        load = orca_load_report_pb2.OrcaLoadReport(
            cpu_utilization=percent / 100, rps_fractional=REPORTED_RATE, eps=REPORTED_RATE * errors / 100
        )
        self._trailer = ((REPORT, load.SerializeToString()),)

    def take_calls(self) -> list[dict[str, Any]]:
        """The calls that came since the last time."""
        with self._lock:
            taken = list(self._came)
            self._came.clear()
        return taken

    def close(self, seconds: float = GRACE_SECONDS) -> None:
        """Stop, and return when no call is left; those that are left after the time are cancelled."""
        self._server.stop(seconds).wait()

    def _answer(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if request:
            self._gatherings.join(int(request))
        ended = threading.Event()
        with self._lock:
            blocked, failure = self._blocked, self._failures.popleft() if self._failures else None
            if blocked is not None:
                blocked.add(ended)
        if blocked is not None and context.add_callback(ended.set):
            ended.wait()
        context.set_trailing_metadata(self._trailer)
        if failure is not None:
            context.abort(failure, f"{self.address} is set to fail")
        return self.address.encode()


class Program:
    """The backends by their addresses, and what is done with them."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._gatherings = Gatherings()
        self._backends: dict[str, Backend] = {}

    def do(self, what: str, address: str, **numbers: int) -> dict[str, Any]:
        """Run a command and return its answer."""
        if what == "open":
            backend = Backend(address, self._pool, self._gatherings)
            self._backends[backend.address] = backend
            return {what: backend.address}
        if what == "close":
            self._backends.pop(address).close()
            return {"closed": address}
        if what == "end":
            return {what: self.end()}
        backend = self._backends[address]
        if what == "calls":
            return {what: backend.take_calls()}
        orders: dict[str, Callable[..., None]] = {
            "fail": backend.fail,
            "block": backend.block,
            "release": backend.release,
            "report": backend.report,
        }
        orders[what](**numbers)
        return {what: address}

    def end(self) -> int:
        """Close all that are open, without the time to finish calls, and return their number."""
        count = len(self._backends)
        self._gatherings.end()
        while self._backends:
            _, backend = self._backends.popitem()
            backend.release()
            backend.close(0)
        return count


def main() -> None:
    """Run the commands on standard input, until it ends."""
    with ThreadPoolExecutor(MAX_CALLS) as pool:
        program = Program(pool)
        for line in sys.stdin:
            command = json.loads(line)
            print(json.dumps(program.do(command.pop("do"), **command)), flush=True)
        program.end()


if __name__ == "__main__":
    main()
