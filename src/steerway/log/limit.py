"""The limit of log lines that clients can cause: their number, their length, and the counters of suppressed lines.

Every event that a client can cause is in `CLIENT_EVENTS`, and is limited here, wherever it is logged. Its lines are
limited for each network of clients (see `peer.network`) and in total; a quiet network precedes others. Suppressed lines
are counted: the next line of the same network has `suppressed`, a line `lines_suppressed` summarizes each kind, and
`steerway_log_lines_suppressed_total` counts each event. A line with a number `suppressed` stands for as many lines that
the engine suppressed; they are added. Texts are cut and their control characters escaped (`steerway.text`), so that no
client can write lines of its own.

Lines of libraries, such as those of a web server about a malformed request, are limited by the name of their logger.
"""

import logging
import threading
import time
import traceback
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from structlog.typing import EventDict

from steerway import telemetry
from steerway.peer import network
from steerway.text import ELLIPSIS, MAX_TEXT, bounded

MAX_TRACEBACK = 8192
"""Bytes of a traceback; its end is kept."""
MAX_NETWORKS = 4096
"""Remembered networks, of all kinds together; the one that was quiet longest is dropped first."""
MAX_TALLIED = 20
"""Distinct values in a `lines_suppressed`; the remainder is counted as `others`."""


class Limit(NamedTuple):
    """Lines of one kind: the burst, and the average rate."""

    burst: int
    per_second: float


class Kind(NamedTuple):
    """A kind of event. `share`: the field whose value selects the limit `network`; "": the network of the client.
    `tally`: the field by whose value suppressed lines are counted; "": all as one."""

    network: Limit = Limit(10, 0.1)
    total: Limit = Limit(30, 3.0)
    summary_seconds: float = 10.0
    tally: str = ""
    share: str = ""


CLIENT_EVENTS: Mapping[str, Kind] = {
    "absent_name": Kind(network=Limit(30, 0.2)),  # AbsenceLog has a lower rate, so that none is suppressed
    "call_refused": Kind(),
    "engine_fault": Kind(),
    "handshake_failed": Kind(tally="reason"),
    "internal_error": Kind(
        network=Limit(1, 0.1), tally="part", share="part"
    ),  # a part may fail for each object
    "limit_reached": Kind(tally="limit"),
    "nack": Kind(tally="type"),
    "node_unreadable": Kind(),
    "stream_closed": Kind(),
    "stream_opened": Kind(summary_seconds=1.0, tally="client"),
    "stream_refused": Kind(),
    "token_without_tls": Kind(),
    "token_keys_fetched": Kind(),
    "token_keys_not_fetched": Kind(),
    "token_review_failed": Kind(),
    "token_review_restored": Kind(),
}
"""Each event that a client can cause."""
_LIBRARY = Kind(network=Limit(30, 3.0))
_RESERVED = 10
"""Lines of a kind that are reserved for quiet networks."""


class Summary(NamedTuple):
    """Suppressed lines of one kind. `by`: their number by the tallied value, the largest first."""

    kind: str
    method: str
    lines: int
    by: Mapping[str, int]


@dataclass(slots=True)
class _Bucket:
    """A token bucket of lines, full at first."""

    tokens: float
    at: float
    suppressed: int = 0

    def fill(self, limit: Limit, now: float) -> None:
        self.tokens = min(limit.burst, self.tokens + (now - self.at) * limit.per_second)
        self.at = now


@dataclass(slots=True)
class _Suppressed:
    """Suppressed lines of a kind since the last summary, at `since`."""

    since: float
    method: str
    lines: int = 0
    by: Counter[str] = field(default_factory=Counter)


