"""Log lines that clients cause: limited per client, without loss of other clients' lines, short, and
counted when dropped.
"""

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

import steerway
from steerway import telemetry
from steerway.log import limit, setup
from steerway.log.limit import CLIENT_EVENTS, MAX_NETWORKS, MAX_TALLIED, MAX_TRACEBACK, Kind, LogLimiter
from steerway.text import MAX_TEXT, bounded
from tests.support.log_setup import restored_logging

KIND = Kind()
SOURCES = Path(steerway.__file__).parent
LEVELS = ("debug", "info", "warning", "error", "exception", "critical", "log")
OWN_EVENTS = {
    "ca_bundle_written",
    "certificate_issued",
    "certificate_not_kept",
    "certificate_not_taken",
    "certificate_taken",
    "cluster_not_in_use",
    "cluster_in_use",
    "cluster_not_known",
    "contact_restored",
    "document_ignored",
    "document_skipped",
    "draining",
    "event_not_written",
    "file_not_taken",
    "file_taken",
    "file_watch_failed",
    "files_not_at_rest",
    "files_hang",
    "files_not_readable",
    "files_read",
    "filter_matches_nothing",
    "informers_stale",
    "kind_not_installed",
    "kubernetes_source_started",
    "lease_acquired",
    "lease_lost",
    "lease_not_renewed",
    "lines_suppressed",
    "listed",
    "memory_trimmed",
    "no_authentication",
    "not_accepted",
    "not_served",
    "object_skipped",
    "part_failed",
    "serving",
    "signal",
    "state_not_used",
    "status_not_written",
    "stopped",
    "tokens_in_clear_text",
    "watch_ended",
    "watch_lost",
    "watch_silent",
    "ca_not_kept",
    "identity_denied",
    "identity_issued",
    "identity_not_issued",
    "identity_pending",
    "intermediate_in_use",
    "root_in_use",
    "root_prepared",
    "root_removed",
    "roots_published",
    "{request.verb}_failed",
    "{verb}_expired",
}
"""Events that files, the API server, signals or time cause, and no client."""


