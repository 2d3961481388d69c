"""Lists that go on: `--watch`, from the event streams of all replicas, or by asking again where one has none.

A row counts as changed when more of it changes than ages and other durations.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from steerway.cli import terminal
from steerway.cli.replica.replica import Event, Replica
from steerway.cli.replica.replicas import Replicas
from steerway.errors import SteerwayError

POLL_SECONDS = 2.0
_RECONNECT_SECONDS = 1.0
_BATCH_SECONDS = 0.1
_MOST_ROWS = 2**15
"""Of a list that only grows, such as changes; older ones are forgotten."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of the admin server, and how its rows are merged. `topic`: of its events; None: they do not have these
    rows, which are polled. `keep`: whether an event's row is one that `params` ask for."""

    path: str
    params: Mapping[str, Any]
    merge: Callable[[Mapping[str, Iterable[Row]]], list[Row]]
    topic: str | None
    keep: Callable[[Row], bool] = lambda _: True
    key: Callable[[Row], str] = lambda row: str(row["id"])
    field: str | None = "items"
    """Of the document; None: the document is the one row."""

    async def rows(self, replica: Replica) -> list[Row]:
        """The rows of one replica. Raises as `Replica.get`."""
        if self.field is None:
            return [await replica.get(self.path, self.params)]
        rows: list[Row] = (await replica.items(self.path, self.params))[self.field]
        return rows


async def watch(
    replicas: Replicas,
    listing: Listing,
    first: Mapping[str, Iterable[Row]],
    show: Callable[[list[Row], list[str]], None],
) -> None:
    """Call `show` with merged rows that changed and keys of rows that are gone, without end. `first`: the rows shown
    before, by replica."""
    kept = {name: {listing.key(row): row for row in rows} for name, rows in first.items()}
    shown = _by_key(listing, kept)
    dirty = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for replica in replicas.members:
            rows = kept.setdefault(replica.name, {})
            group.create_task(_follow(replica, listing, rows, dirty))
        while True:
            await dirty.wait()
            await asyncio.sleep(_BATCH_SECONDS)
            dirty.clear()
            current = _by_key(listing, kept)
            changed = [
                row for key, row in current.items() if key not in shown or _stable(row) != _stable(shown[key])
            ]
            gone = [key for key in shown if key not in current]
            shown = current
            if changed or gone:
                show(changed, gone)


def _by_key(listing: Listing, kept: Mapping[str, Mapping[str, Row]]) -> dict[str, Row]:
    merged = listing.merge({name: rows.values() for name, rows in kept.items() if rows})
    return {listing.key(row): row for row in merged}


async def _follow(replica: Replica, listing: Listing, rows: dict[str, Row], dirty: asyncio.Event) -> None:
    """Keep the rows of one replica current."""
    if listing.topic is not None:
        with contextlib.suppress(_UnsupportedError):
            await _by_events(replica, listing, listing.topic, rows, dirty)
    failing = False
    while True:
        try:
            read = await listing.rows(replica)
        except SteerwayError as error:
            failing = _warned(replica, error, failing)
            _forget(rows, dirty)
        else:
            failing = False
            fresh = {listing.key(row): row for row in read}
            if fresh != rows:
                rows.clear()
                rows.update(fresh)
                dirty.set()
        await asyncio.sleep(POLL_SECONDS)


class _UnsupportedError(Exception):
    """The replica has no events, or no room for another viewer."""


async def _by_events(
    replica: Replica, listing: Listing, topic: str, rows: dict[str, Row], dirty: asyncio.Event
) -> None:
    began = failing = False
    while True:
        connected = False
        try:
            async for event in replica.events(topic):
                began, connected, failing = True, True, False
                _apply(event, listing, rows)
                dirty.set()
        except SteerwayError as error:
            if not began:
                raise _UnsupportedError from error
            failing = _warned(replica, error, failing)
            if not connected:  # else it may be back at once, as after a limit of the server
                _forget(rows, dirty)
        if not began:
            raise _UnsupportedError
        await asyncio.sleep(_RECONNECT_SECONDS)


def _apply(event: Event, listing: Listing, rows: dict[str, Row]) -> None:
    if event.data.get("reset"):
        rows.clear()
    for row in [event.data] if listing.field is None else event.data.get("put") or ():
        if listing.keep(row):
            rows[listing.key(row)] = row
        else:
            rows.pop(listing.key(row), None)
    for key in event.data.get("remove") or ():
        rows.pop(key, None)
    for key in list(rows)[: max(0, len(rows) - _MOST_ROWS)]:
        del rows[key]


def _forget(rows: dict[str, Row], dirty: asyncio.Event) -> None:
    """Drop the rows of a replica that does not answer: its streams go to other replicas, and count there."""
    if rows:
        rows.clear()
        dirty.set()


def _warned(replica: Replica, error: SteerwayError, before: bool) -> bool:
    """Print a warning for the first failure in a row."""
    if not before:
        terminal.warn(f"replica {replica.name}: {error}")
    return True


def _stable(value: Any) -> Any:
    """Without times and durations, at any depth."""
    if isinstance(value, list):
        return [_stable(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _stable(item)
        for name, item in value.items()
        if name != "time" and not name.endswith("_seconds")
    }
