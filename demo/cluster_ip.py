"""The ClusterIP of a Service: kube-proxy in its iptables and nftables modes, as far as TCP clients notice it.

Run as `python -m demo.cluster_ip ADDRESS PORT`; pods listen on the same port. Each line of standard input is a
JSON object `{"ready": [ADDRESS, …], "terminating": [ADDRESS, …]}`, the state of the EndpointSlice. It prints
`listening` when connections are accepted.

kube-proxy writes packet rules, at most once a second (`minSyncPeriod`). For a new connection they choose one
ready pod at random, or a serving terminating one if none is ready (KEP-1669), or reject it if there is none.
Connection tracking keeps an established connection at its pod, terminating or not, until one side closes it;
rules never move or end a TCP connection. A connection that the pod refuses is not tried at another pod.

Modelled: the choice, its delay, the pinning and the end of connections, by one forwarded TCP connection per
client connection. Not modelled: packets (a forwarder adds a fraction of a millisecond, packet rules do not),
session affinity, traffic distribution, IPVS.
"""

import asyncio
import json
import random
import socket
import struct
import sys
import time
from collections.abc import Sequence

from demo.child import Child, Children
from demo.manifests import Endpoint

LISTENING = "listening"
MIN_SYNC_SECONDS = 1.0
"""kube-proxy's default `minSyncPeriod`."""
_START_SECONDS = 20.0
_CHUNK_BYTES = 64 << 10
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with a timeout of 0: closing sends RST, as the REJECT rule of a Service without endpoints does."""


class ClusterIp:
    """The parent's side: the process that forwards, and the state that it gets."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @classmethod
    async def start(cls, children: Children, address: str, port: int) -> "ClusterIp":
        """Start the process and wait until it accepts connections on `address`."""
        command = (sys.executable, "-m", "demo.cluster_ip", address, str(port))
        child = await children.start("cluster IP", command)
        await child.read_line(_START_SECONDS)
        return cls(child)

    def publish(self, endpoints: Sequence[Endpoint]) -> None:
        """Send the state of the EndpointSlice."""
        state: dict[str, list[str]] = {"ready": [], "terminating": []}
        for endpoint in endpoints:
            state["terminating" if endpoint.terminating else "ready"].append(endpoint.address)
        self._child.write_line(json.dumps(state))


class Rules:
    """The endpoints that new connections may get."""

    def __init__(self) -> None:
        self._endpoints: list[str] = []
        self._next_sync = 0.0
        self._pending: asyncio.TimerHandle | None = None

    def update(self, ready: list[str], terminating: list[str]) -> None:
        """Use these endpoints from the next sync on: at once, unless the last one is less than 1 s old."""
        if self._pending is not None:
            self._pending.cancel()
        delay = max(0.0, self._next_sync - time.monotonic())
        endpoints = ready or terminating
        if delay == 0:
            self._sync(endpoints)
        else:
            self._pending = asyncio.get_running_loop().call_later(delay, self._sync, endpoints)

    def choose(self) -> str | None:
        """The endpoint of a new connection; None if the Service has none."""
        return random.choice(self._endpoints) if self._endpoints else None

    def _sync(self, endpoints: list[str]) -> None:
        self._endpoints = endpoints
        self._next_sync = time.monotonic() + MIN_SYNC_SECONDS
        self._pending = None


class Forwarder:
    """Forwards each connection to the pod that `Rules` choose for it, for the life of the connection."""

    def __init__(self, rules: Rules, port: int) -> None:
        self._rules = rules
        self._port = port

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client connection until both sides are closed."""
        endpoint = self._rules.choose()
        if endpoint is None:
            _reset(writer)
            return
        try:
            pod_reader, pod_writer = await asyncio.open_connection(endpoint, self._port)
        except OSError:
            _reset(writer)
            return
        await asyncio.gather(
            _copy(reader, pod_writer, back=writer), _copy(pod_reader, writer, back=pod_writer)
        )
        pod_writer.close()
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    if writer.is_closing():
        return
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
    """Copy until `source` ends, then end `sink`; a broken connection breaks the one on the other side too."""
    try:
        while data := await source.read(_CHUNK_BYTES):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
    except OSError:
        for writer in (sink, back):
            _reset(writer)


async def main(address: str, port: int) -> None:
    """Forward until standard input ends."""
    rules = Rules()
    server = await asyncio.start_server(Forwarder(rules, port).forward, address, port)
    print(LISTENING, flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        rules.update(**json.loads(line))
    server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
