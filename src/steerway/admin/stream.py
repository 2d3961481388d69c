"""Streams as JSON values: who is connected, what each asked for, got, acknowledged and refused."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from steerway.admin.type_name import matches, short_name
from steerway.admin.view import (
    ChangeView,
    EntryView,
    PlaceView,
    ResourceView,
    StreamView,
    SubscribersView,
    SubscriptionView,
)
from steerway.translate.audience import widening

_Absences = Mapping[tuple[str, str], Mapping[str, str]]
"""(type_url, name) → audience → reason ("": served there). Holds only names that are absent for some
audience."""


def shown(streams: Iterable[StreamView], node: str | None, kind: str | None) -> list[StreamView]:
    """Only streams of nodes whose id matches the pattern `node` (`*` stands for anything), with a type that `kind`
    names."""
    return [
        stream
        for stream in streams
        if (node is None or fnmatchcase(stream.node_id, node))
        and (kind is None or any(matches(part.type_url, kind) for part in stream.subscriptions))
    ]


def describe(
    streams: Iterable[StreamView],
    entries: Sequence[EntryView],
    place: Callable[[str], PlaceView | None],
    subscribers: SubscribersView,
    kind: str | None = None,
    resources: bool = False,
) -> list[dict[str, Any]]:
    """All streams, those of one node together, the oldest first; only types that `kind` names; with `resources` also
    each name of theirs.

    `place` is asked with the address of each.
    """
    absences = _absences(entries)
    return [
        {
            "id": stream.id,
            "node": stream.node_id,
            "client": subscribers.client(stream.node),
            "address": stream.peer,
            "place": _place(place(stream.peer)),
            "audience": stream.audience,
            "service": stream.service,
            "protocol": "delta" if stream.delta else "sotw",
            "age_seconds": _rounded(stream.age_seconds),
            "in_sync": all(_in_sync(part) for part in stream.subscriptions),
            "limitations": subscribers.limitations(stream.node, stream.audience, _subscribed(stream)),
            "types": [
                _type(part, stream.audience, absences) | (_resources(part) if resources else {})
                for part in stream.subscriptions
                if kind is None or matches(part.type_url, kind)
            ],
        }
        for stream in sorted(streams, key=lambda stream: (stream.node_id, -stream.age_seconds, stream.id))
    ]


def _subscribed(stream: StreamView) -> Iterator[tuple[str, str]]:
    return ((part.type_url, name) for part in stream.subscriptions for name in sorted(part.names))


def _type(part: SubscriptionView, audience: str, absences: _Absences) -> dict[str, Any]:
    nack = {
        "message": part.nack_message,
        "version": part.nack_version,
        "age_seconds": _rounded(part.nack_age_seconds),
    }
    return {
        "type": short_name(part.type_url),
        "type_url": part.type_url,
        "wildcard": part.wildcard,
        "names": sorted(part.names),
        "waiting": sorted(part.waiting),
        "absent": {
            name: reason
            for name in sorted(part.names)
            if (reason := _absence(part, name, audience, absences))
        },
        "version_sent": part.version_sent,
        "version_acked": part.version_acked,
        "in_sync": _in_sync(part),
        "sent_age_seconds": _rounded(part.sent_age_seconds),
        "acked_age_seconds": _rounded(part.acked_age_seconds),
        "nack": nack if part.nack_message else None,
        "last_change": _change(part.change),
    }


def _change(found: ChangeView | None) -> dict[str, float | None] | None:
    """Seconds of each step of the last change that the client took."""
    if found is None:
        return None
    steps = (
        "event_to_received",
        "received_to_published",
        "published_to_sent",
        "sent_to_acked",
        "event_to_acked",
    )
    return {f"{step}_seconds": _rounded(getattr(found, step), 6) for step in steps}


def _resources(part: SubscriptionView) -> dict[str, Any]:
    return {"resources": [_resource(each) for each in part.resources]}


def _resource(found: ResourceView) -> dict[str, Any]:
    return {
        "name": found.name,
        "version": found.version,
        "status": found.status,
        "error": found.error or None,
        "sent_age_seconds": _rounded(found.sent_age_seconds),
    }


def _place(found: PlaceView | None) -> dict[str, str] | None:
    if found is None:
        return None
    known = ("namespace", "pod", "service_account", "node", "region", "zone")
    return {name: value for name in known if (value := getattr(found, name))}


def _in_sync(part: SubscriptionView) -> bool:
    """The client has acknowledged the newest that it was sent, and waits for nothing."""
    return part.version_sent == part.version_acked and not part.waiting and not part.nack_message


def _absences(entries: Sequence[EntryView]) -> _Absences:
    absent = {(entry.type_url, entry.name) for entry in entries if entry.reason}
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for entry in entries:
        if (key := (entry.type_url, entry.name)) in absent:
            found[key][entry.audience] = entry.reason
    return found


def _absence(part: SubscriptionView, name: str, audience: str, absences: _Absences) -> str:
    reasons = absences.get((part.type_url, name), {})
    return next((reasons[wider] for wider in widening(audience) if wider in reasons), "")


def _rounded(seconds: float | None, digits: int = 3) -> float | None:
    return None if seconds is None else round(seconds, digits)
