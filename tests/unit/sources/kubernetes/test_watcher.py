"""List and watch without I/O: each failure, the reaction, and the length of each wait; time is an argument."""

import pytest

from steerway.config import KubernetesSettings
from steerway.sources.kubernetes.event import Event, EventType, Failure, Item, Page
from steerway.sources.kubernetes.watcher import (
    ABSENT_WAIT_SECONDS,
    PAGE_SIZE,
    Action,
    Backoff,
    ListPage,
    Remove,
    Replace,
    Upsert,
    Wait,
    Watch,
    Watcher,
)
from steerway.sources.objects.core import ObjectKey, Service, ServiceMeta

GONE = Failure(410, "Expired")
REFUSED = Failure(None, "connection failed")
FIRST = ListPage(PAGE_SIZE, "")


def item(name: str) -> Item:
    service = Service(ServiceMeta(name=name, namespace="shop"))
    return Item(service.key, service)


def key(name: str) -> ObjectKey:
    return ObjectKey("Service", "shop", name)


def added(name: str, version: str) -> Event:
    return Event(EventType.ADDED, version, item(name))


def bookmark(version: str) -> Event:
    return Event(EventType.BOOKMARK, version)


def new_watcher() -> Watcher:
    """Jitter at its maximum: no wait is shortened."""
    return Watcher(KubernetesSettings.watch_idle_timeout_seconds, lambda: 1.0)


def listed(version: str = "10", *names: str) -> Watcher:
    """A watcher after its first list."""
    watcher = new_watcher()
    watcher.on_page(Page(tuple(item(name) for name in names), version))
    return watcher


def version_of(action: Action) -> str:
    assert isinstance(action, Watch), action
    return action.resource_version


def waited(watcher: Watcher) -> float:
    """Complete the wait that is due."""
    assert isinstance(watcher.action, Wait), watcher.action
    seconds = watcher.action.seconds
    watcher.on_waited()
    return seconds


def test_a_list_in_pages_counts_only_when_complete() -> None:
    """No delta before the last page; then all deltas, and the watch starts at the list's version."""
    watcher = new_watcher()
    assert watcher.action == FIRST
    assert watcher.on_page(Page((item("a"),), "10", "next")) is None
    assert watcher.action == ListPage(PAGE_SIZE, "next")
    assert watcher.on_page(Page((item("b"),), "10")) == Replace((item("a"), item("b")))
    assert version_of(watcher.action) == "10"
    assert watcher.list_reason == "start"


def test_the_watch_lasts_minutes_with_jitter() -> None:
    """Between 290 and 580 seconds, so that replicas do not reopen together."""
    seconds = set()
    for jitter in (0.0, 0.5, 1.0):
        watcher = Watcher(KubernetesSettings.watch_idle_timeout_seconds, lambda jitter=jitter: jitter)
        watcher.on_page(Page((), "1"))
        assert isinstance(watcher.action, Watch)
        seconds.add(watcher.action.timeout_seconds)
    assert seconds == {290, 435, 580}


def test_events_become_deltas_and_move_the_version() -> None:
    """Added, modified, deleted; a bookmark moves the version only."""
    watcher = listed("10")
    assert watcher.on_event(added("a", "11")) == Upsert(item("a"))
    assert watcher.on_event(Event(EventType.MODIFIED, "12", item("a"))) == Upsert(item("a"))
    assert watcher.on_event(Event(EventType.DELETED, "13", Item(key("a")))) == Remove(key("a"))
    assert version_of(watcher.action) == "13"
    assert watcher.on_event(bookmark("99")) is None
    assert version_of(watcher.action) == "99"
    assert watcher.watching


def test_an_event_without_a_version_keeps_the_last_one() -> None:
    """A watch without a version would replay everything or lose changes."""
    watcher = listed("10")
    watcher.on_event(bookmark(""))
    assert watcher.on_event(added("a", "")) == Upsert(item("a"))
    assert version_of(watcher.action) == "10"


