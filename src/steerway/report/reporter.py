"""The part that reports: holds the Lease if it can, and writes Events while it does.

Nothing of it matters to clients: whatever fails here is told in the log and tried again, and serving goes on.
"""

import asyncio
import os
import secrets
import socket
import time
from pathlib import Path

import structlog

from steerway.errors import SourceError
from steerway.report.events import EventQueue, EventWriter, Problems
from steerway.report.holder import LeaseHolder
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.namespace import detect_namespace

log = structlog.get_logger()

_AGAIN_SECONDS = 30.0
_LOOK_SECONDS = 1.0
"""How often problems are looked at: they are a list in memory, and an Event is no alarm."""


class Reporter:
    """Tells the owners of objects in one API server what of them is not served.

    `problems` gives those of objects that came from it. The Lease is `lease` in `namespace` (None: the own one).
    """

    def __init__(
        self,
        kubeconfig: Path | None,
        context: str | None,
        problems: Problems,
        namespace: str | None,
        lease: str,
    ) -> None:
        self.name = "reporter"
        self._kubeconfig = kubeconfig
        self._context = context
        self._problems = problems
        self._namespace = namespace
        self._lease = lease
        self._identity = f"{socket.gethostname()}_{secrets.token_hex(4)}"

    async def run(self) -> None:
        """Report until cancelled, whatever happens: an answer that nobody thought of must not end the control plane."""
        while True:
            try:
                await self._report()
            except Exception as error:
                log.exception("reporter_failed", reason=repr(error), retry_in_seconds=_AGAIN_SECONDS)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _report(self) -> None:
        try:
            access = Access.find(self._kubeconfig, self._context)
        except SourceError:  # the source of the objects says it, and ends the program
            await asyncio.Event().wait()
            raise
        client = KubernetesClient(access)
        namespace = self._namespace or detect_namespace(os.environ, access.kubeconfigs, access.context)
        holder = LeaseHolder(client, namespace, self._lease, self._identity)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(holder.run())
                tasks.create_task(self._write(holder, EventWriter(client, self._identity)))
        finally:
            await client.close()

    async def _write(self, holder: LeaseHolder, writer: EventWriter) -> None:
        queue = EventQueue()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not holder.held:
                queue = EventQueue()  # who comes after another goes on with its Events
                continue
            queue.look(self._problems(), time.monotonic())
            while holder.held and (told := queue.next()) is not None:
                await writer.write(told)
