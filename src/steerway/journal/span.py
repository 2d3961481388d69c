"""The spans of a change, from the times of its entry: one for the whole, and one for each step whose ends are known."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from steerway.journal.entry import Entry

Value: TypeAlias = str | int | Sequence[str]
_NAMES = 10
"""Objects and services in the attributes of a span."""


class Span(NamedTuple):
    """A part of a change. Times are in seconds since the epoch."""

    name: str
    start: float
    end: float


def steps(entry: Entry) -> list[Span]:
    """The steps in their order, without those whose times are unknown.

    event ─receive─ received ─debounce─ began ─translate─ translated ─publish─ published ─send─ sent ─acknowledge─ acked
    """
    clients = entry.clients
    moments = (
        (_before(entry, entry.event_seconds), "receive"),
        (_before(entry, entry.received_seconds), "debounce"),
        (_before(entry, entry.began_seconds), "translate"),
        (_before(entry, entry.translated_seconds), "publish"),
        (entry.time, "send"),
        (_after(entry, clients.first_sent_seconds), "acknowledge"),
        (_after(entry, clients.last_acked_seconds), ""),
    )
    return [
        Span(name, start, max(start, end))
        for (start, name), (end, _) in itertools.pairwise(moments)
        if start is not None and end is not None
    ]


def whole(entry: Entry) -> Span:
    """From the first known time of a change to the last one."""
    parts = steps(entry)
    start = min((part.start for part in parts), default=entry.time)
    return Span("change", start, max((part.end for part in parts), default=entry.time))


def attributes(entry: Entry) -> Mapping[str, Value]:
    """Of the whole change."""
    clients = entry.clients
    return {
        "steerway.change.id": entry.id,
        "steerway.change.objects": [str(key) for key in entry.objects[:_NAMES]],
        "steerway.change.object_count": entry.object_count,
        "steerway.change.services": [str(service) for service in entry.services[:_NAMES]],
        "steerway.change.service_count": entry.service_count,
        "steerway.change.resource_count": entry.resource_count,
        "steerway.clients.sent": clients.sent,
        "steerway.clients.acked": clients.acked,
        "steerway.clients.nacked": clients.nacked,
        "steerway.clients.pending": clients.pending,
        "steerway.clients.ended": clients.ended,
    }


def _before(entry: Entry, seconds: float | None) -> float | None:
    return None if seconds is None else entry.time - seconds


def _after(entry: Entry, seconds: float | None) -> float | None:
    return None if seconds is None else entry.time + seconds