def test_an_invalid_object_is_passed_on_and_the_watch_continues() -> None:
    """The informer keeps its last version."""
    watcher = listed()
    bad = Item(key("a"), reason="port 0")
    assert watcher.on_event(Event(EventType.MODIFIED, "11", bad)) == Upsert(bad)
    assert version_of(watcher.action) == "11"


def test_a_watch_that_ends_is_reopened_at_its_version() -> None:
    """The server ends each watch after minutes; that is no failure and has no wait."""
    watcher = listed("10")
    watcher.on_event(bookmark("20"))
    watcher.on_watch_closed(lived_seconds=400)
    assert version_of(watcher.action) == "20"


def test_a_dropped_watch_is_reopened_at_its_version() -> None:
    """Without a list: the server still has the changes since."""
    watcher = listed("10")
    watcher.on_event(added("a", "11"))
    watcher.on_watch_closed(lived_seconds=30)
    assert version_of(watcher.action) == "11"


def test_expiry_lists_again_at_once_in_both_forms() -> None:
    """410 as the answer to a watch, and as a Status in the stream."""
    for expire in (
        lambda watcher: watcher.on_watch_failed(GONE),
        lambda watcher: watcher.on_event(Event(EventType.ERROR, failure=GONE)),
        lambda watcher: watcher.on_event(Event(EventType.ERROR, failure=Failure(None, "Gone"))),
    ):
        watcher = listed("10", "a", "b")
        expire(watcher)
        assert not watcher.watching
        assert watcher.action == FIRST
        assert watcher.list_reason == "expired"
        assert watcher.on_page(Page((item("b"),), "50")) == Replace((item("b"),)), "the deleted one is found"
        assert version_of(watcher.action) == "50"


def test_repeated_expiry_is_slowed_down() -> None:
    """A server that expires versions faster than a list takes is not listed in a loop; progress resets the wait."""
    watcher = listed()
    watcher.on_watch_failed(GONE)
    waits = []
    for _ in range(3):
        watcher.on_page(Page((), "10"))
        watcher.on_watch_failed(GONE)
        waits.append(waited(watcher))
    assert waits == [0.8, 1.6, 3.2]
    watcher.on_page(Page((), "10"))
    watcher.on_event(bookmark("11"))
    watcher.on_watch_failed(GONE)
    assert watcher.action == FIRST


def test_an_expired_continue_token_takes_the_list_in_one_piece() -> None:
    """Pages of two states are never mixed, and a slow reader still completes (client-go: FullListIfExpired)."""
    watcher = new_watcher()
    watcher.on_page(Page((item("old"),), "10", "token"))
    watcher.on_list_failed(GONE)
    waited(watcher)
    assert watcher.action == ListPage(0, "")
    assert watcher.on_page(Page((item("new"),), "30")) == Replace((item("new"),))
    assert watcher.list_reason == "expired"


def test_an_expired_first_page_is_requested_in_pages_again() -> None:
    """Without a continue token no snapshot was lost, so the page size still bounds the list."""
    watcher = new_watcher()
    watcher.on_list_failed(GONE)
    assert waited(watcher) == 0.8
    assert watcher.action == FIRST


def test_the_list_after_one_in_one_piece_comes_in_pages() -> None:
    """The exception is only for the list whose token expired."""
    watcher = new_watcher()
    watcher.on_page(Page((), "10", "token"))
    watcher.on_list_failed(GONE)
    waited(watcher)
    watcher.on_list_failed(REFUSED)
    waited(watcher)
    assert watcher.action == ListPage(0, ""), "a failure in between changes nothing"
    watcher.on_page(Page((), "30"))
    watcher.on_watch_failed(GONE)
    assert watcher.action == FIRST


@pytest.mark.parametrize("status", [403, 429, 500, 503, None])
def test_a_later_page_that_fails_keeps_the_pages_before_it(status: int | None) -> None:
    """Only 410 means that the snapshot of the continue token is gone."""
    watcher = new_watcher()
    watcher.on_page(Page((item("a"),), "10", "token"))
    watcher.on_list_failed(Failure(status, "x"))
    waited(watcher)
    assert watcher.action == ListPage(PAGE_SIZE, "token")
    assert watcher.on_page(Page((item("b"),), "10")) == Replace((item("a"), item("b")))


