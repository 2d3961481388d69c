"""List and watch as a state machine without I/O: what came in, what to do next.

::

    list (page, page, …) ──last page──▶ watch ──closed──▶ watch …
     ▲    │ failed: wait                  │ failed: wait, then watch from the same resourceVersion
     └────┴──── expired (410), error in the stream, lost a change, watch refused, silent, went back ────┘

The caller asks `action`, does it, and reports what happened; deltas come back for it to apply. After every
relist the delta is a `Replace`: what was deleted while no watch was open is found because it is missing
there. A kind that the API server does not know, and need not, is looked for once a minute.

Waiting: exponential with jitter, apart for lists and watches. The list's resets with a whole list, the
watch's with an event, a bookmark or a watch that lived a while; opening a connection resets nothing, since a
proxy in front of a dead server accepts any number of them. It retries without end.

A watch from a resourceVersion that the server has not reached is answered 200 and stays silent: no event, no
bookmark, no error (kube-apiserver 1.37, without sendInitialEvents). That is so after etcd was restored from a backup,
and looks like a dead peer behind a proxy. A healthy watch has a bookmark every minute, so one that is
silent for longer is closed and everything is listed.

Spec: Kubernetes API concepts, "Efficient detection of changes"; limits as in client-go's reflector.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from steerway.sources.kubernetes.event import Event, EventType, Failure, Item, Page
from steerway.sources.objects.core import ObjectKey

PAGE_SIZE = 500
WATCH_SECONDS = 290.0
"""Shortest time that a watch is asked to last; jitter doubles it at most, so that replicas do not reopen
together."""
LIVED_SECONDS = 10.0
"""A watch that was open this long worked, events or not."""
FIRST_WAIT_SECONDS = 0.8
LONGEST_WAIT_SECONDS = 30.0
"""Waits as in client-go's reflector: short enough for a restart of the API server, long enough for a sick one."""
ABSENT_WAIT_SECONDS = 60.0
"""How often is looked for a kind that the API server does not know: installing one is no emergency."""
HASTE_SECONDS = 1.0
"""A watch that ended sooner is not reopened at once, events or not."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """Request one page. `limit` 0 asks for everything at once."""

    limit: int
    continue_token: str


@dataclass(frozen=True, slots=True)
class Watch:
    """Open a watch with bookmarks from `resource_version`; the server ends it after `timeout_seconds`, and it is to be
    closed after `silence_seconds` without an event or a bookmark."""

    resource_version: str
    timeout_seconds: int
    silence_seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


Action: TypeAlias = ListPage | Watch | Wait


@dataclass(frozen=True, slots=True)
class Replace:
    """The whole truth: everything that is not here is gone."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Upsert:
    item: Item


@dataclass(frozen=True, slots=True)
class Remove:
    key: ObjectKey


Delta: TypeAlias = Replace | Upsert | Remove


