"""Traces: the spans of a change, and their export to an OTLP receiver on a real socket."""

import gzip
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from steerway.config import Settings
from steerway.config.section.diagnostic import TracingSettings
from steerway.control.wiring import make_engine, make_journal
from steerway.errors import SettingsError
from steerway.journal import span, trace_id
from steerway.journal.entry import Entry, Work
from steerway.journal.trace_id import TraceIds
from steerway.journal.tracing import MAX_SECONDS, Tracing, set_up
from steerway.origin import Origin
from testbed.process.deadline import until
from tests.unit.journal.journal_world import BACKEND, SLICE, Counts, Refused, World


class Receiver:
    """Collects the spans that are posted to it."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[Any] = []

    def take(self, body: bytes) -> None:
        for group in json.loads(body)["resourceSpans"]:
            self.resources.append(group["resource"])
            self.spans += [part for scope in group["scopeSpans"] for part in scope["spans"]]


def attributes(of: dict[str, Any]) -> dict[str, Any]:
    """Values by name; arrays as they are."""
    return {item["key"]: next(iter(item["value"].values())) for item in of["attributes"]}


@contextmanager
def receiver() -> Iterator[tuple[str, Receiver]]:
    """The URL of an OTLP/HTTP receiver."""
    received = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.take(gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """No lines in the output of the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def publish(world: World) -> int:
    """A change of which all times are known: 2 s from its event to the publication."""
    change = world.publish(
        origin=Origin(world.now - 1.5, world.now - 2.0), work=Work(world.now - 1.0, world.now - 0.25)
    )
    world.counts[change] = Counts(change, sent=1, acked=1, first_sent_seconds=0.5, last_acked_seconds=1.5)
    return change


def entry(world: World) -> Entry:
    return world.journal.entries()[-1]


def test_steps_follow_each_other_from_the_event_to_the_last_acknowledgement() -> None:
    world = World()
    publish(world)
    recorded = entry(world)
    assert [
        (step.name, step.start - recorded.time, step.end - recorded.time) for step in span.steps(recorded)
    ] == [
        ("receive", -2.0, -1.5),
        ("debounce", -1.5, -1.0),
        ("translate", -1.0, -0.25),
        ("publish", -0.25, 0.0),
        ("send", 0.0, 0.5),
        ("acknowledge", 0.5, 1.5),
    ]
    whole = span.whole(recorded)
    assert (whole.start - recorded.time, whole.end - recorded.time) == (-2.0, 1.5)


def test_unknown_times_have_no_steps() -> None:
    world = World()
    world.publish(put=[])
    assert span.steps(entry(world)) == []
    assert span.whole(entry(world)) == ("change", entry(world).time, entry(world).time)


def test_the_sample_is_a_share_of_the_changes() -> None:
    assert all(TraceIds(0.0).of(change) is None for change in range(100))
    assert all(TraceIds(1.0).of(change) for change in range(100))
    ids = TraceIds(0.25)
    sampled = [change for change in range(4000) if ids.of(change) is not None]
    assert 800 < len(sampled) < 1200
    assert ids.of(sampled[0]) == ids.of(sampled[0])
    assert len(trace_id.text(ids.of(sampled[0]) or 0)) == 32


def test_missing_packages_are_an_error_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.json.http.trace_exporter", None)
    settings = Settings(listen="127.0.0.1:0", tracing=TracingSettings(enabled=True))
    engine = make_engine(settings)
    with pytest.raises(SettingsError, match=r"tracing\.enabled needs .* install steerway\[otel\]"):
        make_journal(settings, engine)


def test_a_trace_has_a_span_for_each_step_and_its_refusals() -> None:
    world, ids = World(), TraceIds(1.0)
    with receiver() as (url, received):
        sdk = set_up(url, "steerway-0")
        tracing = Tracing(world.journal, ids, sdk)
        change = publish(world)
        world.journal.record_nacks([Refused(change)])
        tracing.look()
        assert not received.spans
        world.now += 5
        tracing.look()
        tracing.look()
        sdk.provider.shutdown()
        until(lambda: len(received.spans) == 7, "seven spans are exported")
    root = next(part for part in received.spans if part["name"] == "change")
    assert int(root["traceId"], 16) == ids.of(change)
    assert {part["traceId"] for part in received.spans} == {root["traceId"]}
    assert {part["parentSpanId"] for part in received.spans if part is not root} == {root["spanId"]}
    assert {part["name"] for part in received.spans} == {
        "change", "receive", "debounce", "translate", "publish", "send", "acknowledge",
    }  # fmt: skip
    assert int(root["endTimeUnixNano"]) - int(root["startTimeUnixNano"]) == 3_500_000_000
    values = attributes(root)
    assert int(values["steerway.change.id"]) == change
    assert values["steerway.change.objects"] == {"values": [{"stringValue": str(SLICE)}]}
    assert values["steerway.change.services"] == {"values": [{"stringValue": str(BACKEND)}]}
    (nack,) = root["events"]
    assert attributes(nack)["message"] == "bad cluster"
    assert root["status"]["code"] == 2
    (resource, *_) = received.resources
    named = attributes(resource)
    assert (named["service.name"], named["service.instance.id"]) == ("steerway", "steerway-0")


def test_a_change_with_silent_clients_ends_after_some_time() -> None:
    world = World()
    with receiver() as (url, received):
        sdk = set_up(url, "steerway-0")
        tracing = Tracing(world.journal, TraceIds(1.0), sdk)
        change = world.publish()
        world.counts[change] = Counts(change, sent=1, pending=1, first_sent_seconds=0.5)
        world.now += MAX_SECONDS - 1
        tracing.look()
        world.now += 1
        tracing.look()
        sdk.provider.shutdown()
        until(lambda: len(received.spans) == 2, "two spans are exported")
    assert {part["name"] for part in received.spans} == {"change", "send"}
