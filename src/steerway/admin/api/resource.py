"""The resource store as JSON values: resources by audience, and absent names with their reasons."""

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from steerway.admin.api.redaction import redact
from steerway.admin.api.type_name import PREFIX, matches, short_name
from steerway.admin.view import EngineView, EntryView

Render = Callable[[str, bytes], dict[str, Any]]


def listing(entries: Iterable[EntryView], kind: str | None, audience: str | None) -> list[dict[str, Any]]:
    """One line per entry, without bodies."""
    rows = [
        {"type": short_name(entry.type_url), "type_url": entry.type_url, "name": entry.name, **_state(entry)}
        for entry in entries
        if (kind is None or matches(entry.type_url, kind))
        and (audience is None or entry.audience == audience)
    ]
    return sorted(rows, key=lambda line: (line["type"], line["name"], line["audience"]))


def variants(
    engine: EngineView, render: Render, kind: str, name: str, audience: str | None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Every variant of one resource with its body, and the names nearest to it when there is none."""
    entries = [entry for entry in engine.entries() if matches(entry.type_url, kind)]
    rows = [
        {
            "type": short_name(entry.type_url),
            "type_url": entry.type_url,
            "name": entry.name,
            **_state(entry),
            "body": _body(engine, render, entry),
        }
        for entry in entries
        if entry.name == name and (audience is None or entry.audience == audience)
    ]
    rows.sort(key=lambda variant: str(variant["audience"]))
    similar_names = (
        [] if rows else difflib.get_close_matches(name, {entry.name for entry in entries}, n=5, cutoff=0.5)
    )
    return rows, similar_names


def split(path: str) -> tuple[str, str]:
    """`cds/a/b` → (`cds`, `a/b`). The type may be a whole type_url, whose one slash belongs to it."""
    kind, _, name = path.removeprefix(PREFIX).partition("/")
    return kind, name


def _state(entry: EntryView) -> dict[str, Any]:
    return {
        "audience": entry.audience,
        "version": entry.version,
        "size_bytes": entry.size,
        "absent": entry.reason or None,
    }


def _body(engine: EngineView, render: Render, entry: EntryView) -> dict[str, Any] | None:
    body = None if entry.reason else engine.body(entry.type_url, entry.name, entry.audience)
    return None if body is None else render(entry.type_url, redact(entry.type_url, body))
