"""Entries as rows of `/api/v1/changes`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from steerway.journal.entry import Entry, Kind
from steerway.sources.objects.core import ObjectKey

_SHOWN = 2
"""Objects and services in the text of a row."""


class ChangeClients(msgspec.Struct, frozen=True):
    """Streams that were sent a change: `sent` is the sum of the others. `pending` have not answered, `ended` closed
    before."""

    sent: int
    acked: int
    nacked: int
    pending: int
    ended: int


class NackRow(msgspec.Struct, frozen=True):
    """A client refused a response."""

    node: str
    type: str
    message: str


class ChangeRow(msgspec.Struct, frozen=True):
    """An entry of the journal. The lists are the first items, and the counts are those of all. `first_sent_seconds` and
    `last_acked_seconds` are since the publication, null until then. `complete`: no client is pending."""

    id: str
    replica: str
    time: str
    kind: Kind
    objects: list[str]
    object_count: int
    services: list[str]
    service_count: int
    resources: dict[str, list[str]]
    resource_count: int
    text: str
    event_to_published_seconds: float | None
    clients: ChangeClients
    first_sent_seconds: float | None
    last_acked_seconds: float | None
    complete: bool
    nacks: list[NackRow]

    @property
    def state(self) -> str:
        """One of `STATES`."""
        if self.kind == "nack" or self.clients.nacked:
            return "refused"
        return "complete" if self.complete else "pending"


STATES = ("refused", "pending", "complete")
"""A client refused it; clients have not answered; neither."""


class Rows:
    """`replica`: the name of this replica. `type_name`: the short name of a type URL (`eds`)."""

    def __init__(self, replica: str, type_name: Callable[[str], str]) -> None:
        self._replica = replica
        self._type_name = type_name

    def row(self, entry: Entry) -> ChangeRow:
        """The row of an entry."""
        counts = entry.clients
        # A batch is a set: the order of its objects would differ from read to read.
        objects, services = sorted(entry.objects, key=_order), sorted(entry.services)
        return ChangeRow(
            id=str(entry.id),
            replica=self._replica,
            time=timestamp(entry.time),
            kind=entry.kind,
            objects=list(map(str, objects)),
            object_count=entry.object_count,
            services=list(map(str, services)),
            service_count=entry.service_count,
            resources={self._type_name(url): list(names) for url, names in entry.resources.items()},
            resource_count=entry.resource_count,
            text=self._text(entry, objects),
            event_to_published_seconds=rounded(entry.event_seconds),
            clients=ChangeClients(counts.sent, counts.acked, counts.nacked, counts.pending, counts.ended),
            first_sent_seconds=rounded(counts.first_sent_seconds),
            last_acked_seconds=rounded(counts.last_acked_seconds),
            complete=entry.settled,
            nacks=[
                NackRow(refusal.node, self._type_name(refusal.type_url), refusal.message)
                for refusal in entry.refusals
            ],
        )

    def _text(self, entry: Entry, objects: Sequence[ObjectKey]) -> str:
        match entry.kind:
            case "change":
                return self._change_text(entry, objects)
            case "nack":
                return self._nack_text(entry)
            case _:
                return entry.detail

    def _change_text(self, entry: Entry, objects: Sequence[ObjectKey]) -> str:
        """`EndpointSlice shop/backend-abc: 1 resource of shop/backend (eds)`."""
        services = _some(map(str, sorted(entry.services)), entry.service_count)
        subject = _some(map(str, objects), entry.object_count) or services or "no object"
        if not entry.resource_count:
            return f"{subject}: no resource of a client changes"
        noun = "resource" if entry.resource_count == 1 else "resources"
        owner = f" of {services}" if objects and services else ""
        types = ", ".join(map(self._type_name, entry.resources))
        return f"{subject}: {entry.resource_count} {noun}{owner} ({types})"

    def _nack_text(self, entry: Entry) -> str:
        """`web-1 and 2 more refused eds shop/backend:50051: MESSAGE`."""
        first = entry.refusals[0]
        names = _names(entry.resources, entry.resource_count)
        others = entry.clients.nacked - 1
        node = first.node + (f" and {others} more" if others > 0 else "")
        return f"{node} refused {self._type_name(first.type_url)} {names}: {first.message}"


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _order(key: ObjectKey) -> tuple[bool, ObjectKey]:
    """EndpointSlices after the others, which cause more."""
    return key.kind == "EndpointSlice", key


def _names(resources: Mapping[str, Sequence[str]], count: int) -> str:
    return _some((name for names in resources.values() for name in names), count)


def _some(texts: Iterable[str], count: int) -> str:
    """The first of `count` texts, and the number of the others."""
    shown = list(texts)
    if count <= _SHOWN:
        return ", ".join(shown)
    return f"{', '.join(shown[:_SHOWN])} and {count - _SHOWN} more"
