"""Entries as JSON values: one row of `/api/v1/changes` each."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from steerway.journal.entry import Entry
from steerway.sources.objects.core import ObjectKey

_SHOWN = 2
"""Objects and services in the text of a row."""


class Rows:
    """`replica`: the name of this replica. `type_name`: the short name of a type URL (`eds`)."""

    def __init__(self, replica: str, type_name: Callable[[str], str]) -> None:
        self._replica = replica
        self._type_name = type_name

    def row(self, entry: Entry) -> dict[str, Any]:
        """The row of an entry."""
        clients = entry.clients
        # A batch is a set: the order of its objects would differ from read to read.
        objects, services = sorted(entry.objects, key=_order), sorted(entry.services)
        return {
            "id": str(entry.id),
            "replica": self._replica,
            "time": timestamp(entry.time),
            "kind": entry.kind,
            "objects": [str(key) for key in objects],
            "object_count": entry.object_count,
            "services": [str(service) for service in services],
            "service_count": entry.service_count,
            "resources": {self._type_name(url): list(names) for url, names in entry.resources.items()},
            "resource_count": entry.resource_count,
            "text": self._text(entry),
            "event_to_published_seconds": rounded(entry.event_seconds),
            "clients": {
                "sent": clients.sent,
                "acked": clients.acked,
                "nacked": clients.nacked,
                "pending": clients.pending,
                "ended": clients.ended,
            },
            "first_sent_seconds": rounded(clients.first_sent_seconds),
            "last_acked_seconds": rounded(clients.last_acked_seconds),
            "complete": entry.settled,
            "nacks": [
                {
                    "node": refusal.node,
                    "type": self._type_name(refusal.type_url),
                    "message": refusal.message,
                }
                for refusal in entry.refusals
            ],
        }

    def _text(self, entry: Entry) -> str:
        match entry.kind:
            case "change":
                return self._change_text(entry)
            case "nack":
                return self._nack_text(entry)
            case _:
                return entry.detail

    def _change_text(self, entry: Entry) -> str:
        """`EndpointSlice shop/backend-abc: 1 resource of shop/backend (eds)`."""
        services = _some(map(str, sorted(entry.services)), entry.service_count)
        objects = _some(map(str, sorted(entry.objects, key=_order)), entry.object_count)
        subject = objects or services or "no object"
        if not entry.resource_count:
            return f"{subject}: no client is subscribed"
        noun = "resource" if entry.resource_count == 1 else "resources"
        owner = f" of {services}" if objects and services else ""
        types = ", ".join(map(self._type_name, entry.resources))
        return f"{subject}: {entry.resource_count} {noun}{owner} ({types})"

    def _nack_text(self, entry: Entry) -> str:
        """`web-1 refused eds shop/backend:50051: MESSAGE`."""
        first = entry.refusals[0]
        names = _names(entry.resources, entry.resource_count)
        others = entry.clients.nacked - 1
        node = first.node + (f" and {others} more" if others > 0 else "")
        return f"{node} refused {self._type_name(first.type_url)} {names}: {first.message}"


def _order(key: ObjectKey) -> tuple[bool, ObjectKey]:
    """EndpointSlices after the others, which cause more."""
    return key.kind == "EndpointSlice", key


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _names(resources: Mapping[str, Sequence[str]], count: int) -> str:
    return _some([name for names in resources.values() for name in names], count)


def _some(texts: Iterable[str], count: int) -> str:
    """The first of `count` texts, and the number of the others."""
    shown = list(texts)
    if count <= _SHOWN:
        return ", ".join(shown)
    return f"{', '.join(shown[:_SHOWN])} and {count - _SHOWN} more"
