"""Informers over real HTTP, under any history of changes, faults and clocks: they end with what the server has.

A phantom (an object that is gone and still known) can only come from a missed deletion: a watch that was cut, a list
that expired on the way, an event that was lost with its connection.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from tests.support.deadline import PATIENCE_SECONDS

from steerway.sources.kubernetes import KubernetesOptions, KubernetesSource, watcher
from steerway.sources.objects import Service
from steerway.sources.store import ObjectStore
from steerway.testing.fake_api_server import FakeApiServer

_PAGE = 3
_NAMES = "abcde"
_ANY = st.sampled_from(_NAMES)
_CHANGES = st.one_of(
    st.tuples(st.just("put"), _ANY, st.integers(1, 9)),
    st.tuples(st.just("delete"), _ANY),
    st.tuples(st.sampled_from(["expire", "expire in stream"])),
)
_STEPS = st.one_of(
    _CHANGES,
    st.tuples(st.just("outage"), st.lists(_CHANGES, max_size=5), st.booleans()),
    st.tuples(
        st.sampled_from(
            ["settle", "turns", "drop watches", "end watches", "error in stream", "bookmark", "garble"]
        )
    ),
    st.tuples(
        st.just("refuse"), st.sampled_from(["list", "watch"]), st.sampled_from([403, 410, 429, 500, 504])
    ),
    st.tuples(st.just("set the clock"), st.sampled_from([-86_400.0, 86_400.0])),
)


def _service(name: str, port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": [{"port": port}]},
    }


class _World:
    """The server, what it has, and an informer that follows it."""

    def __init__(self, server: FakeApiServer) -> None:
        self.server = server
        self.there: dict[str, int] = {}
        self.store = ObjectStore()
        self.store.register("kubernetes")
        self.changed = asyncio.Event()
        self.store.listen(lambda _: self.changed.set())
        self.clock = 0.0

    def known(self) -> dict[str, int]:
        services = (found for found in self.store.objects() if isinstance(found, Service))
        return {found.metadata.name: (found.spec.ports or [])[0].port for found in services}

    async def do(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("put", name, port):
                self.there[name] = port
                self.server.put(_service(name, port))
            case ("delete", name) if name in self.there:
                del self.there[name]
                self.server.delete("Service", "default", name)
            case ("drop watches",):
                self.server.drop_watches()
            case ("end watches",):
                self.server.end_watches()
            case ("error in stream",):
                self.server.end_watches(500)
            case ("expire",):
                self.server.expire()
            case ("expire in stream",):
                self.server.expire(in_stream=True)
                self.server.end_watches(410)
            case ("bookmark",):
                self.server.bookmark()
            case ("garble",):
                self.server.send(b'{"type": "MODIFIED", "obj\n')
            case ("refuse", verb, status):
                self.server.fail(status, verb=verb)
            case ("outage", meanwhile, forgets):
                await self.server.stop()
                for each in meanwhile:
                    await self.do(each)
                if forgets:
                    self.server.expire()
                await self.server.start()
            case ("set the clock", by):
                self.clock += by
            case ("settle",):
                await self.settle()
            case ("turns",):
                for _ in range(50):
                    await asyncio.sleep(0)

    async def settle(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (self.store.synced and self.known() == self.there):
                self.changed.clear()
                await self.changed.wait()


async def _run(steps: list[tuple[Any, ...]], folder: Path) -> None:
    async with FakeApiServer() as server:
        world = _World(server)
        real = time.time
        options = KubernetesOptions(server.write_kubeconfig(folder / "kubeconfig"))
        with mock.patch("time.time", lambda: real() + world.clock):
            following = asyncio.create_task(KubernetesSource(options, world.store).run())
            try:
                for name in _NAMES:
                    await world.do(("put", name, 1))
                await world.settle()
                for step in steps:
                    await world.do(step)
                await world.settle()
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)


@given(st.lists(_STEPS, max_size=25))
def test_no_phantom_stays_and_nothing_is_missed(steps: list[tuple[Any, ...]]) -> None:
    """Whatever was cut, lost, refused or set back on the way."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(watcher, "PAGE_SIZE", _PAGE),
        mock.patch.object(watcher, "FIRST_WAIT_SECONDS", 0.001),
        mock.patch.object(watcher, "LONGEST_WAIT_SECONDS", 0.01),
        mock.patch.object(watcher, "HASTE_SECONDS", 0.0),
    ):
        asyncio.run(_run(steps, Path(folder)))
