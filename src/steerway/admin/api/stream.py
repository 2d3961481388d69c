"""Streams as JSON values: clients, their subscriptions, and the versions sent, acknowledged and rejected."""

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from steerway.admin.api.type_name import matches, short_name
from steerway.admin.view import (
    AbsentView,
    ChangeView,
    IdentityView,
    LocalityView,
    ResourceView,
    StreamView,
    SubscribersView,
    SubscriptionView,
)
from steerway.inventory.row.client import STATES, ClientState


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
    locality: Callable[[str], LocalityView | None],
    identity: Callable[[int], IdentityView | None],
    subscribers: SubscribersView,
    kind: str | None = None,
    resources: bool = False,
) -> Iterator[dict[str, Any]]:
    """The streams, those of one node together, the oldest first; only types that `kind` names; with `resources` also
    each name of theirs.

    `locality` is called with the address of each, `identity` with the id.
    """
    for stream in sorted(streams, key=lambda stream: (stream.node_id, -stream.age_seconds, stream.id)):
        yield {
            "id": stream.id,
            "node": stream.node_id,
            "client": subscribers.client(stream.node),
            "address": stream.peer,
            "locality": _locality(locality(stream.peer)),
            "identity": _identity(identity(stream.id)),
            "audience": stream.audience,
            "service": stream.service,
            "protocol": "delta" if stream.delta else "sotw",
            "age_seconds": _rounded(stream.age_seconds),
            **_state(map(_progress, stream.subscriptions)),
            "limitations": subscribers.limitations(stream.node, stream.audience, _subscribed(stream)),
            "types": [
                _type(part) | (_resources(part) if resources else {})
                for part in stream.subscriptions
                if kind is None or matches(part.type_url, kind)
            ],
        }


def _subscribed(stream: StreamView) -> Iterator[tuple[str, str]]:
    return ((part.type_url, name) for part in stream.subscriptions for name in sorted(part.names))


def _type(part: SubscriptionView) -> dict[str, Any]:
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
        "absent": {absent.name: _reason(absent) for absent in part.absent},
        "absent_count": part.absent_count,
        "version_sent": part.version_sent,
        "version_acked": part.version_acked,
        **_state([_progress(part)]),
        "sent_age_seconds": _rounded(part.sent_age_seconds),
        "acked_age_seconds": _rounded(part.acked_age_seconds),
        "nack": nack if part.nack_message else None,
        "last_change": _change(part.change),
    }


def _change(change: ChangeView | None) -> dict[str, float | None] | None:
    """Seconds of each step of the last acknowledged change."""
    if change is None:
        return None
    steps = (
        "event_to_received",
        "received_to_published",
        "published_to_sent",
        "sent_to_acked",
        "event_to_acked",
    )
    return {f"{step}_seconds": _rounded(getattr(change, step), 6) for step in steps}


def _resources(part: SubscriptionView) -> dict[str, Any]:
    return {"resources": [_resource(resource) for resource in part.resources]}


def _resource(resource: ResourceView) -> dict[str, Any]:
    return {
        "name": resource.name,
        "version": resource.version,
        "status": resource.status,
        "error": resource.error or None,
        "sent_age_seconds": _rounded(resource.sent_age_seconds),
    }


def _locality(locality: LocalityView | None) -> dict[str, str] | None:
    if locality is None:
        return None
    known = ("namespace", "pod", "service_account", "node", "region", "zone")
    return {name: value for name in known if (value := getattr(locality, name))}


def _identity(identity: IdentityView | None) -> dict[str, str] | None:
    return None if identity is None else {"method": identity.kind, "name": str(identity)}


def _state(parts: Iterable[ClientState]) -> dict[str, Any]:
    """The worst state of the parts."""
    state = min(parts, key=STATES.index, default=STATES[-1])
    return {"state": state, "in_sync": state == STATES[-1]}


def _progress(part: SubscriptionView) -> ClientState:
    """The state of one type: one of `STATES`."""
    if part.nack_message:
        return "refused"
    if part.waiting:
        return "waiting"
    if part.version_sent != part.version_acked:
        return "behind"
    return "absent" if part.absent_count else "in_sync"


def _reason(absent: AbsentView) -> str:
    removed = " (it was removed while the client was subscribed)" if absent.removed else ""
    return absent.reason + removed


def _rounded(seconds: float | None, digits: int = 3) -> float | None:
    return None if seconds is None else round(seconds, digits)
