"""The fake API server for tests that are not asynchronous themselves."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steerway.testing.fake_api_server import FakeApiServer
from steerway.testing.fake_token_issuer import FakeTokenIssuer
from testbed.manifest import Manifest


class ApiServer:
    """A fake API server on a thread of its own, for tests that are not asynchronous themselves."""

    def __init__(self, kubeconfig: Path) -> None:
        self.issuer = FakeTokenIssuer()
        self.kubeconfig = kubeconfig
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self.do(self._start())

    async def _start(self) -> FakeApiServer:
        server = FakeApiServer()
        await server.start()
        server.issuer = self.issuer
        server.write_kubeconfig(self.kubeconfig)
        return server

    def do(self, work: Any) -> Any:
        """Run a coroutine there, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def put(self, *manifests: Manifest) -> None:
        """Create or replace objects."""

        async def put() -> None:
            self._server.put(*manifests)

        self.do(put())

    def act(self, action: Callable[[FakeApiServer], None]) -> None:
        """Have something done to it, on its thread."""

        async def act() -> None:
            action(self._server)

        self.do(act())

    def objects(self, kind: str) -> list[Manifest]:
        """All objects of a kind."""

        async def objects() -> list[Manifest]:
            return self._server.objects(kind)

        manifests: list[Manifest] = self.do(objects())
        return manifests

    def count(self, verb: str) -> int:
        """How many requests of a verb came so far."""
        return self._server.count(verb)

    def lose(self) -> None:
        """End it; connections with it."""
        self.do(self._server.stop())

    def come_back(self) -> None:
        """Listen again, with the objects of before."""
        self.do(self._server.start())

    def close(self) -> None:
        """End it and its thread."""
        self.lose()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
