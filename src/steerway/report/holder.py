"""Acquisition and renewal of the Lease over HTTP, and its release at the end."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from steerway import telemetry
from steerway.errors import SourceError
from steerway.report.lease import RENEW_SECONDS, RETRY_SECONDS, Lease, Record
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.cause import READ_TIMED_OUT
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.event import Failure
from steerway.sources.kubernetes.hint import server_hint

log = structlog.get_logger()

_API_VERSION = "coordination.k8s.io/v1"
_KEPT = ("annotations", "finalizers", "labels", "ownerReferences")
"""Metadata of the Lease that belong to others: a tool that installed it recognizes it by them."""
_REQUEST_SECONDS = RENEW_SECONDS / 2
"""Two attempts fit into the time for a renewal."""
_RELEASE_SECONDS = 2.0
_REFUSED_SECONDS = 30.0
"""Until the next attempt after a refusal of the API server: it needs a change of a Role first."""


class LeaseHolder:
    """`active`: whether this replica writes. `name` is the Lease, in `namespace`."""

    def __init__(
        self,
        client: KubernetesClient,
        namespace: str,
        name: str,
        identity: str,
        grant: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`grant`: the hint when the API server refuses the Lease."""
        self._client = client
        self._where = f"/apis/{_API_VERSION}/namespaces/{namespace}/leases"
        self._namespace, self._name = namespace, name
        self._lease = Lease(identity)
        self._grant = grant
        self._clock = clock
        self._kept: dict[str, Any] = {}
        """Metadata of the Lease as it was read or written last."""
        self._has_bid = False
        """Whether a bid was sent: the API server may have accepted it, with an answer or without."""
        self._logged_active = False
        self._logged_reason = ""
        self._log = log.bind(lease=f"{namespace}/{name}")

    @property
    def active(self) -> bool:
        """By the clock, so that it is right also when this replica was suspended for a while."""
        return self._lease.active(self._clock())

    async def run(self) -> None:
        """Bid until cancelled, through all errors of the API server."""
        try:
            while True:
                pause = await self._bid()
                await asyncio.sleep(pause)
        finally:
            with contextlib.suppress(SourceError, TimeoutError):
                async with asyncio.timeout(_RELEASE_SECONDS):
                    await self._release()

    async def _bid(self) -> float:
        """One attempt; returns the seconds until the next."""
        pause = RETRY_SECONDS
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                await self._try()
            self._logged_reason = ""
        except TimeoutError:
            self._failed(Failure(None, READ_TIMED_OUT, f"after {_REQUEST_SECONDS:g} s"))
        except SourceError as error:
            refused = isinstance(error, RequestError) and error.failure.status in (401, 403, 404)
            pause = _REFUSED_SECONDS if refused else RETRY_SECONDS
            failure = error.failure if isinstance(error, RequestError) else None
            self._failed(failure or Failure(None, "configuration unreadable", str(error)))
        self._report()
        # Replicas that failed together must not try again together.
        return pause * (1 + random.random() / 5)

    async def _try(self) -> None:
        if not self._lease.known:
            self._lease.observe(await self._read(), self._clock())
        sent_at = self._clock()
        bid = self._lease.bid(sent_at, _calendar())
        if bid is None:
            return
        self._has_bid = True
        try:
            self._lease.written(await self._write(bid), sent_at)
        except RequestError as error:
            if error.failure.status != 409:
                raise
            self._lease.refused()
            self._lease.observe(await self._read(), self._clock())

    async def _read(self) -> Record:
        try:
            return self._record(await self._client.get(f"{self._where}/{self._name}", {}))
        except RequestError as error:
            if error.failure.status != 404:
                raise
            self._kept = {}
            return Record()

    def _record(self, answer: bytes) -> Record:
        manifest = json.loads(answer)
        metadata = manifest["metadata"]
        self._kept = {key: metadata[key] for key in _KEPT if key in metadata}
        return Record.of(manifest)

    async def _write(self, bid: Record) -> Record:
        metadata: dict[str, Any] = {**self._kept, "name": self._name, "namespace": self._namespace}
        manifest = {"apiVersion": _API_VERSION, "kind": "Lease", "metadata": metadata, "spec": bid.spec()}
        if bid.version:
            metadata["resourceVersion"] = bid.version
            answer = await self._client.put(f"{self._where}/{self._name}", manifest)
        else:
            answer = await self._client.post(self._where, manifest)
        return self._record(answer)

    async def _release(self) -> None:
        """Release the Lease if this replica has it. The end may have cancelled a bid that the API server accepted, so
        the Lease is read, and read again after a conflict."""
        while self._has_bid:
            last = self._lease.release(await self._read(), _calendar())
            self._report()
            if last is None:
                return
            try:
                await self._write(last)
            except RequestError as error:
                if error.failure.status != 409:
                    raise
            else:
                return

    def _failed(self, failure: Failure) -> None:
        """Log each reason once: a missing permission is one line."""
        if (reason := str(failure)) == self._logged_reason:
            return
        self._logged_reason = reason
        hint = server_hint(failure, self._client.server)
        if failure.status in (403, 404):
            hint = self._grant
        self._log.warning("lease_not_renewed", reason=reason, hint=hint)

    def _report(self) -> None:
        active = self.active
        telemetry.LEASE_HELD.set(int(active))
        if active != self._logged_active:
            self._logged_active = active
            self._log.info("lease_acquired" if active else "lease_lost")


def _calendar() -> str:
    """RFC 3339 with microseconds: a MicroTime."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