class LogLimiter:
    """A structlog processor (`limiter(logger, method, event)`) and a filter of the standard library's records."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Libraries log from threads of their own.
        self._lock = threading.Lock()
        self._totals: dict[str, _Bucket] = {}
        self._networks: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._suppressed: dict[str, _Suppressed] = {}

    def __call__(self, _logger: Any, method: str, event: EventDict) -> EventDict:
        """A line of an event of `CLIENT_EVENTS`, bounded; others unchanged. Raises DropEvent for a line over the limit.

        A value that is a function is called only for a line that is written.
        """
        name = str(event.get("event"))
        kind = CLIENT_EVENTS.get(name)
        if kind is None:
            return event
        share = str(event.get(kind.share, "")) if kind.share else network(str(event.get("peer", "")))
        tally = str(event.get(kind.tally, "")) if kind.tally else ""
        suppressed = self._admit(name, kind, share, method, tally, event.pop("suppressed", 0))
        if suppressed is None:
            raise structlog.DropEvent
        line = {key: value if key == "exc_info" else _bounded_value(value) for key, value in event.items()}
        if line.pop("exc_info", None):
            line["exception"] = _traceback()
        if suppressed:
            line["suppressed"] = suppressed
        return line

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written. Those of structlog have passed `__call__` already."""
        if hasattr(record, "_logger"):
            return True
        name = f"logger {record.name}"
        suppressed = self._admit(name, _LIBRARY, "", record.levelname.lower(), "")
        if suppressed is None:
            return False
        record.msg, record.args = bounded(record.getMessage(), MAX_TRACEBACK), ()
        return True

    def summaries(self) -> list[Summary]:
        """Suppressed lines of each kind whose summary is due."""
        now = self._clock()
        due = []
        with self._lock:
            for name, entry in list(self._suppressed.items()):
                if now - entry.since >= CLIENT_EVENTS.get(name, _LIBRARY).summary_seconds:
                    del self._suppressed[name]
                    by = dict(entry.by.most_common())
                    due.append(Summary(name, entry.method, entry.lines, by))
        return due

    def _admit(
        self, name: str, kind: Kind, share: str, method: str, tally: str, before: int = 0
    ) -> int | None:
        """The number of suppressed lines of the network since its last one; None: suppress this one, too.

        `before`: lines that the engine suppressed before this one.
        """
        now = self._clock()
        with self._lock:
            if before:
                self._suppress(name, method, tally, before)
            total = self._totals.setdefault(name, _Bucket(kind.total.burst, now))
            bucket = self._bucket((name, share), kind.network, now)
            total.fill(kind.total, now)
            quiet = bucket.tokens >= kind.network.burst
            if bucket.tokens >= 1 and total.tokens >= (1 if quiet else 1 + _RESERVED):
                total.tokens -= 1
                bucket.tokens -= 1
                suppressed, bucket.suppressed = bucket.suppressed, 0
                return suppressed + before
            bucket.suppressed += 1 + before
            self._suppress(name, method, tally, 1)
            return None

    def _suppress(self, name: str, method: str, tally: str, lines: int) -> None:
        telemetry.LOG_LINES_SUPPRESSED.labels(name if name in CLIENT_EVENTS else "library").inc(lines)
        entry = self._suppressed.setdefault(name, _Suppressed(self._clock(), method))
        entry.lines += lines
        if tally:
            known = tally in entry.by or len(entry.by) < MAX_TALLIED
            entry.by[bounded(tally) if known else "others"] += lines

    def _bucket(self, key: tuple[str, str], limit: Limit, now: float) -> _Bucket:
        bucket = self._networks.get(key)
        if bucket is None:
            bucket = self._networks[key] = _Bucket(limit.burst, now)
            if len(self._networks) > MAX_NETWORKS:
                self._networks.popitem(last=False)
        bucket.fill(limit, now)
        self._networks.move_to_end(key)
        return bucket


def _bounded_value(value: Any) -> Any:
    if callable(value):
        value = value()
    if value is None or isinstance(value, bool | int | float):
        return value
    if type(value) in (list, tuple):  # an object that is a tuple has a text of its own
        return _bounded_list(value)
    return bounded(str(value))


def _bounded_list(values: Sequence[Any]) -> list[str]:
    """The first values, of at most `MAX_TEXT` bytes together, and the number of the others."""
    shown: list[str] = []
    size = 0
    for value in values:
        text = bounded(str(value))
        size += len(text.encode())
        if size > MAX_TEXT and shown:
            return [*shown, f"{ELLIPSIS} and {len(values) - len(shown)} more"]
        shown.append(text)
    return shown


def _traceback() -> str:
    """The handled exception, line by line; quoted input of a client cannot begin a line."""
    text = "\n".join(bounded(line, MAX_TRACEBACK) for line in traceback.format_exc().splitlines())
    return text.encode()[-MAX_TRACEBACK:].decode(errors="ignore")
