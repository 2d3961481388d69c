"""Events about the problems of objects, for `kubectl describe`.

By the rules of client-go's EventCorrelator: equal texts about one object are one Event with a count; a problem that
stays is reported again twice an hour, since an API server deletes Events after one hour; each object has a budget of
its own, so that one that changes all the time does not suppress the others. The name of an Event is derived from the
object and the text, so that other replicas, and the same one after a restart, continue with the same Event.

The choice of the writing replica and the detection of problems are elsewhere.
"""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import structlog

from steerway import telemetry
from steerway.errors import SourceError
from steerway.report.budget import Budget
from steerway.runtime.isolation import isolated
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.event import Failure
from steerway.sources.kubernetes.hint import server_hint
from steerway.sources.kubernetes.resource import (
    BACKEND_TLS_POLICIES,
    ENDPOINT_SLICES,
    GRPC_ROUTES,
    HTTP_ROUTES,
    NAMESPACES,
    PODS,
    SERVICES,
    TRAFFIC_POLICIES,
    Resource,
)
from steerway.sources.objects.core import ObjectKey

log = structlog.get_logger()

NOT_SERVED = "NotServed"
"""The reason of Events about problems of objects."""
COMPONENT = "steerway"
AGAIN_SECONDS = 1800.0
_MOST_WAITING = 1000
_MOST_KNOWN = 10_000
_MESSAGE_BYTES = 1024
_ATTEMPTS = 3
SERVED = (NAMESPACES, SERVICES, ENDPOINT_SLICES)
"""The kinds of objects whose problems the control plane reports. Those of routes and policies are in their status."""
_RESOURCES = {
    resource.kind: resource
    for resource in (
        *SERVED,
        PODS,
        GRPC_ROUTES,
        HTTP_ROUTES,
        BACKEND_TLS_POLICIES,
        TRAFFIC_POLICIES,
    )
}


class AboutObject(Protocol):
    """A problem. `about` is the object; None: it is about no object of Kubernetes."""

    @property
    def about(self) -> ObjectKey | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def hint(self) -> str: ...


class Report(NamedTuple):
    """An object and the text about it. Texts with the same `series` are one Event of the object, whose text is the
    newest one; "": those that are equal."""

    about: ObjectKey
    message: str
    reason: str = NOT_SERVED
    series: str = ""


class EventQueue:
    """The Events to write: a pure value, `now` in seconds of any monotonic clock. `resources`: the kinds of objects
    that have Events; problems of others are ignored. `reason`: that of the Events."""

    def __init__(self, resources: Sequence[Resource] = SERVED, reason: str = NOT_SERVED) -> None:
        self._kinds = frozenset(resource.kind for resource in resources)
        self._reason = reason
        self._reported: dict[Report, float] = {}
        self._present: set[Report] = set()
        self._budgets: dict[ObjectKey, Budget] = {}
        self._waiting: deque[Report] = deque()

    def look(self, problems: Iterable[AboutObject], now: float) -> None:
        """Set the current problems."""
        present = {
            Report(problem.about, _text(problem), self._reason)
            for problem in problems
            if problem.about is not None and problem.about.kind in self._kinds
        }
        for report in sorted(present):
            at = self._reported.get(report)
            if at is None or report not in self._present or now >= at + AGAIN_SECONDS:
                self._add(report, now)
        self._present = present
        if len(self._reported) > _MOST_KNOWN:
            self._reported = {report: at for report, at in self._reported.items() if report in present}
            self._budgets = {key: budget for key, budget in self._budgets.items() if not budget.full(now)}

    def _add(self, report: Report, now: float) -> None:
        self._reported[report] = now
        budget = self._budgets.setdefault(report.about, Budget(now))
        if not budget.take(now) or len(self._waiting) >= _MOST_WAITING:
            telemetry.EVENTS.labels("dropped").inc()
            return
        self._waiting.append(report)

    def next(self) -> Report | None:
        """The next Event to write; None: there is none."""
        return self._waiting.popleft() if self._waiting else None


_GRANT = "let it get the object, and create, get and patch events, or set kubernetes.events to false"


class EventWriter:
    """Writes Events of a queue. `identity` is this replica's."""

    def __init__(self, client: KubernetesClient, identity: str) -> None:
        self._client = client
        self._identity = identity

    async def write(self, report: Report) -> None:
        """Write one Event, or increase the count of the existing one. A failure is logged and counted only."""
        with isolated("event", object=report.about) as run:
            await self._attempt(report)
        if run.failure:
            telemetry.EVENTS.labels("failed").inc()

    async def _attempt(self, report: Report) -> None:
        key = report.about
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                result = await self._write(report)
            except SourceError as error:
                failure = error.failure if isinstance(error, RequestError) else Failure(None, str(error))
                # 409: another replica counted the same Event up in between.
                refused = failure.status is not None and failure.status < 500 and failure.status != 409
                if refused or attempt == _ATTEMPTS:
                    hint = server_hint(failure, self._client.server)
                    if failure.status in (403, 404):
                        hint = _GRANT
                    log.warning("event_not_written", object=str(key), reason=str(error), hint=hint)
                    telemetry.EVENTS.labels("failed").inc()
                    return
            else:
                telemetry.EVENTS.labels(result).inc()
                return

    async def _write(self, report: Report) -> str:
        try:
            subject = await self._subject(report.about)
        except RequestError as error:
            if error.failure.status == 404:
                return "object_gone"
            raise
        namespace = report.about.namespace or "default"
        events = f"/api/v1/namespaces/{namespace}/events"
        identity = f"{subject['uid']} {report.series or report.message}"
        name = f"{report.about.name[:200]}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        manifest = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": subject,
            "type": "Warning",
            "reason": report.reason,
            "message": report.message,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._identity,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._client.post(events, manifest)
        except RequestError as error:
            if error.failure.status != 409:
                raise
        else:
            return "created"
        present = json.loads(await self._client.get(f"{events}/{name}", {}))
        more = {
            "metadata": {"resourceVersion": present["metadata"]["resourceVersion"]},
            "lastTimestamp": now,
            "count": (present.get("count") or 1) + 1,
            "message": report.message,
        }
        await self._client.patch(f"{events}/{name}", more)
        return "counted"

    async def _subject(self, key: ObjectKey) -> dict[str, Any]:
        """The reference of an Event to an object. Raises RequestError; its status is 404 when there is none."""
        for resource in _RESOURCES[key.kind].versions:
            where = resource.path(key.namespace or None)
            try:
                metadata = json.loads(await self._client.get(f"{where}/{key.name}", {}))["metadata"]
            except RequestError as error:
                if error.failure.status != 404:
                    raise
                missing = error
            else:
                return {
                    "apiVersion": resource.api_version,
                    "kind": key.kind,
                    "name": key.name,
                    "namespace": key.namespace,
                    "uid": metadata["uid"],
                    "resourceVersion": metadata.get("resourceVersion", ""),
                }
        raise missing


def _text(problem: AboutObject) -> str:
    return bounded(f"{problem.reason}; {problem.hint}" if problem.hint else problem.reason)


def bounded(text: str) -> str:
    """The message of an Event: an API server refuses longer ones."""
    return text.encode()[:_MESSAGE_BYTES].decode(errors="ignore")


Problems = Callable[[], Iterable[AboutObject]]
