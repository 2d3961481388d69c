"""Keeps a model current: event streams of all replicas, lists of those without, and new replicas after a rollout."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from steerway.cli.replica.replica import Replica
from steerway.cli.replica.replicas import Replicas
from steerway.cli.top.model import TOPICS, Model
from steerway.errors import SourceError, SteerwayError

POLL_SECONDS = 2.0
RECONNECT_SECONDS = 1.0
SEARCH_SECONDS = 5.0
"""A replica that fails for this time may have been replaced by another: they are looked for again."""
_PATHS = {
    "services": ("/api/v1/services", "items"),
    "clients": ("/api/v1/clients", "items"),
    "changes": ("/api/v1/changes", "items"),
    "problems": ("/api/v1/problems", "problems"),
}

Connect = Callable[[], AbstractAsyncContextManager[Replicas]]


class Feed:
    """`replicas` are those that are followed now, for requests about single objects. `search`: whether `connect` may
    find others than before."""

    def __init__(self, connect: Connect, model: Model, *, search: bool) -> None:
        self.replicas = Replicas([])
        self._connect = connect
        self._model = model
        self._search = search

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with self._connect() as replicas:
                    self.replicas = replicas
                    reasons = {name: str(error) for name, error in replicas.unavailable.items()}
                    self._model.set_members([member.name for member in replicas.members], reasons)
                    await self._follow_all(replicas)
            except SourceError as error:
                for row in self._model.replicas():
                    self._model.lost(row["id"], str(error))
            await asyncio.sleep(SEARCH_SECONDS)

    async def _follow_all(self, replicas: Replicas) -> None:
        """Follow each, until other replicas are to be looked for."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follow(member, self._model)) for member in replicas.members]
            group.create_task(self._watch(replicas, tasks))

    async def _watch(self, replicas: Replicas, followers: Sequence[asyncio.Task[None]]) -> None:
        """End the followers once others are to be looked for."""
        while True:
            await asyncio.sleep(SEARCH_SECONDS)
            if self._search and self._incomplete(replicas):
                break
        for task in followers:
            task.cancel()

    def _incomplete(self, replicas: Replicas) -> bool:
        return bool(replicas.unavailable) or self._model.failing_seconds() > SEARCH_SECONDS


async def follow(replica: Replica, model: Model) -> None:
    """Follow one replica until cancelled, through its restarts."""
    while True:
        began = False
        with contextlib.suppress(SteerwayError):
            async for event in replica.events(",".join(TOPICS)):
                began = True
                model.apply(replica.name, event)
        if began:
            model.lost(replica.name, "the connection has ended")
            await asyncio.sleep(RECONNECT_SECONDS)
            continue
        # No events: an older version, too many viewers, or no answer at all, which the lists show.
        try:
            await _poll(replica, model)
        except SteerwayError as error:
            model.lost(replica.name, str(error))
        await asyncio.sleep(POLL_SECONDS)


async def _poll(replica: Replica, model: Model) -> None:
    """Raises as `Replica.get`."""
    status = await replica.get("/api/v1/status", {})
    lists = {topic: (await replica.items(path, {}))[field] for topic, (path, field) in _PATHS.items()}
    model.replace(replica.name, {"status": [{**status, "id": ""}], **lists})
