"""An explanation with the state of the running server: versions in its store, and the clients that have them.

A resource that such clients are subscribed to is shown as published, another one as it would be.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from steerway.admin.api import stream
from steerway.admin.api.redaction import redact
from steerway.admin.api.type_name import short_name
from steerway.admin.view import AdminView, EngineView, EntryView, ResourceView, StreamView, SubscribersView
from steerway.translate.client.audience import Audience, decode

PARAMETERS = {
    "target": "a name that clients dial: SERVICE.NAMESPACE:PORT, or xds:///NAME",
    "namespace": "namespace of the client",
    "zone": "zone of the client",
    "node": "Kubernetes node of the client",
    "client": "library of the client, and its version: grpc-go/1.70",
    "caller": "the caller: NAMESPACE/ACCOUNT, a SPIFFE ID, or none",
    "method": "the method that it calls, with caller: package.Service/Method",
    "headers": "headers of this call: NAME=VALUE, several with commas",
}
"""Those of a request, each with its meaning."""
_Key = tuple[str, str]
_Stored = Mapping[tuple[str, str, Audience], EntryView]


def complete(document: dict[str, Any], view: AdminView) -> dict[str, Any]:
    """The document of `AdminView.explain` with resources as JSON values and `clients`. Call it in a thread."""
    entries = view.engine.entries()
    stored = {(entry.type_url, entry.name, decode(entry.audience)): entry for entry in entries}
    resources = [_resource(resource, view, stored) for resource in document["resources"]]
    keys = {(resource["type_url"], resource["name"]) for resource in resources}
    streams = [
        client_stream
        for client_stream in view.engine.streams(resources=True)
        if _concerned(client_stream, keys)
    ]
    subscribers = _Concerned(view.subscribers(), keys)
    described = stream.describe(streams, view.locality, view.identity, subscribers)
    by_id = {client["id"]: client for client in described}
    clients = [_client(by_id[client_stream.id], client_stream, keys, stored) for client_stream in streams]
    clients.sort(key=lambda client: (client["node"], client["address"]))
    return document | {"resources": resources, "clients": clients}


class _Concerned:
    """Limitations of clients, restricted to the explained resources."""

    def __init__(self, subscribers: SubscribersView, keys: set[_Key]) -> None:
        self._subscribers = subscribers
        self._keys = keys
        self.client = subscribers.client

    def limitations(self, node: bytes, audience: str, subscribed: Iterable[_Key]) -> list[str]:
        return self._subscribers.limitations(node, audience, (key for key in subscribed if key in self._keys))


def _resource(resource: dict[str, Any], view: AdminView, stored: _Stored) -> dict[str, Any]:
    entry = _entry(stored, resource["type_url"], resource["name"], decode(resource["audience"]))
    body = resource["body"]
    if entry is None:
        entry = _equal(resource, view.engine, stored)
    elif not entry.reason:
        body = view.engine.body(entry.type_url, entry.name, entry.audience)
    return {
        "type": short_name(resource["type_url"]),
        "type_url": resource["type_url"],
        "name": resource["name"],
        "audience": resource["audience"] if entry is None else entry.audience,
        "version": None if entry is None else entry.version or None,
        "absent": resource["absent"] if entry is None else entry.reason or None,
        "body": None
        if body is None
        else view.render(resource["type_url"], redact(resource["type_url"], body)),
    }


def _entry(stored: _Stored, type_url: str, name: str, audience: Audience) -> EntryView | None:
    keys = ((type_url, name, wider) for wider in audience.widening())
    return next((stored[key] for key in keys if key in stored), None)


def _equal(resource: dict[str, Any], engine: EngineView, stored: _Stored) -> EntryView | None:
    """The entry of another audience with equal bytes, which has the same version."""
    body: bytes | None = resource["body"]
    return next(
        (
            entry
            for (type_url, name, _), entry in stored.items()
            if body is not None
            and (type_url, name, entry.size) == (resource["type_url"], resource["name"], len(body))
            and engine.body(type_url, name, entry.audience) == body
        ),
        None,
    )


def _concerned(client_row: StreamView, keys: set[_Key]) -> bool:
    return any(
        (part.type_url, row.name) in keys for part in client_row.subscriptions for row in part.resources
    )


def _client(
    described: dict[str, Any],
    stream_row: StreamView,
    keys: set[_Key],
    stored: _Stored,
) -> dict[str, Any]:
    """The part of a stream that concerns the explained resources."""
    rows = [*_rows(stream_row, keys, stored)]
    absent = {
        f"{part['type']} {name}": reason
        for part in described["types"]
        for name, reason in part["absent"].items()
        if (part["type_url"], name) in keys
    }
    shown = ("node", "client", "address", "audience", "age_seconds", "limitations")
    in_sync = all(row["status"] == "acked" and row["current"] for row in rows)
    return {name: described[name] for name in shown} | {
        "in_sync": in_sync,
        "resources": rows,
        "absent": absent,
    }


def _rows(stream_row: StreamView, keys: set[_Key], stored: _Stored) -> Iterator[dict[str, Any]]:
    for part in stream_row.subscriptions:
        named: Sequence[ResourceView] = [row for row in part.resources if (part.type_url, row.name) in keys]
        for row in named:
            entry = _entry(stored, part.type_url, row.name, decode(stream_row.audience))
            yield {
                "type": short_name(part.type_url),
                "name": row.name,
                "status": row.status,
                "version": row.version or None,
                "current": entry is None or entry.version == row.version,
                "error": row.error or None,
                "sent_age_seconds": row.sent_age_seconds,
            }
