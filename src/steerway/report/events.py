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
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from steerway import telemetry
from steerway.errors import SourceError
from steerway.runtime.isolation import isolated
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.event import Failure
from steerway.sources.kubernetes.hint import server_hint
from steerway.sources.kubernetes.resource import ENDPOINT_SLICES, NAMESPACES, SERVICES
from steerway.sources.objects.core import ObjectKey

log = structlog.get_logger()

REASON = "NotServed"
COMPONENT = "steerway"
AGAIN_SECONDS = 1800.0
_BURST = 25
_REFILL_SECONDS = 300.0
"""Events about one object: the burst, and the seconds per further one (client-go: defaultSpamBurst, defaultSpamQPS)."""
_MOST_WAITING = 1000
_MOST_KNOWN = 10_000
_MESSAGE_BYTES = 1024
_ATTEMPTS = 3
_RESOURCES = {resource.kind: resource for resource in (NAMESPACES, SERVICES, ENDPOINT_SLICES)}


class AboutObject(Protocol):
    """A problem. `about` is the object; None: it is about no object of Kubernetes."""

    @property
    def about(self) -> ObjectKey | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def hint(self) -> str: ...


@dataclass(slots=True)
class _Budget:
    """A token bucket. `at` is the time of the last update."""

    at: float
    tokens: float = _BURST

    def take(self, now: float) -> bool:
        self.tokens = min(_BURST, self.tokens + (now - self.at) / _REFILL_SECONDS)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


Report = tuple[ObjectKey, str]
"""An object and the text about it."""


class EventQueue:
    """The Events to write: a pure value, `now` in seconds of any monotonic clock."""

    def __init__(self) -> None:
        self._reported: dict[Report, float] = {}
        self._present: set[Report] = set()
        self._budgets: dict[ObjectKey, _Budget] = {}
        self._waiting: deque[Report] = deque()

    def look(self, problems: Iterable[AboutObject], now: float) -> None:
        """Set the current problems."""
        present = {
            (problem.about, _text(problem))
            for problem in problems
            if problem.about is not None and problem.about.kind in _RESOURCES
        }
        for report in sorted(present):
            at = self._reported.get(report)
            if at is None or report not in self._present or now >= at + AGAIN_SECONDS:
                self._add(report, now)
        self._present = present
        if len(self._reported) > _MOST_KNOWN:
            self._reported = {report: at for report, at in self._reported.items() if report in present}
            self._budgets = {
                key: budget for key, budget in self._budgets.items() if budget.tokens < _BURST - 1
            }

    def _add(self, report: Report, now: float) -> None:
        self._reported[report] = now
        budget = self._budgets.setdefault(report[0], _Budget(now))
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
        with isolated("event", object=report[0]) as run:
            await self._attempt(report)
        if run.failure:
            telemetry.EVENTS.labels("failed").inc()

    async def _attempt(self, report: Report) -> None:
        key, message = report
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                result = await self._write(key, message)
            except SourceError as error:
                failure = error.failure if isinstance(error, RequestError) else Failure(None, str(error))
                if (failure.status or 500) < 500 or attempt == _ATTEMPTS:
                    hint = server_hint(failure, self._client.server)
                    if failure.status in (403, 404):
                        hint = _GRANT
                    log.warning("event_not_written", object=str(key), reason=str(error), hint=hint)
                    telemetry.EVENTS.labels("failed").inc()
                    return
            else:
                telemetry.EVENTS.labels(result).inc()
                return

    async def _write(self, key: ObjectKey, message: str) -> str:
        resource = _RESOURCES[key.kind]
        where = resource.path(key.namespace or None)
        try:
            event = json.loads(await self._client.get(f"{where}/{key.name}", {}))
        except RequestError as error:
            if error.failure.status == 404:
                return "object_gone"
            raise
        uid = event["metadata"]["uid"]
        namespace = key.namespace or "default"
        events = f"/api/v1/namespaces/{namespace}/events"
        name = f"{key.name[:200]}.{hashlib.sha256(f'{uid} {message}'.encode()).hexdigest()[:16]}"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        manifest: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": resource.api_version,
                "kind": key.kind,
                "name": key.name,
                "namespace": key.namespace,
                "uid": uid,
                "resourceVersion": event["metadata"].get("resourceVersion", ""),
            },
            "type": "Warning",
            "reason": REASON,
            "message": message,
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
        more = {"lastTimestamp": now, "count": (present.get("count") or 1) + 1}
        await self._client.patch(f"{events}/{name}", more)
        return "counted"


def _text(problem: AboutObject) -> str:
    text = f"{problem.reason}; {problem.hint}" if problem.hint else problem.reason
    return text.encode()[:_MESSAGE_BYTES].decode(errors="ignore")


Problems = Callable[[], Iterable[AboutObject]]
