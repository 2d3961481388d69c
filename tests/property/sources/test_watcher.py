"""Informers under any history: whatever fails, what is known is what the server has, once a list or watch gets through.

A model server with a log of changes answers a `Watcher` that is driven by hand: pages, events, bookmarks, drops,
expiry, refusals and unreadable lines in any order.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from steerway.config import KubernetesSettings
from steerway.sources.kubernetes.event import Event, EventType, Failure, Item, Page
from steerway.sources.kubernetes.watcher import ListPage, Remove, Replace, Upsert, Wait, Watch, Watcher
from steerway.sources.objects.core import ObjectKey, Service, ServiceMeta

NAMES = st.sampled_from("abcdef")
PAGE = 2


def service(name: str, generation: int) -> Service:
    return Service(ServiceMeta(name=name, namespace="n", labels={"generation": str(generation)}))


@dataclass
class ModelServer:
    """Objects by name, a log of changes, and how much of it is forgotten."""

    objects: dict[str, Service] = field(default_factory=dict)
    log: list[tuple[int, EventType, Service]] = field(default_factory=list)
    version: int = 1
    oldest: int = 0

    def put(self, name: str) -> None:
        self.version += 1
        kind = EventType.MODIFIED if name in self.objects else EventType.ADDED
        self.objects[name] = service(name, self.version)
        self.log.append((self.version, kind, self.objects[name]))

    def delete(self, name: str) -> None:
        if name in self.objects:
            self.version += 1
            self.log.append((self.version, EventType.DELETED, self.objects.pop(name)))


class InformerMachine(RuleBasedStateMachine):
    """The watcher and a reader of its deltas, against the model server."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ModelServer()
        self.watcher = Watcher(KubernetesSettings.watch_idle_timeout_seconds, lambda: 0.5)
        self.known: dict[ObjectKey, Service] = {}
        self.snapshot: tuple[int, list[Service]] | None = None  # of the list that is being paged
        self.open_at: int | None = None  # the server's position in the open watch
        self.steps_without_wait = 0

    @rule(name=NAMES)
    def put(self, name: str) -> None:
        self.server.put(name)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        self.server.delete(name)

    @rule()
    def forget(self) -> None:
        self.server.oldest = self.server.version
        self.snapshot = None

    @rule(fault=st.sampled_from([None, None, None, 403, 429, 500]))
    def step(self, fault: int | None) -> None:
        """Run the watcher's step, perhaps with a fault."""
        match self.watcher.action:
            case Wait(seconds):
                assert 0 < seconds <= 30
                self.steps_without_wait = 0
                self.watcher.on_waited()
            case ListPage() as request:
                self._list(request, fault)
            case Watch() as request:
                self._watch(request, fault)

    @rule(lived=st.sampled_from([0.1, 5.0, 50.0, 1000.0]))
    def close_watch(self, lived: float) -> None:
        if self.open_at is not None:
            self.open_at = None
            self.watcher.on_watch_closed(lived)

    @rule()
    def bookmark(self) -> None:
        if self.open_at is not None:
            self._deliver()
            self._event(Event(EventType.BOOKMARK, str(self.server.version)))

    @rule()
    def expire_in_stream(self) -> None:
        if self.open_at is not None:
            self._event(Event(EventType.ERROR, failure=Failure(410, "Expired")))

    @rule()
    def garble(self) -> None:
        if self.open_at is not None:
            self._event(Event(EventType.MALFORMED, failure=Failure(None, "unreadable")))

    @rule()
    def settle(self) -> None:
        """Without further faults, everything is known after a bounded number of steps."""
        for _ in range(20):
            if self.open_at is not None:
                break
            self.step(None)
        assert self.open_at is not None, self.watcher.action
        self._deliver()
        assert {key.name: value for key, value in self.known.items()} == self.server.objects

    @invariant()
    def an_open_watch_is_one_that_the_watcher_reads(self) -> None:
        assert self.open_at is None or self.watcher.watching

    def _list(self, request: ListPage, fault: int | None) -> None:
        if fault is not None:
            self.watcher.on_list_failed(Failure(fault, "x"))
            return
        if request.continue_token and self.snapshot is None:
            self.watcher.on_list_failed(Failure(410, "Expired"))
            return
        if not request.continue_token:
            self.snapshot = (self.server.version, list(self.server.objects.values()))
        assert self.snapshot is not None
        version, left = self.snapshot
        size = PAGE if request.limit else len(left)
        items = tuple(Item(item.key, item) for item in left[:size])
        self.snapshot = (version, left[size:])
        delta = self.watcher.on_page(Page(items, str(version), "more" if left[size:] else ""))
        if not left[size:]:
            assert isinstance(delta, Replace)
            self.known = {
                item.value.key: item.value for item in delta.items if isinstance(item.value, Service)
            }
            self.snapshot = None

    def _watch(self, request: Watch, fault: int | None) -> None:
        if self.open_at is not None:
            self._deliver()
        elif fault is not None:
            self.watcher.on_watch_failed(Failure(fault, "x"))
        elif int(request.resource_version) < self.server.oldest:
            self.watcher.on_watch_failed(Failure(410, "Expired"))
        else:
            self.open_at = int(request.resource_version)

    def _deliver(self) -> None:
        """All events that the open watch has not had."""
        for version, kind, value in self.server.log:
            if self.open_at is not None and version > self.open_at:
                self.open_at = version
                item = Item(value.key) if kind is EventType.DELETED else Item(value.key, value)
                self._event(Event(kind, str(version), item))

    def _event(self, event: Event) -> None:
        match self.watcher.on_event(event):
            case Upsert(Item(key, value)):
                assert key is not None
                assert isinstance(value, Service)
                self.known[key] = value
            case Remove(key):
                self.known.pop(key, None)
        if not self.watcher.watching:
            self.open_at = None


TestInformer = InformerMachine.TestCase
TestInformer.settings = settings(max_examples=150, stateful_step_count=40)