class World:
    """A limiter with a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.limiter = LogLimiter(lambda: self.now)

    def write(self, event: str = "nack", peer: str = "10.0.0.1:1", **values: Any) -> dict[str, Any] | None:
        """The line, or None when it is left out."""
        try:
            line = self.limiter(None, "warning", {"event": event, "peer": peer, **values})
        except structlog.DropEvent:
            return None
        return dict(line)


def sample(event: str) -> float:
    name = "steerway_log_lines_suppressed_total"
    return telemetry.REGISTRY.get_sample_value(name, {"event": event}) or 0.0


@pytest.fixture
def world() -> World:
    return World()


def events() -> Iterator[str]:
    """Every event that the product logs."""
    for path in SOURCES.rglob("*.py"):
        text = path.read_text()
        if "get_logger" not in text:
            continue
        for call in ast.walk(ast.parse(text)):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in LEVELS
            ):
                logger = ast.unparse(call.func.value)
                if logger.rpartition(".")[2] in ("log", "_log"):
                    yield from _names(call.args[1 if call.func.attr == "log" else 0])


def _names(argument: ast.expr) -> list[str]:
    """The possible texts of an argument; parts in braces are filled in at run time."""
    if isinstance(argument, ast.IfExp):
        return [*_names(argument.body), *_names(argument.orelse)]
    assert isinstance(argument, ast.Constant | ast.JoinedStr), ast.unparse(argument)
    return [ast.unparse(argument).removeprefix("f").strip("'\"")]


def test_each_event_is_listed_as_caused_by_clients_or_not() -> None:
    """A new event that a client can cause belongs into `CLIENT_EVENTS`, which limits it."""
    result = set(events())
    assert len(result) > 50
    assert result - OWN_EVENTS == set(CLIENT_EVENTS)
    assert result >= OWN_EVENTS


def test_every_logger_is_that_of_structlog() -> None:
    """Any other would bypass the limiter, under its own name or unnoticed."""
    for path in SOURCES.rglob("*.py"):
        text = path.read_text()
        if "get_logger" in text:
            assert "log = structlog.get_logger(" in text or "_log = structlog.get_logger(" in text, path
        if path != SOURCES / "log" / "setup.py":
            assert "logging.getLogger" not in text, path


def test_a_client_writes_few_lines_and_further_ones_are_counted(world: World) -> None:
    lines = []
    for number in range(11_000):
        world.now += 0.001
        lines.append(world.write(message="x" * 100_000, peer=f"10.0.0.1:{number}"))
    written = [line for line in lines if line is not None]
    assert len(written) == KIND.network.burst + 1
    left_out = sum(line.get("suppressed", 0) for line in written)
    assert sum(map(len, map(str, written))) < 20_000
    (summary,) = world.limiter.summaries()
    assert (summary.kind, summary.lines) == ("nack", 11_000 - len(written))
    world.now += 100
    last = world.write()
    assert last is not None
    assert left_out + last["suppressed"] == 11_000 - len(written)


def test_a_flood_hides_neither_another_client_nor_another_kind(world: World) -> None:
    """Also a flood from many networks."""
    for number in range(2_000):
        world.now += 0.01
        world.write(peer=f"10.0.0.{number % 20}:1")
    assert world.write(peer="10.1.0.1:1") is not None
    assert world.write("handshake_failed", peer="10.0.0.1:1") is not None


def test_the_memory_of_the_limiter_is_bounded(world: World) -> None:
    for number in range(2 * MAX_NETWORKS):
        world.write(peer=f"10.{number // 65536}.{number // 256 % 256}.{number % 256}:1")
    assert len(world.limiter._networks) == MAX_NETWORKS


def test_lines_dropped_by_the_engine_are_counted(world: World) -> None:
    """The engine drops NACKs and reports their number with the next one; the metric counts each event."""
    before = sample("nack")
    line = world.write(suppressed=40)
    assert line is not None
    assert line["suppressed"] == 40
    for _ in range(KIND.network.burst):
        line = world.write(suppressed=5)
    assert line is None
    world.now += 1000
    line = world.write()
    assert line is not None
    assert line["suppressed"] == 5 + 1
    (summary,) = world.limiter.summaries()
    assert summary.lines == sample("nack") - before == 40 + 5 * KIND.network.burst + 1


def test_the_metric_counts_lines_of_libraries_as_one(world: World) -> None:
    """For all names of their loggers."""
    before = sample("library")
    for number in range(100):
        for name in ("aiohttp.server", f"other{number}"):
            world.limiter.filter(logging.LogRecord(name, logging.ERROR, "", 0, "broken", (), None))
    assert sample("library") == before + 100 - (30 - limit._RESERVED)


def test_a_storm_of_streams_is_summed_up_by_client(world: World) -> None:
    """Each second; values from clients use no memory."""
    clients = ["grpc-go 1.70"] * 500 + ["envoy 1.33"] * 300 + [f"grpc-go 9.{number}" for number in range(200)]
    for client in clients:
        world.write("stream_opened", client=client)
    assert world.limiter.summaries() == []
    world.now += 1
    (summary,) = world.limiter.summaries()
    assert summary.lines == 1000 - KIND.network.burst
    assert list(summary.by)[:2] == ["grpc-go 1.70", "envoy 1.33"]
    assert len(summary.by) == MAX_TALLIED + 1
    assert sum(summary.by.values()) == summary.lines
    assert world.limiter.summaries() == []


def test_a_function_as_value_is_called_for_written_lines_only(world: World) -> None:
    called = []
    for _ in range(100):
        world.write(resources=lambda: called.append(1) or ["a", "b"])
    assert len(called) == KIND.network.burst


def test_other_events_pass_unchanged(world: World) -> None:
    for _ in range(1000):
        assert world.write("serving", text="a\nb" * 1000) == {
            "event": "serving",
            "peer": "10.0.0.1:1",
            "text": "a\nb" * 1000,
        }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode 😀", "plain ünïcode 😀"),
        ("two\nlines\r\t", "two\\nlines\\r\\t"),
        ("\x1b[31mred\x07\x00\x9b", "\\x1b[31mred\\x07\\x00\\x9b"),
        ("right\u202eto left\u2028", "right\\u202eto left\\u2028"),
        ("\ud800", "\\ud800"),
        ("x" * MAX_TEXT, "x" * MAX_TEXT),
        ("x" * (MAX_TEXT + 1), "x" * 254 + "…" + "x" * 255),
        ("quoted " + "ü" * MAX_TEXT + " reason", "quoted " + "ü" * 123 + "…" + "ü" * 124 + " reason"),
        ("\n" * MAX_TEXT, "\\n" * 127 + "…" + "\\n" * 127),
    ],
)
def test_texts_are_escaped_and_truncated(text: str, shown: str) -> None:
    assert bounded(text) == shown


@given(st.text(max_size=700) | st.text("\n\x1b\ud800ü😀", max_size=700), st.integers(8, 600))
def test_a_bounded_text_is_one_printable_line(text: str, most: int) -> None:
    """Of whole characters; bounding it again does not change it."""
    shown = bounded(text, most)
    assert len(shown.encode()) <= most
    assert shown.isprintable()
    assert bounded(shown, most) == shown
    assert shown == text or "…" in shown or not text.isprintable()


def test_lists_are_truncated_between_items(world: World) -> None:
    line = world.write(resources=["a\n", *("n" * 200 for _ in range(1000))], none=None, number=7, yes=True)
    assert line is not None
    assert line["resources"] == ["a\\n", "n" * 200, "n" * 200, "… and 998 more"]
    assert (line["none"], line["number"], line["yes"]) == (None, 7, True)


@pytest.fixture
def restored() -> Iterator[None]:
    with restored_logging():
        yield


@pytest.mark.usefixtures("restored")
def test_the_set_up_limits_lines_of_clients_and_of_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any logger; a traceback is truncated, and the number of dropped lines is logged."""
    stream, world = io.StringIO(), World()
    monkeypatch.setattr(setup, "LogLimiter", lambda: world.limiter)
    setup.configure("json", "info", stream)
    log = structlog.get_logger("steerway.app")
    for number in range(1000):
        log.warning("nack", peer="10.0.0.1:1", type="Listener")
        logging.getLogger("aiohttp.server").error("broken\n%s", number)
        try:
            int("x\n" * 10_000)
        except ValueError:
            log.exception("engine_fault", peer="10.0.0.1:1")
    world.now += KIND.summary_seconds
    setup.write_summaries()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(stream.getvalue()) < 250_000
    assert [line["event"] for line in lines].count("nack") == KIND.network.burst
    assert "ValueError" in next(line["exception"] for line in lines if line["event"] == "engine_fault")
    assert max(len(line.get("exception", "").encode()) for line in lines) <= MAX_TRACEBACK
    broken = [line["event"] for line in lines if line["logger"] == "aiohttp.server"]
    assert broken[0] == "broken\\n0"
    assert len(broken) == 30 - limit._RESERVED
    left_out = {line["kind"]: (line["level"], line["lines"], line.get("by")) for line in lines[-3:]}
    assert left_out == {
        "nack": ("warning", 1000 - KIND.network.burst, {"Listener": 1000 - KIND.network.burst}),
        "logger aiohttp.server": ("error", 1000 - len(broken), None),
        "engine_fault": ("error", 1000 - KIND.network.burst, None),
    }


def test_the_documentation_lists_each_event_of_clients() -> None:
    """With the value by which its lines are counted."""
    document = (SOURCES.parent.parent / "docs" / "admin.md").read_text()
    section = document.partition("## Log lines of clients")[2].partition("\n## ")[0]
    rows = [row.split("|")[1:-1] for row in section.splitlines() if row.startswith("| `")]
    listed = {name.strip(" `"): tally for names, _, tally in rows for name in names.split(",")}
    assert listed.keys() == CLIENT_EVENTS.keys()
    for name, kind in CLIENT_EVENTS.items():
        assert (f"`{kind.tally}`" in listed[name]) == bool(kind.tally), name
