"""The status of routes and policies, written to the API server for `kubectl describe`.

Each object is read before it is written: entries of other controllers stay, an equal status is not written again, and a
status of another version of the object is not written at all, since the watch brings that version soon. A write carries
the resourceVersion of the read, so that it overwrites no other change.

The choice of the writing replica and the evaluation are elsewhere.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import structlog

from steerway import telemetry
from steerway.errors import SourceError
from steerway.report.events import AboutObject
from steerway.report.lease import DURATION_SECONDS, RENEW_SECONDS
from steerway.report.status_entry import STATUS_FIELDS, Covers, Manifest, Subject, Unreadable, updated
from steerway.runtime.isolation import isolated
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.decode import decode_object
from steerway.sources.kubernetes.resource import (
    BACKEND_TLS_POLICIES,
    GRPC_ROUTES,
    HTTP_ROUTES,
    OUR_KINDS,
    Resource,
)
from steerway.sources.kubernetes.watcher import Backoff
from steerway.sources.objects.core import ObjectKey
from steerway.status.condition import ObjectStatus

log = structlog.get_logger()

_ATTEMPTS = 3
"""Without a pause, on a conflict with another writer."""
_WRITE_SECONDS = DURATION_SECONDS - RENEW_SECONDS
"""A longer write could overlap with that of the next holder of the Lease."""
RESYNC_SECONDS = 1800.0
_REFUSED_SECONDS = 60.0
"""Until the next attempt after a refusal of the API server: it needs a change of a Role first."""
_RESOURCES = {
    resource.kind: resource for resource in (GRPC_ROUTES, HTTP_ROUTES, BACKEND_TLS_POLICIES, *OUR_KINDS)
}

Subjects = Callable[[], Mapping[ObjectKey, Subject]]


def subjects(
    object_statuses: Mapping[ObjectKey, ObjectStatus], problems: Iterable[AboutObject]
) -> Mapping[ObjectKey, Subject]:
    """The evaluation of each object. One with a problem of its own is not applied in its present version."""
    subjects_by_key: dict[ObjectKey, Subject] = {**object_statuses}
    for problem in problems:
        if problem.about is not None and problem.about.kind in STATUS_FIELDS:
            subjects_by_key[problem.about] = Unreadable(problem.about, problem.reason, problem.hint)
    return subjects_by_key


class StatusQueue:
    """The statuses to write: a pure value, `now` in seconds of any monotonic clock.

    All present statuses are read and compared at the start, and again after `RESYNC_SECONDS`, since others may
    overwrite them. That takes minutes for thousands of objects; changes in between precede it.
    """

    def __init__(self) -> None:
        self._resynced: Mapping[ObjectKey, Subject] = {}
        self._resync_at = float("-inf")
        self._reported: dict[ObjectKey, Subject] = {}
        self._waiting: defaultdict[str, dict[ObjectKey, Subject]] = defaultdict(dict)
        self._paused_until: dict[str, float] = {}
        self._failures: dict[ObjectKey, int] = {}

    def look(self, current: Mapping[ObjectKey, Subject], now: float) -> None:
        """Set the current evaluations."""
        if now >= self._resync_at:
            self._resynced, self._resync_at = dict(current), now + RESYNC_SECONDS
            self._reported.clear()
        self._reported = {key: report for key, report in self._reported.items() if key in current}
        self._failures = {key: number for key, number in self._failures.items() if key in current}
        self._waiting.clear()
        changed = [key for key, subject in current.items() if self._reported.get(key) != subject]
        # The last failure comes last, so that one bad object does not block its kind.
        for key in sorted(
            changed, key=lambda key: (self._failures.get(key, 0), self._is_unchanged(key, current[key]))
        ):
            self._waiting[key.kind][key] = current[key]

    def _is_unchanged(self, key: ObjectKey, subject: Subject) -> bool:
        """Whether it is written only because of the periodic comparison."""
        return self._resynced.get(key) == subject

    def next(self, now: float) -> Subject | None:
        """The next to write; None when there is none, or only of paused kinds."""
        for kind, waiting in self._waiting.items():
            if waiting and now >= self._paused_until.get(kind, now):
                return waiting.pop(next(iter(waiting)))
        return None

    def done(self, subject: Subject) -> None:
        """The status is up to date."""
        self._reported[subject.key] = subject
        self._failures.pop(subject.key, None)

    def failed(self, subject: Subject, until: float) -> None:
        """Retry it after `until`. Its kind is paused until then, the others continue."""
        self._paused_until[subject.key.kind] = until
        self._failures[subject.key] = max(self._failures.values(), default=0) + 1


class StatusWriter:
    """Writes the status of one object at a time. `covers`: whether an object is in the own scope."""

    def __init__(self, client: KubernetesClient, covers: Covers) -> None:
        self._client = client
        self._covers = covers
        self._backoffs: defaultdict[str, Backoff] = defaultdict(Backoff)
        self._refused: set[str] = set()

    async def write(self, subject: Subject) -> float:
        """Write the object's status. Returns 0, or the seconds of a pause for its kind before this one is retried."""
        kind = subject.key.kind
        try:
            with isolated("status", SourceError, TimeoutError, object=subject.key) as run:
                async with asyncio.timeout(_WRITE_SECONDS):
                    result = await self._attempt(subject)
            if run.failure:
                result = "failed"
        except (SourceError, TimeoutError) as error:
            return self._failed(subject.key, error)
        self._backoffs[kind].reset()
        self._refused.discard(kind)
        telemetry.STATUSES.labels(result).inc()
        return 0.0

    async def _attempt(self, subject: Subject) -> str:
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._write(subject)
            except RequestError as error:
                if error.failure.status != 409:
                    raise
        return await self._write(subject)

    async def _write(self, subject: Subject) -> str:
        key = subject.key
        paths = [
            f"{api_version.path(key.namespace)}/{key.name}" for api_version in _RESOURCES[key.kind].versions
        ]
        for where in paths:
            try:
                body = await self._client.get(where, {})
                break
            except RequestError as error:
                if error.failure.status != 404:
                    raise
        else:
            return "object_gone"
        manifest: Manifest = json.loads(body)
        if not _is_of(subject, manifest, body):
            return "superseded"
        entries = updated(manifest, subject, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), self._covers)
        if entries is None:
            return "unchanged"
        version = {"resourceVersion": manifest["metadata"]["resourceVersion"]}
        patch = {"metadata": version, "status": {STATUS_FIELDS[key.kind].entries: entries}}
        await self._client.patch(f"{where}/status", patch)
        return "written"

    def _failed(self, key: ObjectKey, error: Exception) -> float:
        """Log and count it; returns the pause."""
        telemetry.STATUSES.labels("failed").inc()
        status = error.failure.status if isinstance(error, RequestError) else None
        reason = str(error) or "timed out"
        if status in (401, 403, 404):
            if key.kind not in self._refused:
                self._refused.add(key.kind)
                hint = _hint(_RESOURCES[key.kind], status)
                log.warning("status_not_written", object=str(key), reason=reason, hint=hint)
            return _REFUSED_SECONDS
        if status is not None and status < 500 and status not in (409, 429):
            # A retry would get the same response.
            log.warning("status_not_written", object=str(key), reason=reason, hint="please report this")
            return 0.0
        pause = self._backoffs[key.kind].next()
        log.info("status_not_written", object=str(key), reason=reason, retry_in_seconds=round(pause, 1))
        return pause


def _is_of(subject: Subject, manifest: Manifest, body: bytes) -> bool:
    """Whether the evaluation is of this version of the object."""
    if isinstance(subject, Unreadable):
        return decode_object(subject.key.kind, body).value is None
    metadata = manifest["metadata"]
    incarnation = metadata.get("generation", 0), metadata.get("creationTimestamp", "")
    return incarnation == (subject.generation, subject.created)


def _hint(resource: Resource, status: int) -> str:
    if status == 404:
        return f"install the present CustomResourceDefinition of {resource.kind}, which has a status"
    read = f"{{apiGroups: [{resource.group}], resources: [{resource.plural}], verbs: [get]}}"
    write = f"{{apiGroups: [{resource.group}], resources: [{resource.plural}/status], verbs: [patch]}}"
    return f"add {read} and {write} to the rules of its ClusterRole, or set kubernetes.status to false"
