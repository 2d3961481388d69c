"""The engine on loopback, alone: a test is its catalog and translator, a thread of it collects its events.

The engine does not look into resources, so these hold only their identity: `name=content`.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, DiscoveryResponse, Resource

from steerway.commit import Commit, Put
from steerway.engine.engine import Engine, Event, Opened
from steerway.origin import Origin
from steerway.testing.ads_client import DeltaStream, SotwStream
from steerway.translate.xds.type_url import EXTENSION
from testbed.engine_options import engine_options
from testbed.process.deadline import PATIENCE_SECONDS

IDENTIFIER = "replica-7"

_E = TypeVar("_E", bound=Event)


def put(
    type_url: str,
    name: str,
    content: str,
    audience: str = "",
    references: tuple[tuple[str, str], ...] = (),
    scope: str = "",
    ttl_seconds: float = 0.0,
    origin: Origin | None = None,
) -> Put:
    """An entry of `Commit.put`."""
    return Put(type_url, name, audience, f"{name}={content}".encode(), references, scope, ttl_seconds, origin)


def contents(response: DiscoveryResponse | DeltaDiscoveryResponse) -> dict[str, str]:
    """Name to content of all resources of a response, each of which must be there once.

    A heartbeat has no content. That of a resource with a time to live ends with `@SECONDS`.
    """
    pairs = [
        (name, f"{content}@{resource.ttl.seconds}" if resource.HasField("ttl") else content)
        for resource in _resources(response)
        if resource.HasField("resource")
        for name, content in [resource.resource.value.decode().split("=", 1)]
    ]
    assert len({name for name, _ in pairs}) == len(pairs), f"a name stands twice: {pairs}"
    return dict(pairs)


def _resources(response: DiscoveryResponse | DeltaDiscoveryResponse) -> list[Resource]:
    if isinstance(response, DeltaDiscoveryResponse):
        return list(response.resources)
    wrapped = [Resource(resource=resource) for resource in response.resources]
    for item in wrapped:
        inner = Resource()
        if item.resource.Unpack(inner):
            item.CopyFrom(inner)
    return wrapped


class XdsServer:
    """An engine that was started. A stream is refused, or gets the identity ("": none), the audience and the grant
    matching in its node."""

    def __init__(
        self,
        audience: Callable[[Node], str] = lambda _: "test",
        grant: Callable[[Node], list[str] | None] = lambda _: None,
        refusal: Callable[[Opened], tuple[int, str] | None] = lambda _: None,
        identity: Callable[[Node], str] = lambda _: "",
        **options: Any,
    ) -> None:
        self.engine = Engine(
            engine_options(
                **{"identifier": IDENTIFIER, "threads": 2, "unsubscribe_grace_seconds": 0.05} | options
            )
        )
        self.events: list[Event] = []
        """All events so far, in order."""
        self._audience = audience
        self._grant = grant
        self._refusal = refusal
        self._identity = identity
        self._markers = 0
        self._changed = threading.Condition()
        self.address, *self.more_addresses = self.engine.start()
        self._loop = asyncio.new_event_loop()
        self._collecting = threading.Thread(target=self._run, name="xds-server-events")
        self._task = self._loop.create_task(self._collect())
        self._collecting.start()

    def publish(
        self,
        put: Iterable[Put] = (),
        absent: Iterable[tuple[str, str, str, str]] = (),
        forget: Iterable[tuple[str, str, str]] = (),
        complete: Iterable[tuple[str, str]] = (),
        denied: Iterable[tuple[str, str, str, str]] = (),
        change: int = 0,
    ) -> int:
        """One commit; returns how many entries changed."""
        return self.engine.publish(
            Commit(list(put), list(absent), list(denied), list(forget), list(complete)), change
        )

    def wait(self, kind: type[_E], count: int = 1, **fields: object) -> list[_E]:
        """Wait until there are so many events of the kind with these fields, and return them."""

        def matching() -> list[_E]:
            return [
                event
                for event in self.events
                if isinstance(event, kind)
                and all(getattr(event, name) == value for name, value in fields.items())
            ]

        with self._changed:
            arrived = self._changed.wait_for(lambda: len(matching()) >= count, PATIENCE_SECONDS)
            assert arrived, f"no {count} of {kind.__name__} {fields}; there were {self.events}"
            return matching()

    def assert_silent(self, stream: SotwStream | DeltaStream) -> None:
        """Nothing is due on the stream: what comes next are the answers to a subscription made now and a change of it.

        Commits reach a stream in order, and this type is the last that a stream sends.
        """
        self._markers += 1
        name = f"marker-{self._markers}"
        self.publish([put(EXTENSION, name, "1")])
        stream.request(EXTENSION, name)
        for content in ("1", "2"):
            self.publish([put(EXTENSION, name, content)])
            response = stream.read()
            is_marker = response.type_url == EXTENSION and contents(response) == {name: content}
            assert is_marker, f"something was due: {response}"
            stream.ack(response)

    def handle(self, events: list[Event]) -> None:
        """What else a test does with events, on their event loop."""

    def stop(self) -> None:
        """End the engine and the collecting of its events."""
        self.engine.stop()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._collecting.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())

    async def _collect(self) -> None:
        async for events in self.engine.events():
            opened = [event for event in events if isinstance(event, Opened)]
            refused = [(event.stream, *refusal) for event in opened if (refusal := self._refusal(event))]
            self.engine.reject(refused)
            nodes = [(event.stream, Node.FromString(event.node)) for event in opened]
            self.engine.identify([(id, name) for id, node in nodes if (name := self._identity(node))])
            # A stream that was refused is classified all the same: the first word counts.
            self.engine.classify([(id, self._audience(node), self._grant(node)) for id, node in nodes])
            self.handle(events)
            with self._changed:
                self.events += events
                self._changed.notify_all()
