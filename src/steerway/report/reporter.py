"""The writer of Events and statuses, and of other things that one replica writes: active while it has the Lease.

Clients do not depend on it: failures are logged and retried, and serving continues.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from steerway.errors import SourceError
from steerway.report.events import EventQueue, EventWriter, Problems
from steerway.report.holder import LeaseHolder
from steerway.report.refusals import Refusals
from steerway.report.status_entry import Covers
from steerway.report.status_writer import StatusQueue, StatusWriter, Subjects
from steerway.runtime.isolation import isolated
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.namespace import detect_namespace

log = structlog.get_logger()

_AGAIN_SECONDS = 30.0
_LOOK_SECONDS = 1.0
"""Period of reads of problems and statuses, which are in memory."""
_GRANT = (
    "let it get, create and update leases of coordination.k8s.io in its namespace, or set kubernetes.events and"
    " kubernetes.status to false"
)
_STATUSES_AT_ONCE = 8
"""Each is two requests in sequence."""
_MOST_STATUSES = 200
"""Between two reads: the others may change by then."""


@dataclass(frozen=True, slots=True)
class ReporterOptions:
    """The API server, as in `KubernetesOptions`, and the Lease. `lease_namespace` None: the namespace of this pod."""

    kubeconfig: Path | None
    context: str | None
    lease_namespace: str | None
    lease_name: str


class Writer(Protocol):
    """Writes other objects of the API server."""

    async def write(self, client: KubernetesClient, active: Callable[[], bool], namespace: str) -> None:
        """Run until cancelled, and write while `active`: this replica has the Lease. `namespace`: that of this pod."""


class Reporter:
    """Writes to one API server about the objects that came from it.

    `problems` and `refusals` are written as Events, `subjects` as statuses; None: not written. `covers`: whether an
    object is in the scope of this installation. `writers` write while this replica has the Lease. Refusals do not
    depend on the Lease: each replica has its own.
    """

    def __init__(
        self,
        options: ReporterOptions,
        problems: Problems | None,
        subjects: Subjects | None,
        covers: Covers = lambda _: True,
        writers: Sequence[Writer] = (),
        refusals: Refusals | None = None,
    ) -> None:
        self.name = "reporter"
        self._options = options
        self._problems = problems
        self._subjects = subjects
        self._covers = covers
        self._writers = writers
        self._refusals = refusals
        self._identity = f"{socket.gethostname()}_{secrets.token_hex(4)}"

    async def run(self) -> None:
        """Write until cancelled. No response of the API server ends the control plane."""
        while True:
            with isolated("reporter", retry_in_seconds=_AGAIN_SECONDS):
                await self._report()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _report(self) -> None:
        try:
            access = Access.find(self._options.kubeconfig, self._options.context)
        except SourceError:  # the source of the objects raises it, too, and ends the process
            await asyncio.Event().wait()
            raise
        client = KubernetesClient(access)
        own = detect_namespace(os.environ, access.kubeconfigs, access.context)
        where = self._options.lease_namespace or own
        holder = LeaseHolder(client, where, self._options.lease_name, self._identity, _GRANT)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(holder.run())
                events = EventWriter(client, self._identity)
                if self._refusals is not None:
                    tasks.create_task(_write_refusals(events, self._refusals))
                if self._problems is not None:
                    tasks.create_task(self._write_events(holder, events, self._problems))
                if self._subjects is not None:
                    statuses = StatusWriter(client, self._covers)
                    tasks.create_task(self._write_statuses(holder, statuses, self._subjects))
                for writer in self._writers:
                    tasks.create_task(writer.write(client, lambda: holder.active, own))
        finally:
            await client.close()

    async def _write_events(self, holder: LeaseHolder, writer: EventWriter, problems: Problems) -> None:
        queue = EventQueue()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not holder.active:
                queue = EventQueue()  # the next holder continues with its Events
                continue
            queue.look(problems(), time.monotonic())
            while holder.active and (report := queue.next()) is not None:
                await writer.write(report)

    async def _write_statuses(self, holder: LeaseHolder, writer: StatusWriter, subjects: Subjects) -> None:
        queue = StatusQueue()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not holder.active:
                queue = StatusQueue()  # the next holder reads all statuses
                continue
            queue.look(subjects(), time.monotonic())
            for _ in range(_MOST_STATUSES // _STATUSES_AT_ONCE):
                due = [queue.next(time.monotonic()) for _ in range(_STATUSES_AT_ONCE)]
                batch = [subject for subject in due if subject is not None]
                if not batch or not holder.active:
                    break
                pauses = await asyncio.gather(*map(writer.write, batch))
                for subject, pause in zip(batch, pauses, strict=True):
                    if pause:
                        queue.failed(subject, time.monotonic() + pause)
                    else:
                        queue.done(subject)


async def _write_refusals(writer: EventWriter, refusals: Refusals) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        refusals.look(time.monotonic())
        while (report := refusals.next()) is not None:
            await writer.write(report)
