"""A grpcio client that does what it is told: the commands and lines of tests/interop/grpc_go/main.go, word for word.

It is a process of its own, because C-core reads the bootstrap file once per process.
"""

import asyncio
import json
import sys
from typing import Any

import grpc
import grpc.aio

_WHO = "/steerway.test.Backend/Who"
_DEADLINE_SECONDS = 20.0


def say(**line: object) -> None:
    """Write one line of JSON."""
    print(json.dumps(line), flush=True)


class Channel:
    """One channel and its load."""

    def __init__(self, name: str, target: str, idle_seconds: float) -> None:
        options: list[tuple[str, Any]] = [
            ("grpc.use_local_subchannel_pool", 1),  # else channels to the same backends share connections
            ("grpc.enable_http_proxy", 0),
        ]
        if idle_seconds:
            options.append(("grpc.client_idle_timeout_ms", round(idle_seconds * 1000)))
        self._name = name
        self._channel = grpc.aio.insecure_channel(target, options=options)
        self._who = self._channel.unary_unary(_WHO)
        self._sending = False
        self._load: asyncio.Task[None] | None = None
        self._states = asyncio.create_task(self._report_states())

    async def _report_states(self) -> None:
        while True:
            current = self._channel.get_state()
            say(channel=self._name, state=current.name)
            await self._channel.wait_for_state_change(current)

    async def _call(self, request: bytes = b"") -> None:
        try:
            answer = await self._who(request, timeout=_DEADLINE_SECONDS)
        except grpc.aio.AioRpcError as error:
            say(channel=self._name, backend="", code=error.code().value[0], error=error.details())
        else:
            say(channel=self._name, backend=answer.decode(), code=0, error="")

    async def call(self, id: int, count: int) -> None:
        """Calls one after another."""
        for _ in range(count):
            await self._call()
        say(channel=self._name, done=id)

    def start(self, rate: float) -> None:
        """Send calls at a fixed rate, whatever becomes of the earlier ones."""
        self._sending = True
        self._load = asyncio.create_task(self._send(rate))

    async def _send(self, rate: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with asyncio.TaskGroup() as calls:
            while self._sending:
                calls.create_task(self._call())
                due += 1 / rate
                await asyncio.sleep(due - loop.time())

    async def stop(self, id: int) -> None:
        """End the load and wait for its last call."""
        self._sending = False
        assert self._load is not None
        await self._load
        say(channel=self._name, done=id)

    async def gather(self, id: int, count: int) -> None:
        """Send `count` calls that the backends answer when all of them are under way."""
        await asyncio.gather(*(self._call(str(count).encode()) for _ in range(count)))
        say(channel=self._name, done=id)


async def main() -> None:
    """Do what the lines of standard input say, until it ends."""
    channels: dict[str, Channel] = {}
    running: set[asyncio.Task[None]] = set()
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        name = command["channel"]
        match command["do"]:
            case "dial":
                channels[name] = Channel(name, command["target"], command["idle_seconds"])
            case "start":
                channels[name].start(command["rate"])
            case "call":
                running.add(asyncio.create_task(channels[name].call(command["id"], command["count"])))
            case "stop":
                running.add(asyncio.create_task(channels[name].stop(command["id"])))
            case "gather":
                running.add(asyncio.create_task(channels[name].gather(command["id"], command["count"])))
            case unknown:
                raise ValueError(f"command {unknown!r}: nothing to do")


if __name__ == "__main__":
    asyncio.run(main())
