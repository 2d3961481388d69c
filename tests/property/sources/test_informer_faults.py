"""Informers over real HTTP, under any history of changes, faults and clocks: they end with what the server has.

A phantom (an object that is gone and still known) can only come from a missed deletion: a watch that was cut, a list
that expired on the way, an event that was lost with its connection, a watch that is silent since its server is gone, an
etcd that was restored from a backup. The clock of the event loop is moved past silences.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from steerway.config import KubernetesSettings
from steerway.sources.kubernetes import KubernetesOptions, KubernetesSource, watcher
from steerway.sources.objects.core import Service
from steerway.sources.store import ObjectStore
from steerway.testing.fake_api_server import FakeApiServer
from testbed.process.deadline import PATIENCE_SECONDS
from tests.support.fast_forward import FastForwardLoop

_PAGE = 3
_MARK = 1000
"""A port from here on is one that no change sets: what was known before a restoration differs from what is after it."""
_PAST_SILENCE_SECONDS = 151.0
"""Longer than any watch may be silent, jitter included."""
_TURNS = 50
"""Of the event loop: enough for a line to arrive."""
_MOST_SILENCES = 1000
"""Far more than are needed until all is known, each a few turns of the loop."""
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
    st.tuples(st.sampled_from(["freeze", "pause", "answer again", "back up"])),
    st.tuples(st.just("pass"), st.sampled_from([45.0, _PAST_SILENCE_SECONDS])),
    st.tuples(
        st.just("restore"),
        st.sampled_from(["drop watches", "end watches", "outage", "bookmark"]),
        st.lists(_CHANGES, max_size=5),
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

    def __init__(self, server: FakeApiServer, loop: FastForwardLoop) -> None:
        self.server = server
        self.loop = loop
        self.there: dict[str, int] = {}
        self.store = ObjectStore()
        self.store.register("kubernetes")
        self.changed = asyncio.Event()
        self.store.listen(lambda _: self.changed.set())
        self.clock = 0.0
        self.backup = server.backup(), self.there

    def known(self) -> dict[str, int]:
        services = (obj for obj in self.store.objects() if isinstance(obj, Service))
        return {service.metadata.name: (service.spec.ports or [])[0].port for service in services}

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
                for item in meanwhile:
                    await self.do(item)
                if forgets:
                    self.server.expire()
                await self.server.start()
            case ("set the clock", by):
                self.clock += by
            case ("freeze",):
                self.server.freeze_watches()
            case ("pause",):
                self.server.pause_watches()
            case ("answer again",):
                self.server.pause_watches(False)
            case ("pass", seconds):
                self.loop.forward(seconds)
            case ("back up",):
                self.back_up()
            case ("restore", way, meanwhile):
                await self.restore(way, meanwhile)
            case ("settle",):
                await self.settle()
            case ("turns",):
                await _turns()

    def back_up(self) -> None:
        self.backup = self.server.backup(), dict(self.there)

    async def restore(self, way: str, meanwhile: Iterable[tuple[Any, ...]]) -> None:
        """Go back to the backup, and change things before the watches that are cut, or not, come back.

        The informer has seen the last version, and the server stays behind it until it has noticed: one that has
        caught up, with other objects, answers a watch as if nothing had happened, and gives no sign of the restoration.
        """
        seen = self.server.resource_version + 1
        await self.do(("put", "a", _MARK + seen))
        await self.settle()
        if way == "outage":
            await self.server.stop()
        stored, there = self.backup
        self.server.restore(stored)
        self.there = dict(there)
        for item in meanwhile:
            if self.server.resource_version + 1 < seen:
                await self.do(item)
        if way == "outage":
            await self.server.start()
        else:
            await self.do((way,))
        await self.settle()

    async def settle(self) -> None:
        """Until the informer has what the server has. Time passes only where the server is silent."""
        silences = 0
        while not (self.store.synced and self.known() == self.there):
            self.changed.clear()
            if self.server.silent_watches:
                silences += 1
                assert silences < _MOST_SILENCES, "silent watches are closed, and nothing is learned by it"
                # Repeated while a watch is silent: what has just arrived on one starts its time anew.
                self.loop.forward(_PAST_SILENCE_SECONDS)
                await _turns()
            else:
                await self._news()

    async def _news(self) -> None:
        """A change of the store, or a watch that is silent."""
        waiting = [
            asyncio.create_task(self.changed.wait()),
            asyncio.create_task(
                self.server.until(lambda: bool(self.server.silent_watches), PATIENCE_SECONDS)
            ),
        ]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def _run(steps: list[tuple[Any, ...]], folder: Path, loop: FastForwardLoop) -> None:
    async with FakeApiServer() as server:
        world = _World(server, loop)
        real = time.time
        options = KubernetesOptions(
            server.write_kubeconfig(folder / "kubeconfig"),
            silence_seconds=KubernetesSettings.watch_idle_timeout_seconds,
            stale_seconds=KubernetesSettings.stale_seconds,
        )
        with mock.patch("time.time", lambda: real() + world.clock):
            following = asyncio.create_task(KubernetesSource(options, world.store, loop.time).run())
            try:
                for name in _NAMES:
                    await world.do(("put", name, 1))
                await world.settle()
                world.back_up()
                for step in steps:
                    await world.do(step)
                await world.settle()
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)


@given(st.lists(_STEPS, max_size=25))
def test_no_phantom_stays_and_nothing_is_missed(steps: list[tuple[Any, ...]]) -> None:
    """Whatever was cut, lost, refused, silent or set back on the way."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(watcher, "PAGE_SIZE", _PAGE),
        mock.patch.object(watcher, "FIRST_WAIT_SECONDS", 0.001),
        mock.patch.object(watcher, "LONGEST_WAIT_SECONDS", 0.01),
        mock.patch.object(watcher, "HASTE_SECONDS", 0.0),
        asyncio.Runner(loop_factory=FastForwardLoop) as runner,
    ):
        loop = runner.get_loop()
        assert isinstance(loop, FastForwardLoop)
        runner.run(_run(steps, Path(folder), loop))
