"""A FileSource that runs in a task, and the batches that its store reports."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steerway.sources.files import FileSource
from steerway.sources.objects.core import Object, Service
from steerway.sources.store import Changes, ObjectStore
from testbed.process.deadline import PATIENCE_SECONDS


class Running:
    """A source that runs in a task; `batches` has the store's batches, in order."""

    def __init__(self, *paths: Path, **options: Any) -> None:
        self.store = ObjectStore()
        self.store.register("files")
        self.batches: asyncio.Queue[Changes] = asyncio.Queue()
        self.store.listen(self.batches.put_nowait)
        source = FileSource(paths, self.store, "own", **{"files_sync_timeout_seconds": 0.0, **options})
        self._task = asyncio.create_task(source.run())

    async def synced(self) -> None:
        """Wait for the first look; discard its batches."""
        await self.until(lambda: self.store.synced)
        while not self.batches.empty():
            self.batches.get_nowait()

    async def batch(self) -> set[str]:
        """The names of the next batch."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return {key.name for key in await self.batches.get()}

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds after some batch."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await self.batches.get()

    async def problem(self, *parts: str) -> None:
        """Wait until a problem holds all the parts (no part: until there is no problem)."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                texts = [str(problem) for problem in self.store.problems()]
                if any(all(part in text for part in parts) for text in texts) if parts else not texts:
                    return
                await asyncio.sleep(0.005)  # a change of problems alone calls no listener

    def services(self) -> dict[str, int]:
        """Name and first port of each Service."""
        services: dict[str, int] = {}
        for obj in self.store.objects():
            if isinstance(obj, Service) and obj.spec.ports:
                services[obj.metadata.name] = obj.spec.ports[0].port
        return services

    def objects(self) -> list[Object]:
        return list(self.store.objects())

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
