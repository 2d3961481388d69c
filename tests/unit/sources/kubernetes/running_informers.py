"""A KubernetesSource that runs in a task against a fake API server."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steerway.config import KubernetesSettings
from steerway.sources.kubernetes import KubernetesOptions, KubernetesSource
from steerway.sources.objects.core import ObjectKey, Service
from steerway.sources.store import Changes, ObjectStore
from testbed.process.deadline import PATIENCE_SECONDS


def service(name: str, port: Any = 80, namespace: str = "default") -> dict[str, Any]:
    """A Service manifest."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": port}]}}


class Running:
    """A source that runs; `batches` has the store's batches, in order."""

    def __init__(
        self,
        kubeconfig: Path,
        *,
        context: str | None = None,
        namespaces: Any = None,
        namespace_words: bool = False,
        pods_and_nodes: bool = False,
        policies: bool = False,
        pods_authenticate: bool = False,
        silence_seconds: float = KubernetesSettings.watch_idle_timeout_seconds,
        stale_seconds: float = KubernetesSettings.stale_seconds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = ObjectStore()
        self.store.register("kubernetes")
        self.batches: list[frozenset[ObjectKey]] = []
        self._news = asyncio.Event()
        self.store.listen(self._record)
        options = KubernetesOptions(
            kubeconfig,
            context,
            namespaces,
            namespace_words,
            pods_and_nodes,
            policies=policies,
            pods_authenticate=pods_authenticate,
            silence_seconds=silence_seconds,
            stale_seconds=stale_seconds,
        )
        self.source = KubernetesSource(options, self.store, clock)
        self.task = asyncio.create_task(self.source.run())

    def _record(self, changes: Changes) -> None:
        self.batches.append(frozenset(changes))
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; it is evaluated after each batch."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                if self.task.done():
                    await self.task
                self._news.clear()
                await self._news.wait()

    async def problem(self, *parts: str) -> None:
        """Wait until a problem holds all the parts (no part: until there is none)."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                texts = [str(problem) for problem in self.store.problems()]
                if any(all(part in text for part in parts) for text in texts) if parts else not texts:
                    return
                await asyncio.sleep(0.005)  # a change of problems alone calls no listener

    def ports(self) -> dict[str, int]:
        """Name and first port of each Service."""
        return {
            obj.metadata.name: obj.spec.ports[0].port
            for obj in self.store.objects()
            if isinstance(obj, Service) and obj.spec.ports
        }

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