class Backoff:
    """Seconds to wait after each failure: from `initial` doubling to `maximum`, then cut by up to half at
    random."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._delay = FIRST_WAIT_SECONDS

    def next(self) -> float:
        delay, self._delay = self._delay, min(self._delay * 2, LONGEST_WAIT_SECONDS)
        return delay * (0.5 + self._jitter() / 2)

    def reset(self) -> None:
        self._delay = FIRST_WAIT_SECONDS


class Watcher:
    """One conversation about one kind in one namespace (or all). See the module's docstring.

    `silence_seconds`: shortest silence after which a watch is closed. Jitter adds two thirds at most, so that
    replicas do not list together.
    """

    def __init__(self, silence_seconds: float, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._shortest_silence = silence_seconds
        self._list_backoff = Backoff(jitter)
        self._watch_backoff = Backoff(jitter)
        self._pause = 0.0
        self._listing = True
        self._limit = PAGE_SIZE
        self._token = ""
        self._items: list[Item] = []
        self._version = ""
        self._timeout = 0
        self._silence = silence_seconds
        self._progress = False  # the present watch has given an event or a bookmark
        self._expired_before = False  # expired once already, and no progress since
        self._absent_before = False  # reported unknown, and no page since
        self.list_reason = "start"
        """Why the present or last list was taken: `start`, `expired`, `error`, `silent` or `went_back`."""

    @property
    def action(self) -> Action:
        """What to do now. The same until an `on_…` method is called."""
        if self._pause > 0:
            return Wait(self._pause)
        if self._listing:
            return ListPage(self._limit, self._token)
        return Watch(self._version, self._timeout, self._silence)

    @property
    def watching(self) -> bool:
        """Whether an open watch is to be read on. False after an event that ends it."""
        return not self._listing and self._pause == 0

    def on_waited(self) -> None:
        self._pause = 0.0

    def on_page(self, page: Page) -> Replace | None:
        """A page has come; the delta comes with the last one."""
        self._items.extend(page.items)
        if page.continue_token:
            self._token = page.continue_token
            return None
        complete = Replace(tuple(self._items))
        self._absent_before = False
        self._list_backoff.reset()
        self._items, self._token, self._limit = [], "", PAGE_SIZE
        if self._is_older(page.resource_version):
            self.list_reason = "went_back"
        self._version = page.resource_version
        self._listing = False
        self._next_watch()
        return complete

    def on_list_failed(self, failure: Failure) -> None:
        """A page was not given. Pages that came are kept unless their token has expired."""
        if failure.expired and self._token:
            # The next list is taken in one piece: a server that compacts faster than it can be paged would
            # never finish another way (client-go: pager, FullListIfExpired).
            self._relist("expired")
            self._limit = 0
        self._pause = max(self._list_backoff.next(), failure.retry_after_seconds)

    def on_absent(self) -> Replace | None:
        """The API server does not know the kind, and may do without it. The second such answer counts: there are no
        objects. Once, it may be a server on its way up, which has not read its CustomResourceDefinitions yet."""
        gone = Replace(()) if self._absent_before else None
        self._absent_before = True
        self._relist("start")
        self._pause = ABSENT_WAIT_SECONDS * (0.5 + self._jitter() / 2)
        return gone

    def on_event(self, event: Event) -> Upsert | Remove | None:
        """A line of the watch has come."""
        if event.failure is not None or (event.item is None and event.type is not EventType.BOOKMARK):
            self._on_bad_event(event)
            return None
        if self._is_older(event.resource_version):
            # etcd was restored from a backup: objects may be other ones, or gone, without an event.
            self._pause = self._watch_backoff.next()
            self._relist("went_back")
            return None
        self._version = event.resource_version or self._version
        self._progressed()
        if event.item is None:
            return None
        if event.type is EventType.DELETED:
            if event.item.key is None:
                self._relist("error")
                return None
            return Remove(event.item.key)
        return Upsert(event.item)

    def on_watch_closed(self, lived_seconds: float) -> None:
        """The stream has ended, by itself or broken."""
        if not self.watching:
            return
        if self._progress or lived_seconds >= LIVED_SECONDS:
            self._watch_backoff.reset()
        if (not self._progress and lived_seconds < LIVED_SECONDS) or lived_seconds < HASTE_SECONDS:
            self._pause = self._watch_backoff.next()
        self._next_watch()

    def on_watch_silent(self) -> None:
        """The stream has given nothing for `silence_seconds`, or was not opened within them, and is closed."""
        self._relist("silent")

    def on_watch_failed(self, failure: Failure) -> None:
        """The watch could not be opened."""
        if failure.expired:
            self._expired()
            return
        self._pause = max(self._watch_backoff.next(), failure.retry_after_seconds)
        if failure.status is not None and failure.status != 429 and not 500 <= failure.status < 504:
            # A refused watch (no permission, a version that the server does not take): lists still give the
            # truth, as often as the wait allows. Overload and a server on its way up are no reason to list.
            self._relist("error")

    def on_internal_error(self) -> None:
        """What came could not be handled: it is listed anew after a wait."""
        self._relist("error")
        self._pause = self._list_backoff.next()

    def _on_bad_event(self, event: Event) -> None:
        failure = event.failure
        if failure is not None and failure.expired:
            self._expired()
        else:
            # Whatever went wrong, changes may have been lost with it.
            self._pause = self._watch_backoff.next()
            self._relist("error")

    def _expired(self) -> None:
        if self._expired_before:
            self._pause = self._watch_backoff.next()
        self._expired_before = True
        self._relist("expired")

    def _relist(self, reason: str) -> None:
        self._listing = True
        self._items, self._token, self._limit = [], "", PAGE_SIZE
        self.list_reason = reason

    def _is_older(self, version: str) -> bool:
        """Whether a version is older than the last one. Those of one kind can be compared as numbers (KEP-5504)."""
        return version.isdecimal() and self._version.isdecimal() and int(version) < int(self._version)

    def _progressed(self) -> None:
        self._progress = True
        self._expired_before = False
        self._watch_backoff.reset()

    def _next_watch(self) -> None:
        self._progress = False
        self._timeout = round(WATCH_SECONDS * (1 + self._jitter()))
        self._silence = self._shortest_silence * (1 + self._jitter() * 2 / 3)