def test_a_page_that_fails_is_requested_again() -> None:
    """Earlier pages are kept: the server still has their snapshot."""
    watcher = new_watcher()
    watcher.on_page(Page((item("a"),), "10", "token"))
    watcher.on_list_failed(REFUSED)
    assert waited(watcher) == 0.8
    assert watcher.action == ListPage(PAGE_SIZE, "token")
    assert watcher.on_page(Page((item("b"),), "10")) == Replace((item("a"), item("b")))


def test_waits_grow_to_half_a_minute_and_a_complete_list_resets_them() -> None:
    """Retries do not end, and after an outage they are as quick as before."""
    watcher = new_watcher()
    waits = []
    for _ in range(8):
        watcher.on_list_failed(REFUSED)
        waits.append(waited(watcher))
    assert waits == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]
    watcher.on_page(Page((), "1"))
    watcher.on_watch_failed(GONE)
    watcher.on_list_failed(REFUSED)
    assert waited(watcher) == 0.8


@pytest.mark.parametrize("proof", ["event", "bookmark", "lived"])
def test_a_watch_that_works_resets_its_waits(proof: str) -> None:
    """Without a reset, a number of watches would exhaust the back-off."""
    watcher = listed()
    for _ in range(50):
        for expected in (0.8, 1.6, 3.2):
            watcher.on_watch_failed(REFUSED)
            assert waited(watcher) == expected
        if proof == "event":
            watcher.on_event(added("a", "11"))
        elif proof == "bookmark":
            watcher.on_event(bookmark("11"))
        watcher.on_watch_closed(lived_seconds=12)
        assert version_of(watcher.action) in ("10", "11")


def test_opening_a_connection_resets_nothing() -> None:
    """A proxy before a dead server accepts and closes; that must not become a busy loop."""
    watcher = listed()
    waits = []
    for _ in range(4):
        watcher.on_watch_closed(lived_seconds=0.01)
        waits.append(waited(watcher))
    assert waits == [0.8, 1.6, 3.2, 6.4]


def test_a_watch_that_ends_at_once_is_never_reopened_at_once() -> None:
    """Not even after an event."""
    watcher = listed()
    for _ in range(3):
        watcher.on_event(bookmark("11"))
        watcher.on_watch_closed(lived_seconds=0.01)
        assert waited(watcher) == 0.8


def test_a_silent_watch_ends_after_90_to_150_seconds() -> None:
    """At least one bookmark was missed; with jitter, so that replicas do not list together."""
    seconds = set()
    for jitter in (0.0, 0.5, 1.0):
        watcher = Watcher(KubernetesSettings.watch_idle_timeout_seconds, lambda jitter=jitter: jitter)
        watcher.on_page(Page((), "1"))
        assert isinstance(watcher.action, Watch)
        seconds.add(watcher.action.silence_seconds)
    assert seconds == {90, 120, 150}


def test_a_silent_watch_lists_again_at_once() -> None:
    """Its version may be a future one for a server restored from a backup; the silence was wait enough."""
    watcher = listed("10", "a", "b")
    watcher.on_watch_silent()
    assert watcher.action == FIRST
    assert not watcher.watching
    assert watcher.list_reason == "silent"
    assert watcher.on_page(Page((item("b"),), "12")) == Replace((item("b"),))
    assert version_of(watcher.action) == "12"


@pytest.mark.parametrize(
    "event", [added("c", "9"), bookmark("9"), Event(EventType.DELETED, "9", Item(key("a")))]
)
def test_a_version_that_goes_back_lists_again(event: Event) -> None:
    """etcd was restored under an open watch: no event of it is used, and the wait prevents a loop of lists."""
    watcher = listed("10", "a")
    assert watcher.on_event(event) is None
    assert not watcher.watching
    assert waited(watcher) == 0.8
    assert watcher.action == FIRST
    assert watcher.list_reason == "went_back"


