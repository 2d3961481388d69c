"""One client fleet: the process that sends the load.

Run as `python -m demo.client TARGET POLICY RATE SECONDS DEADLINE CLIENTS`, times in seconds. POLICY is the
name of a gRPC load balancing policy; an xDS target brings its own.

Load is open loop: request i is due at start + i/RATE whatever became of the earlier ones, because waiting
for answers would hide an outage (coordinated omission). Calls fail fast (no wait-for-ready) and have a
deadline.

It speaks lines of JSON. Out: `{"connected": true}` when every channel got its first answer (not measured);
then, after the line with the monotonic start time came in, every 0.1 s a list of results `[due, done, code,
backend, peer]`, with times in seconds after the start, a status code name and the two ends of the connection
that carried the answer, as the backend knows them ("" on error); at the end one object with
`max_late_seconds`, how late the latest request was sent, and `details`, the first error text of each code.
"""

import asyncio
import itertools
import json
import sys
import time
from typing import Any

import grpc
import grpc.aio

from demo.echo import ECHO, connection_of

_FLUSH_SECONDS = 0.1
_CONNECT_SECONDS = 30.0
_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),  # else the channels of this process would share connections
    ("grpc.enable_http_proxy", 0),
]


class Load:
    """The requests of one fleet and their results."""

    def __init__(self, channels: list[grpc.aio.Channel], deadline_seconds: float) -> None:
        self._calls = [channel.unary_unary(ECHO) for channel in channels]
        self._deadline_seconds = deadline_seconds
        self._results: list[tuple[float, float, str, str, str]] = []
        self._details: dict[str, str] = {}
        self._max_late_seconds = 0.0

    async def connect(self) -> None:
        """Get one answer over every channel."""
        first = (call(b"first", timeout=_CONNECT_SECONDS, wait_for_ready=True) for call in self._calls)
        await asyncio.gather(*first)

    async def run(self, start: float, rate: float, seconds: float) -> None:
        """Send at `rate` from the monotonic time `start` on and report until the last result is in."""
        pending: set[asyncio.Task[None]] = set()
        flush = asyncio.create_task(self._flush_for_ever())
        for index in itertools.count():
            due = index / rate
            if due >= seconds:
                break
            delay = start + due - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            self._max_late_seconds = max(self._max_late_seconds, time.monotonic() - start - due)
            task = asyncio.create_task(self._send(start, due, self._calls[index % len(self._calls)]))
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.gather(*pending)
        flush.cancel()
        self._flush()
        write_line({"max_late_seconds": self._max_late_seconds, "details": self._details})

    async def _send(self, start: float, due: float, call: Any) -> None:
        try:
            response = await call(b"hello", timeout=self._deadline_seconds)
        except grpc.aio.AioRpcError as error:
            code, backend, peer = error.code().name, "", ""
            self._details.setdefault(code, error.details() or "")
        else:
            code = "OK"
            backend, peer = connection_of(response)
        self._results.append((round(due, 4), round(time.monotonic() - start, 4), code, backend, peer))

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            self._flush()

    def _flush(self) -> None:
        if self._results:
            write_line(self._results)
            self._results = []


def write_line(message: object) -> None:
    """Write one line of JSON to the parent."""
    print(json.dumps(message, separators=(",", ":")), flush=True)


def connect_channels(target: str, policy: str, clients: int) -> list[grpc.aio.Channel]:
    """One channel for each client."""
    service_config = json.dumps({"loadBalancingConfig": [{policy: {}}]})
    options = [*_OPTIONS, ("grpc.service_config", service_config)]
    return [grpc.aio.insecure_channel(target, options=options) for _ in range(clients)]


async def main(
    target: str, policy: str, rate: float, seconds: float, deadline_seconds: float, clients: int
) -> None:
    """Connect, wait for the start time on standard input, send the load."""
    channels = connect_channels(target, policy, clients)
    load = Load(channels, deadline_seconds)
    await load.connect()
    write_line({"connected": True})
    line = await asyncio.to_thread(sys.stdin.readline)
    if line:  # an empty line is the end of the parent
        await load.run(float(line), rate, seconds)
    await asyncio.gather(*(channel.close() for channel in channels))


if __name__ == "__main__":
    _target, _policy, _rate, _seconds, _deadline, _clients = sys.argv[1:]
    asyncio.run(main(_target, _policy, float(_rate), float(_seconds), float(_deadline), int(_clients)))
