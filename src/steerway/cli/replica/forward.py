"""Connections to a port of a pod through the API server, as `kubectl port-forward` makes them.

One WebSocket carries one connection (`v4.channel.k8s.io`, docs/decisions/0043-port-forward.md). The runtime dials the
port on the pod's loopback interface, so the admin server need not listen on the pod's address.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient

PROTOCOL = "v4.channel.k8s.io"
_DATA = 0
_PORT_BYTES = 2
"""The first message of each channel is the number of the port (k8s.io/cri-streaming: portforward/websocket.go)."""
_CHUNK_BYTES = 2**16
MISSING_RULE = "{apiGroups: [''], resources: [pods/portforward], verbs: [get, create]}"
"""What a user needs: `create` since Kubernetes 1.35, `get` before (and from some proxies)."""


@dataclass(slots=True)
class PortForward:
    """The way to one port of one pod. `failure`: why the last connection failed, "" when it did not."""

    client: KubernetesClient
    namespace: str
    pod: str
    port: int
    failure: str = ""

    @contextlib.asynccontextmanager
    async def on_socket(self, path: Path) -> AsyncGenerator[None, None]:
        """Accept connections on a Unix socket and forward each."""
        async with _served(self._forward, lambda accept: asyncio.start_unix_server(accept, path)):
            yield

    @contextlib.asynccontextmanager
    async def on_loopback(self, port: int) -> AsyncGenerator[int, None]:
        """Accept connections on a port of loopback (0: a free one) and forward each. Raises OSError."""
        async with _served(
            self._forward, lambda accept: asyncio.start_server(accept, "127.0.0.1", port)
        ) as server:
            yield server.sockets[0].getsockname()[1]

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}/portforward"
        try:
            async with self.client.websocket(path, {"ports": str(self.port)}, PROTOCOL) as socket:
                self.failure = ""
                up = asyncio.create_task(_upload(reader, socket))
                try:
                    await self._download(socket, writer)
                finally:
                    up.cancel()
        except RequestError as error:
            self.failure = _explained(error, self.pod, self.namespace)
        except OSError:
            pass  # the local side left

    async def _download(self, socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> None:
        begun: set[int] = set()
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, content = message.data[0], message.data[1:]
            if channel not in begun:
                begun.add(channel)
                content = content[_PORT_BYTES:]
            if content and channel == _DATA:
                writer.write(content)
                await writer.drain()
            elif content:
                reason = content.decode(errors="replace").strip()
                self.failure = f"port-forward to pod {self.namespace}/{self.pod}: {reason}"


async def _upload(reader: asyncio.StreamReader, socket: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(aiohttp.ClientError, OSError):  # the reader of the socket reports its end
        while content := await reader.read(_CHUNK_BYTES):
            await socket.send_bytes(bytes([_DATA]) + content)
        await socket.close()  # the protocol has no half-closed connections


def _explained(error: RequestError, pod: str, namespace: str) -> str:
    if error.failure.status == 403:
        return (
            f"port-forward to pod {namespace}/{pod}: {error.failure.message or error}; add {MISSING_RULE} to the rules"
            f" of a Role in namespace {namespace} that is bound to this user"
        )
    if error.failure.status == 404:
        return f"pod {namespace}/{pod} is gone"
    return f"port-forward to pod {namespace}/{pod}: {error}"


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]
Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


@contextlib.asynccontextmanager
async def _served(
    handle: Handler, start: Callable[[Accept], Awaitable[asyncio.Server]]
) -> AsyncGenerator[asyncio.Server, None]:
    """A server whose connections end with it."""
    tasks: set[asyncio.Task[None]] = set()

    # No coroutine: before Python 3.12 asyncio reports its cancellation as an error.
    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(handle(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(lambda _: writer.close())

    server = await start(accept)
    try:
        yield server
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
