"""A grpcio client that runs commands: the commands and lines of testbed/interop/grpc_go/main.go, word for word.

It is a process of its own, because C-core reads the bootstrap file once per process.
"""

import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import grpc
import grpc.aio
import grpc.experimental

_METHOD = "/steerway.test.Backend/Name"
_DEADLINE_SECONDS = 20.0
_XDS_CREDENTIALS = grpc.xds_channel_credentials(grpc.experimental.insecure_channel_credentials())
"""Those of the Cluster, plaintext where it has none."""


def write_line(**line: object) -> None:
    """Write one line of JSON."""
    print(json.dumps(line), flush=True)


@dataclass(frozen=True)
class Request:
    """What a call is: its method, its metadata, and how long it is waited for."""

    method: str = _METHOD
    metadata: tuple[tuple[str, str], ...] = ()
    deadline_seconds: float = _DEADLINE_SECONDS
    message: bytes = b""

    @classmethod
    def of(cls, command: dict[str, Any], message: bytes = b"") -> Self:
        """That of a command, as far as it is set."""
        return cls(
            command.get("method", _METHOD),
            tuple(command.get("metadata", {}).items()),
            command.get("deadline_seconds", _DEADLINE_SECONDS),
            message,
        )


class Channel:
    """One channel and its load."""

    def __init__(self, name: str, target: str, idle_seconds: float, xds_credentials: bool) -> None:
        options: list[tuple[str, Any]] = [
            ("grpc.use_local_subchannel_pool", 1),  # else channels to the same backends share connections
            ("grpc.enable_http_proxy", 0),
        ]
        if idle_seconds:
            options.append(("grpc.client_idle_timeout_ms", round(idle_seconds * 1000)))
        self._name = name
        self._channel = (
            grpc.aio.secure_channel(target, _XDS_CREDENTIALS, options=options)
            if xds_credentials
            else grpc.aio.insecure_channel(target, options=options)
        )
        self._methods: dict[str, grpc.aio.UnaryUnaryMultiCallable] = {}
        self._sending = False
        self._load: asyncio.Task[None] | None = None
        self._states = asyncio.create_task(self._report_states())

    async def _report_states(self) -> None:
        while True:
            current = self._channel.get_state()
            write_line(channel=self._name, state=current.name)
            await self._channel.wait_for_state_change(current)

    async def _call(self, request: Request) -> None:
        call = self._method(request.method)(
            request.message, metadata=request.metadata, timeout=request.deadline_seconds
        )
        try:
            backend, code, error = (await call).decode(), 0, ""
        except grpc.aio.AioRpcError as failure:
            backend, code, error = "", failure.code().value[0], failure.details()
        metadata = _joined([*(await call.initial_metadata()), *(await call.trailing_metadata())])
        write_line(channel=self._name, backend=backend, code=code, error=error, metadata=metadata)

    def _method(self, name: str) -> grpc.aio.UnaryUnaryMultiCallable:
        return self._methods.setdefault(name, self._channel.unary_unary(name))

    async def call(self, id: int, count: int, request: Request) -> None:
        """Calls one after another."""
        for _ in range(count):
            await self._call(request)
        write_line(channel=self._name, done=id)

    def start(self, rate: float, request: Request) -> None:
        """Send calls at a fixed rate, whatever becomes of the earlier ones."""
        self._sending = True
        self._load = asyncio.create_task(self._send(rate, request))

    async def _send(self, rate: float, request: Request) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with asyncio.TaskGroup() as calls:
            while self._sending:
                calls.create_task(self._call(request))
                due += 1 / rate
                await asyncio.sleep(due - loop.time())

    async def stop(self, id: int) -> None:
        """End the load and wait for its last call."""
        self._sending = False
        assert self._load is not None
        await self._load
        write_line(channel=self._name, done=id)

    async def gather(self, id: int, count: int, request: Request) -> None:
        """Send `count` calls at once."""
        await asyncio.gather(*(self._call(request) for _ in range(count)))
        write_line(channel=self._name, done=id)


def _joined(metadata: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    """Metadata that is text, several values of a name with commas."""
    results: dict[str, list[str]] = {}
    for name, value in metadata:
        if isinstance(value, str):
            results.setdefault(name, []).append(value)
    return {name: ", ".join(values) for name, values in results.items()}


async def main() -> None:
    """Run the commands on standard input, until it ends."""
    channels: dict[str, Channel] = {}
    running: set[asyncio.Task[None]] = set()
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        name, id, count = command["channel"], command.get("id", 0), command.get("count", 0)
        match command["do"]:
            case "dial":
                target, idle_seconds = command["target"], command["idle_seconds"]
                channels[name] = Channel(name, target, idle_seconds, command.get("xds_credentials", False))
            case "start":
                channels[name].start(command["rate"], Request.of(command))
            case "call":
                running.add(asyncio.create_task(channels[name].call(id, count, Request.of(command))))
            case "stop":
                running.add(asyncio.create_task(channels[name].stop(id)))
            case "gather":
                request = Request.of(command, str(count).encode())
                running.add(asyncio.create_task(channels[name].gather(id, count, request)))
            case unknown:
                raise ValueError(f"command {unknown!r}: nothing to do")


if __name__ == "__main__":
    asyncio.run(main())
