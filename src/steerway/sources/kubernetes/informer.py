"""An informer: keeps the object store equal to one kind in one namespace (or all), for as long as it runs.

It runs the steps of the watcher over HTTP and turns the watcher's deltas into batches: the initial list with
all its pages is one, each event is one. It knows which objects it gave, so that a relist also finds what
went. A bad object is named in a `Problem` while its last good version stays. Losing the API server changes
nothing in the store.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from steerway import telemetry
from steerway.errors import SourceError
from steerway.runtime import isolation
from steerway.runtime.isolation import isolated
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.decode import BROKEN, decode_event, decode_page
from steerway.sources.kubernetes.event import SILENT, Failure, Item, Page
from steerway.sources.kubernetes.hint import hint
from steerway.sources.kubernetes.outage import FailedRequest, Outages
from steerway.sources.kubernetes.resource import Resource
from steerway.sources.kubernetes.watcher import Delta, ListPage, Remove, Replace, Upsert, Wait, Watch, Watcher
from steerway.sources.objects.core import ObjectKey
from steerway.sources.store import Batch, Problem

log = structlog.get_logger()


_REFUSED = (403, 404)
"""Answers that stay the same until somebody changes a Role, each about one kind."""


@dataclass(frozen=True, slots=True)
class InformerStatus:
    """How far one informer is. `cluster` is "" for the local one, `namespace` None for all. `silent_seconds`: since the
    API server last answered, or sent an event or a bookmark; `stale`: that is longer than the setting allows;
    `installed`: it knows the kind."""

    cluster: str
    kind: str
    namespace: str | None
    settled: bool
    silent_seconds: float
    stale: bool = False
    installed: bool = True

    @property
    def label(self) -> str:
        """As metrics have it."""
        return label_of(self.cluster, self.kind)


def label_of(cluster: str, kind: str) -> str:
    """A kind as metrics have it: `KIND`, `CLUSTER/KIND` for those of remote clusters."""
    return f"{cluster}/{kind}" if cluster else kind


class Informer:
    """Runs a `Watcher`; `settled` is set once the first list is in the store, whole, or was refused for a kind that
    can be done without, or is not installed."""

    def __init__(
        self,
        resource: Resource,
        namespace: str | None,
        client: KubernetesClient,
        apply: Callable[[Batch], None],
        outages: Outages,
        watcher: Watcher,
        cluster: str = "",
        stale_seconds: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`outages` are those of all informers of the API server. `cluster` is the name of a remote cluster in metrics
        and logs; "" for the local one."""
        self.settled = asyncio.Event()
        self._resource = resource
        self._versions = resource.versions
        self._refused_versions: set[str] = set()
        self._path = resource.path(namespace)
        self._client = client
        self._apply = apply
        self._watcher = watcher
        self._known: set[ObjectKey] = set()
        self._bad: set[str] = set()
        self._clock = clock
        self._heard_at = clock()
        self._stale_seconds = stale_seconds
        self._outages = outages
        self._absence_reported = False
        self._listed = False
        self.failing_since: float | None = None
        """Since when the API server does not answer (seconds of `time.monotonic`); None: it does."""
        self._refused = False
        scope = f"namespace {namespace}" if namespace is not None else "all namespaces"
        self.kind = resource.kind
        self.namespace = namespace
        self.subject = f"{resource.plural} in {scope}"
        """What it follows, in words."""
        self._where = f"kubernetes {self.subject}"
        self._log = log.bind(kind=resource.kind, namespace=namespace if namespace is not None else "all")
        self._cluster = cluster
        self._label = label_of(cluster, resource.kind)
        if cluster:
            self._log = self._log.bind(cluster=cluster)

    @property
    def silent_seconds(self) -> float:
        """How long ago the API server last answered, or sent an event or a bookmark; since the start before it did."""
        return self._clock() - self._heard_at

    @property
    def outage_seconds(self) -> float | None:
        """How long ago the API server last answered, if it does not answer now; infinite before the first complete
        list; None: it answers."""
        if not self._listed:
            return math.inf
        return None if self.failing_since is None else self.silent_seconds

    @property
    def stale(self) -> bool:
        """Whether that is longer than the setting allows. A kind that is refused is a problem of its own; one that is
        not installed is looked for once a minute, whatever the setting."""
        quiet = self._refused or self._absence_reported
        return self.silent_seconds > self._stale_seconds and not quiet

    @property
    def absent(self) -> bool:
        """Whether the API server does not know the kind."""
        return self._absence_reported

    def status(self) -> InformerStatus:
        """For operators."""
        return InformerStatus(
            self._cluster,
            self._resource.kind,
            self.namespace,
            self.settled.is_set(),
            self.silent_seconds,
            self.stale,
            not self._absence_reported,
        )

    async def run(self) -> None:
        """List and watch until cancelled. Every failure is a `Problem` until it is over."""
        while True:
            with isolated("informer", kind=self._label) as run:
                await self._step()
            if run.failure:
                self._watcher.on_internal_error()
                self._fail(f"internal error: {run.failure}", isolation.HINT)

    async def _step(self) -> None:
        match self._watcher.action:
            case Wait(seconds):
                await asyncio.sleep(seconds)
                self._watcher.on_waited()
            case ListPage() as request:
                await self._list(request)
            case Watch() as request:
                await self._watch(request)

    async def _list(self, request: ListPage) -> None:
        query = self._selection()
        if request.limit:
            query["limit"] = str(request.limit)
        if request.continue_token:
            query["continue"] = request.continue_token
        try:
            page = await self._page(query)
        except SourceError as error:
            failure = _failure(error)
            if self._not_installed(failure):
                return
            self._watcher.on_list_failed(failure)
            self._failed("list", failure)
            return
        self._contact()
        self._answered()
        if (delta := self._watcher.on_page(page)) is not None:
            telemetry.INFORMER_RELISTS.labels(self._label, self._watcher.list_reason).inc()
            self._write(delta)
            self._listed = True
            self._log.info("listed", objects=len(delta.items), reason=self._watcher.list_reason)
            self.settled.set()

    async def _page(self, query: dict[str, str]) -> Page:
        body = await self._client.get(self._path, query)
        try:
            return decode_page(self._resource.kind, body)
        except BROKEN as error:
            raise RequestError(Failure(None, "unreadable list", str(error))) from error

    async def _watch(self, request: Watch) -> None:
        query = self._selection() | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": request.resource_version,
            "timeoutSeconds": str(request.timeout_seconds),
        }
        opened = None
        try:
            async with self._client.stream(self._path, query, request.silence_seconds) as lines:
                opened = self._clock()
                self._contact()
                self._answered()
                async for line in lines:
                    self._on_line(line)
                    if not self._watcher.watching:
                        break
        except SourceError as error:
            failure = _failure(error)
            if opened is None and self._not_installed(failure):
                return
            if failure.reason == SILENT:
                self._watcher.on_watch_silent()
                self._log.info("watch_silent", reason=str(failure))
            elif opened is None:
                self._watcher.on_watch_failed(failure)
                self._failed("watch", failure)
            else:
                self._watcher.on_watch_closed(self._clock() - opened)
                self._log.debug("watch_lost", reason=str(failure))
        else:
            self._watcher.on_watch_closed(self._clock() - (opened or 0.0))

    def _selection(self) -> dict[str, str]:
        selector = self._resource.field_selector
        return {"fieldSelector": selector} if selector else {}

    def _on_line(self, line: bytes) -> None:
        event = decode_event(self._resource.kind, line)
        delta = self._watcher.on_event(event)
        if event.failure is None:
            self._contact()
        else:
            self._log.info("watch_ended", reason=str(event.failure))
        if delta is not None:
            self._write(delta)

    def _write(self, delta: Delta) -> None:
        """A delta becomes one batch."""
        match delta:
            case Replace(items):
                self._replace(items)
            case Upsert(item):
                self._upsert(item)
            case Remove(key):
                self._known.discard(key)
                self._apply(Batch(delete=(key,), problems=self._cleared({str(key)})))

    def _replace(self, items: tuple[Item, ...]) -> None:
        listed = {item.key for item in items if item.key is not None}
        gone = self._known - listed
        bad = {}
        for item in items:
            if item.value is None:
                bad.update(self._problem(item))
        if any(item.key is None for item in items):
            # An object without a readable name may be any of those that are missing: none of them is deleted.
            gone = set()
        put = tuple(item.value for item in items if item.value is not None)
        self._known = (self._known - gone) | {value.key for value in put}
        self._apply(Batch(put, tuple(gone), {**self._cleared(self._bad - set(bad)), **bad}))

    def _upsert(self, item: Item) -> None:
        if item.value is None:
            self._apply(Batch(problems=self._problem(item)))
            return
        self._known.add(item.value.key)
        self._apply(Batch(put=(item.value,), problems=self._cleared({str(item.value.key)})))

    def _problem(self, item: Item) -> dict[str, tuple[Problem, ...]]:
        subject = str(item.key) if item.key is not None else f"{self._where}, an object without a name"
        self._bad.add(subject)
        suffix = "; its last good version is still served" if item.key in self._known else ""
        self._log.warning("object_skipped", object=subject, reason=item.reason)
        hint = "fix the object in the cluster"
        return {subject: (Problem(subject, f"{item.reason}{suffix}", hint, item.key),)}

    def _cleared(self, subjects: set[str]) -> dict[str, tuple[Problem, ...]]:
        """Empty problem lists for those of the subjects that had one."""
        cleared = self._bad & subjects
        self._bad -= cleared
        return dict.fromkeys(cleared, ())

    def _not_installed(self, failure: Failure) -> bool:
        """Whether the failure is that the API server does not know the kind and need not; then it is done with."""
        if failure.status != 404 or not self._resource.custom:
            return False
        self._contact()
        if self._next_version():
            return True  # the same request, to another path
        if not self._absence_reported:
            self._absence_reported = True
            self._log.info("kind_not_installed", api_version=self._resource.api_version)
        if (gone := self._watcher.on_absent()) is not None:
            self._write(gone)
        self.settled.set()
        return True

    def _answered(self) -> None:
        """The API server knows the kind, in this version."""
        self._absence_reported = False
        self._refused_versions.clear()

    def _next_version(self) -> bool:
        """Turn to a version that was not refused since the last answer; False when none is left."""
        self._refused_versions.add(self._resource.api_version)
        left = [other for other in self._versions if other.api_version not in self._refused_versions]
        if not left:
            self._refused_versions.clear()
        self._resource = left[0] if left else self._versions[0]
        self._path = self._resource.path(self.namespace)
        return bool(left)

    def _failed(self, verb: str, failure: Failure) -> None:
        if failure.expired:  # part of the protocol; a relist follows
            self._log.info(f"{verb}_expired", reason=str(failure))
            return
        advice = hint(failure, self._resource.plural, self._resource.group, self._client.server)
        pause = self._watcher.action.seconds if isinstance(self._watcher.action, Wait) else 0.0
        request = FailedRequest(self.subject, verb, failure, advice, pause, self.silent_seconds)
        if failure.status in _REFUSED:
            self._outages.end(self.subject)
            self._report_refusal(request)
        else:
            self._note_failure()
            self._end_refusal()
            self._outages.add(request)

    def _note_failure(self) -> None:
        if self.failing_since is None:
            self.failing_since = self._clock()

    def _report_refusal(self, request: FailedRequest) -> None:
        """The API server answers, but not about this kind."""
        self._log.warning(
            f"{request.verb}_failed",
            reason=str(request.failure),
            hint=request.hint,
            retry_in_seconds=round(request.retry_in_seconds, 1),
            silent_seconds=round(request.silent_seconds, 1),
        )
        reason, advice = f"cannot {request.verb}: {request.failure}", request.hint
        if self._resource.loss:
            reason += f"; without it steerway does not know {self._resource.loss}"
            advice += f", or set {self._resource.opt_out}"
            self.settled.set()
        self._fail(reason, advice)

    def _fail(self, reason: str, advice: str) -> None:
        """Give a problem of this kind alone, until the next contact."""
        self._note_failure()
        self._refused = True
        self._apply(Batch(problems={self._where: (Problem(self._where, reason, advice),)}))

    def _end_refusal(self) -> None:
        if self._refused:
            self._refused = False
            self._log.info("contact_restored")
            self._apply(Batch(problems={self._where: ()}))

    def _contact(self) -> None:
        telemetry.INFORMER_LAST_CONTACT.labels(self._label).set(time.time())
        self._heard_at = self._clock()
        if self.failing_since is not None:
            self.failing_since = None
            self._outages.end(self.subject)
            self._end_refusal()


def _failure(error: SourceError) -> Failure:
    return (
        error.failure
        if isinstance(error, RequestError)
        else Failure(None, "configuration unreadable", str(error))
    )
