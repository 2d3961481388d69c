"""A difference as text, and its resources as JSON."""

import difflib
import json
from collections.abc import Iterator
from typing import Any

from steerway.admin.api.type_name import short_name
from steerway.cli import terminal
from steerway.cli.terminal import Mark

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_MOST_RESOURCES = 50
_MOST_AUDIENCES = 3


def resource(type_url: str, body: bytes) -> Any:
    """A resource as JSON."""
    from steerway.translate.protobuf.render import to_json

    return to_json(type_url, body)


def show(document: dict[str, Any]) -> None:
    """Print the document of `steerway diff -o json`."""
    for row in document["services"]:
        _service(row)
    _resources(document["resources"])
    if document["limitations"]:
        terminal.write("Limitations of clients")
        for row in document["limitations"]:
            _line(row["change"], f"{row['client']}{_streams(row)}: {row['service']}: {row['text']}")
    _problems(document["problems"])
    for note in document["notes"]:
        terminal.item(Mark.WARN, note)
    terminal.write(_summary(document))


def _service(row: dict[str, Any]) -> None:
    clients = "" if row["streams"] is None else f", {_clients(row)}"
    word = "" if row["change"] == "changed" else f" ({row['change']})"
    terminal.write(f"Service {row['service']}{word}{clients}")
    for change in row["changes"]:
        where = f"port {change['port']} " if change["port"] else ""
        subject = f" {change['subject']}" if change["subject"] else ""
        values = [value for value in (change["before"], change["after"]) if value]
        _line(change["change"], f"{where}{change['field']}{subject}: {' → '.join(values)}")


def _resources(rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    terminal.write("Resources")
    for row in rows[:_MOST_RESOURCES]:
        audiences = ", ".join(row["audiences"][:_MOST_AUDIENCES])
        if len(row["audiences"]) > _MOST_AUDIENCES:
            audiences += f" and {len(row['audiences']) - _MOST_AUDIENCES} more"
        reason = f": {row['reason']}" if row["reason"] else ""
        _line(
            row["change"],
            f"{short_name(row['type_url'])} {row['name']}{_streams(row)} for {audiences}{reason}",
        )
        for line in _lines(row):
            terminal.write(f"      {line}")
    if len(rows) > _MOST_RESOURCES:
        terminal.write(f"  … {len(rows) - _MOST_RESOURCES} more (-o json lists all)")


def _lines(row: dict[str, Any]) -> Iterator[str]:
    """The change of the resource itself, where it was asked for."""
    if "before" not in row:
        return
    before, after = (
        [] if row[side] is None else json.dumps(row[side], indent=1).splitlines()
        for side in ("before", "after")
    )
    yield from list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]


def _problems(problems: dict[str, Any]) -> None:
    for title, change in (("new", "added"), ("gone", "removed")):
        if problems[title]:
            terminal.write(f"Problems that are {title}")
        for problem in problems[title]:
            hint = f" ({problem['hint']})" if problem["hint"] and title == "new" else ""
            _line(change, f"{problem['where']}: {problem['reason']}{hint}")


def _summary(document: dict[str, Any]) -> str:
    clients = document["clients"]
    if not document["differences"]:
        objects = sum(map(len, document["objects"].values()))
        return "No difference for clients" + (f" ({objects} objects differ)" if objects else "")
    if clients is None:
        return "Clients are not known: resources are those of one client of each gRPC library."
    return (
        f"{clients['streams']} of {clients['streams_total']} streams, {clients['workloads']} of"
        f" {clients['workloads_total']} workloads get other resources."
    )


def _clients(row: dict[str, Any]) -> str:
    if not row["streams"]:
        return "no connected client"
    return f"{row['streams']} streams of {row['workloads']} workloads"


def _streams(row: dict[str, Any]) -> str:
    return "" if row["streams"] is None else f" ({row['streams']} streams)"


def _line(change: str, text: str) -> None:
    sign, color = _SIGNS[change]
    terminal.write(f"  {terminal.style(sign, color)} {text}")