def test_a_list_of_an_older_version_is_applied() -> None:
    """Lists are consistent reads, so an older version means a restored etcd: the watch continues from it."""
    watcher = listed("100", "a")
    watcher.on_watch_silent()
    assert watcher.on_page(Page((item("b"),), "7")) == Replace((item("b"),))
    assert watcher.list_reason == "went_back"
    assert version_of(watcher.action) == "7"


@pytest.mark.parametrize(
    "versions", [("10", "10"), ("9", "10"), ("", "5"), ("10", ""), ("10", "abc"), ("abc", "5")]
)
def test_versions_that_do_not_go_back(versions: tuple[str, str]) -> None:
    """Numbers are compared as numbers; other texts are not compared."""
    watcher = listed(versions[0])
    watcher.on_event(bookmark(versions[1]))
    assert watcher.watching


@pytest.mark.parametrize("status", [500, 502, 503, 429, None])
def test_overload_keeps_the_version(status: int | None) -> None:
    """A starting server is not burdened with lists."""
    watcher = listed("10")
    watcher.on_watch_failed(Failure(status, "x"))
    assert waited(watcher) == 0.8
    assert version_of(watcher.action) == "10"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 504])
def test_a_refused_watch_falls_back_to_lists_at_growing_intervals(status: int) -> None:
    """Without permission to watch, lists are used, with a delay; 504: the version is too large."""
    watcher = listed()
    waits = []
    for _ in range(3):
        watcher.on_watch_failed(Failure(status, "x"))
        waits.append(waited(watcher))
        assert watcher.action == FIRST
        watcher.on_page(Page((), "10"))
    assert waits == [0.8, 1.6, 3.2]


def test_the_server_may_ask_for_more_time() -> None:
    """Retry-After of lists and watches is used when it exceeds the own wait."""
    for asked, expected in ((7.0, 7.0), (0.1, 0.8)):
        overload = Failure(429, "TooManyRequests", retry_after_seconds=asked)
        watcher = listed()
        watcher.on_watch_failed(overload)
        assert waited(watcher) == expected
        watcher = new_watcher()
        watcher.on_list_failed(overload)
        assert waited(watcher) == expected


@pytest.mark.parametrize(
    "event",
    [
        Event(EventType.MALFORMED, failure=Failure(None, "unreadable watch event")),
        Event(EventType.DELETED, "11", Item(None, reason="no name")),
    ],
)
def test_a_lost_change_causes_a_list(event: Event) -> None:
    """An unreadable event may have been a deletion."""
    watcher = listed()
    watcher.on_event(event)
    assert not watcher.watching
    if isinstance(watcher.action, Wait):
        waited(watcher)
    assert watcher.action == FIRST


def test_another_error_in_the_stream_causes_a_list() -> None:
    """After a wait: nothing else has the changes that the server did not send."""
    watcher = listed("10")
    watcher.on_event(Event(EventType.ERROR, failure=Failure(500, "InternalError")))
    assert not watcher.watching
    watcher.on_watch_closed(lived_seconds=1)
    assert waited(watcher) == 0.8
    assert watcher.action == FIRST


def test_jitter_cuts_a_wait_by_half_at_most() -> None:
    """Replicas that failed together do not retry together."""
    for jitter, expected in ((0.0, 0.4), (0.5, 0.6), (1.0, 0.8)):
        assert Backoff(jitter=lambda jitter=jitter: jitter).next() == pytest.approx(expected)


def test_a_kind_that_is_not_installed_is_retried_slowly() -> None:
    """At a constant interval, as it is no failure; the second answer removes the known objects."""
    watcher = listed("10", "a")
    assert watcher.on_absent() is None
    assert not watcher.watching
    assert waited(watcher) == ABSENT_WAIT_SECONDS
    assert watcher.action == FIRST
    assert watcher.on_absent() == Replace(())
    assert waited(watcher) == ABSENT_WAIT_SECONDS
    assert watcher.on_page(Page((item("b"),), "20")) == Replace((item("b"),))
    assert version_of(watcher.action) == "20"
    assert watcher.on_absent() is None
