"""The native module alone: events and their descriptor, ranges of numbers, and errors."""

import asyncio
import errno
import select
import selectors
from collections.abc import Iterator
from pathlib import Path

import pytest

from steerway._engine import Closed, Demand, Engine, Nack, Opened
from steerway.engine import engine as face
from steerway.errors import EngineError
from steerway.testing.ads_client import AdsClient, SotwStream
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT
from testbed.engine_options import engine_options
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.xds_server import contents, put

KEPT_NACKS = 32
"""Of one client, as `Nack` has it in `_engine.pyi`."""


def made(**options: object) -> Engine:
    """An engine of its own on loopback, not started."""
    return Engine(engine_options(**{"threads": 1} | options))


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine that only the test polls."""
    engine = made()
    yield engine
    engine.stop()


@pytest.fixture
def client(engine: Engine) -> Iterator[AdsClient]:
    """A client of `engine`."""
    with AdsClient(*engine.start()) as client:
        engine.set_serving(True)
        yield client


def is_readable(engine: Engine, seconds: float = 0) -> bool:
    """Whether the descriptor is readable."""
    return bool(select.select([engine.event_fd], [], [], seconds)[0])


def polled(engine: Engine) -> list[object]:
    """The next batch."""
    assert is_readable(engine, PATIENCE_SECONDS), "no event"
    return list(engine.poll())


def opened(engine: Engine) -> int:
    """Wait for a stream, give it an audience, and return its id."""
    (event,) = polled(engine)
    assert isinstance(event, Opened)
    engine.classify([(event.stream, "test", None)])
    return event.stream


def test_the_descriptor_is_readable_while_events_wait(engine: Engine, client: AdsClient) -> None:
    """A poll takes all events in order and clears it; an empty poll does not block."""
    assert (is_readable(engine), engine.poll()) == (False, [])
    client.delta().request(CLUSTER, "a", "b")
    stream = opened(engine)
    until(lambda: engine.stats().subscriptions[CLUSTER] == 2, "both names are subscribed")
    assert is_readable(engine, PATIENCE_SECONDS)
    assert is_readable(engine), "looking does not clear it"
    events: list[object] = list(engine.poll(1))
    assert is_readable(engine), "another demand waits"
    events += engine.poll(1)
    client.close()
    until(lambda: engine.stats().streams["delta"] == 0, "the stream is gone")
    while not any(isinstance(event, Closed) for event in events):
        events += polled(engine)
    assert [type(event) for event in events] == [Demand, Demand, Closed]
    assert {event.name for event in events if isinstance(event, Demand)} == {"a", "b"}
    assert [event.stream for event in events if isinstance(event, Closed)] == [stream]
    assert (is_readable(engine), engine.poll()) == (False, [])


def test_a_client_with_one_name_does_not_wait_for_one_with_many(engine: Engine) -> None:
    """A poll takes at most the requested number of demands, from the connections in turn."""
    (address,) = engine.start()
    with AdsClient(address) as client, AdsClient(address) as other:
        client.delta().request(CLUSTER, *(f"many-{number}" for number in range(100)))
        opened(engine)
        until(lambda: engine.stats().subscriptions[CLUSTER] == 100, "all are subscribed")
        assert len(engine.poll(20)) == 20
        other.delta().request(CLUSTER, "one")
        events: list[object] = []
        until(lambda: events.extend(engine.poll(0)) or events, "the other stream is reported")
        (event,) = events
        assert isinstance(event, Opened)
        engine.classify([(event.stream, "test", None)])
        until(lambda: engine.stats().subscriptions[CLUSTER] == 101, "its name is subscribed")
        names = [event.name for event in engine.poll(16) if isinstance(event, Demand)]
        assert (len(names), "one" in names) == (16, True)


def test_a_stream_waits_for_its_audience(engine: Engine, client: AdsClient) -> None:
    """It gets no answer before its grant is known; others are answered."""
    engine.publish(put=[put(CLUSTER, "a", "1", "test")])
    waiting = client.sotw()
    waiting.request(CLUSTER, "a")
    ((first),) = polled(engine)
    assert isinstance(first, Opened)
    other = client.sotw()
    other.request(CLUSTER, "a")
    opened(engine)
    assert contents(other.read()) == {"a": "1"}
    assert engine.stats().responses[CLUSTER] == 1
    engine.classify([(first.stream, "test", None)])
    assert contents(waiting.read()) == {"a": "1"}


def test_a_storm_of_nacks_displaces_no_nack_of_another_client(tmp_path: Path) -> None:
    """The newest are kept, shortened, with the number of dropped ones; other events stay."""
    engine = made(listen=["127.0.0.1:0", f"unix:{tmp_path}/xds"])
    try:
        addresses = engine.start()
        engine.set_serving(True)
        engine.publish(put=[put(CLUSTER, "a", "first"), put(CLUSTER, "n" * 600, "first")])
        with AdsClient(addresses[1]) as honest, AdsClient(addresses[0]) as storm:
            stream = honest.sotw()
            stream.request(CLUSTER, "a")
            opened(engine)
            stream.nack(stream.read(), "honest")
            until(lambda: engine.stats().nacks[CLUSTER] == 1, "it is counted")
            stream = storm.sotw()
            stream.request(CLUSTER, "a", "n" * 600)
            until(lambda: sum(engine.stats().streams.values()) == 2, "it is there")
            count = KEPT_NACKS + 3
            late = storm_of_nacks(engine, stream, count)
            until(lambda: engine.stats().nacks[CLUSTER] == count + 1, "all are counted")
            nacks = [event for event in [*late, *engine.poll()] if isinstance(event, Nack)]
    finally:
        engine.stop()
    by_text = {nack.message[:8].rstrip("."): nack for nack in nacks}
    assert by_text.keys() == {"honest", *map(str, range(3, count))}
    assert (by_text["honest"].suppressed, by_text["honest"].refused) == (0, 1)
    assert [nack.suppressed for nack in nacks if nack.suppressed] == [3]
    last = by_text[str(count - 1)]
    assert (last.suppressed, len(last.message.encode()), last.refused) == (3, 512, 1)
    assert all(len(name.encode()) <= 512 for nack in nacks for name in nack.resources)


def storm_of_nacks(engine: Engine, stream: SotwStream, count: int) -> list[object]:
    """NACKs of one stream that are not polled, after the events before them."""
    events: list[object] = []
    while not (ids := [event.stream for event in events if isinstance(event, Opened)]):
        events += polled(engine)
    engine.classify([(ids[0], "test", None)])
    for number in range(count):
        stream.nack(stream.read(), str(number).ljust(9000, "."))
        engine.publish(put=[put(CLUSTER, "n" * 600, str(number))])
    return events


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("threads", -1),
        ("threads", 1025),
        ("threads", 2**70),
        ("max_concurrent_streams", 0),
        ("max_concurrent_streams", 2**32),
        ("max_concurrent_streams", -(2**70)),
        ("max_connections", 0),
        ("max_connections_per_address", -1),
        ("max_connections_per_identity", -1),
        ("max_connections_per_second", 0),
        ("max_node_bytes", 0),
        ("max_streams", 0),
        ("max_request_bytes", 0),
        ("max_requests_per_second", 0),
        ("request_timeout_seconds", 0.0),
        ("max_connection_age_seconds", -1.0),
        ("max_connection_age_grace_seconds", 1e12),
        ("keepalive_interval_seconds", 0.0),
        ("keepalive_interval_seconds", float("nan")),
        ("keepalive_timeout_seconds", 0.0),
        ("keepalive_timeout_seconds", float("inf")),
        ("unsubscribe_grace_seconds", -1.0),
        ("unsubscribe_grace_seconds", 1e12),
    ],
)
def test_a_number_out_of_range_is_named(option: str, value: float) -> None:
    """The error has option and range."""
    shown = "NaN" if value != value else f"{value:.0f}"
    with pytest.raises(ValueError, match=rf"^{option}: {shown} is not "):
        made(**{option: value})
    with pytest.raises(EngineError, match=option):
        face.Engine(engine_options(**{option: value}))


@pytest.mark.parametrize("value", [-1.0, float("nan"), 1e12])
def test_a_drain_requires_a_valid_time(engine: Engine, value: float) -> None:
    """An invalid time drains nothing."""
    with pytest.raises(ValueError, match=r"^grace_seconds: "):
        engine.drain(value)


def test_invalid_descriptors_are_refused() -> None:
    """By the constructor."""
    with pytest.raises(ValueError, match=r"^descriptors: "):
        made(descriptors=b"\xff\xff")


def test_an_address_that_cannot_be_bound_has_an_errno(engine: Engine) -> None:
    """As every OSError has; the message for operators has the text only."""
    (address,) = engine.start()
    with pytest.raises(OSError, match="in use") as raised:
        made(listen=address).start()
    assert raised.value.errno == errno.EADDRINUSE
    with pytest.raises(EngineError, match=address) as received:
        face.Engine(engine_options(listen=address)).start()
    assert "os error" not in str(received.value)


def test_an_unresolvable_host_is_an_error() -> None:
    """Without errno; the reason is that of the resolver."""
    with pytest.raises(EngineError, match=r"no\.such\.host\.invalid:9000: .*--listen"):
        face.Engine(engine_options(listen="no.such.host.invalid:9000")).start()


def test_the_loop_rests_while_a_batch_is_handled() -> None:
    """New events keep the descriptor readable: a loop that watched it meanwhile would spin."""
    selector = selectors.DefaultSelector()
    loop = asyncio.SelectorEventLoop(selector)
    engine = face.Engine(engine_options(threads=1))

    async def handle() -> None:
        idle = set(selector.get_map())
        events = engine.events()
        client.delta().request(CLUSTER, "a")
        first = await anext(events)
        client.delta().request(ENDPOINT, "b")
        await asyncio.to_thread(
            until, lambda: engine.stats().requests[ENDPOINT] == 1, "the next event waits to be polled"
        )
        assert set(selector.get_map()) == idle
        second = await anext(events)
        assert [type(event) for event in [*first, *second]] == [Opened, Opened]
        await events.aclose()

    with AdsClient(*engine.start()) as client:
        try:
            loop.run_until_complete(handle())
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
            engine.stop()
