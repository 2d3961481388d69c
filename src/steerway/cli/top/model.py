"""Rows of all replicas, as events or lists give them, and what of them is shown."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from steerway.cli.replica import merge
from steerway.cli.replica.replica import Event

Row = dict[str, Any]
TOPICS = ("status", "services", "clients", "changes", "problems")
_MOST_CHANGES = 2000
"""Of one replica; older ones are forgotten."""


def key_of(topic: str, row: Row) -> str:
    """What identifies a row of a topic at one replica."""
    return f"{row['where']}: {row['reason']}" if topic == "problems" else str(row.get("id", ""))


class Model:
    """`version` rises with each change. Rows of a replica that is lost are left out: its clients move to others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.version = 0
        self._clock = clock
        self._rows: dict[str, dict[str, dict[str, Row]]] = {topic: {} for topic in TOPICS}
        self._errors: dict[str, str] = {}
        self._failing_since: dict[str, float] = {}
        self._polled: set[str] = set()

    def set_members(self, names: Iterable[str], unavailable: Mapping[str, str]) -> None:
        """The replicas from now on; what is known of those that stay is kept."""
        before = self._errors
        self._errors = {name: before.get(name, "connecting") for name in names} | dict(unavailable)
        for gone in before.keys() - self._errors.keys():
            self._forget(gone)
        self.version += 1

    def apply(self, replica: str, event: Event) -> None:
        """A message of the event stream of a replica."""
        data = event.data
        if event.topic == "status":
            self._rows["status"][replica] = {"": data}
        elif event.topic in self._rows:
            rows = self._rows[event.topic].setdefault(replica, {})
            if data.get("reset"):
                rows.clear()
            rows.update({key_of(event.topic, row): row for row in data.get("put") or ()})
            for key in data.get("remove") or ():
                rows.pop(key, None)
            if event.topic == "changes":
                for key in list(rows)[:-_MOST_CHANGES]:
                    del rows[key]
        self._polled.discard(replica)
        self._answered(replica)

    def replace(self, replica: str, lists: Mapping[str, Iterable[Row]]) -> None:
        """The lists of a replica without events, by topic."""
        for topic, rows in lists.items():
            self._rows[topic][replica] = {key_of(topic, row): row for row in rows}
        self._polled.add(replica)
        self._answered(replica)

    def lost(self, replica: str, reason: str) -> None:
        """A replica does not answer."""
        self._errors[replica] = reason
        self._failing_since.setdefault(replica, self._clock())
        self._forget(replica)
        self.version += 1

    def failing_seconds(self) -> float:
        """How long the replica that has failed first has not answered; 0: all do."""
        since = min(self._failing_since.values(), default=None)
        return 0.0 if since is None else self._clock() - since

    def replicas(self) -> list[Row]:
        """A row for each, with `error` for those that do not answer."""
        rows = []
        for name in sorted(self._errors):
            status = self._rows["status"].get(name, {}).get("", {})
            error = {"error": self._errors[name]} if self._errors[name] else {}
            rows.append({**status, "id": name, "polled": name in self._polled, **error})
        return rows

    def services(self) -> list[Row]:
        return merge.services(self._of("services"))

    def clients(self) -> list[Row]:
        return merge.clients(self._of("clients"))

    def changes(self) -> list[Row]:
        return merge.changes(self._of("changes"))

    def problems(self) -> list[Row]:
        return merge.problems(self._of("problems"))

    def _of(self, topic: str) -> dict[str, Iterable[Row]]:
        return {name: rows.values() for name, rows in self._rows[topic].items() if rows}

    def _answered(self, replica: str) -> None:
        self._errors[replica] = ""
        self._failing_since.pop(replica, None)
        self.version += 1

    def _forget(self, replica: str) -> None:
        for rows in self._rows.values():
            rows.pop(replica, None)
        if replica not in self._errors:
            self._failing_since.pop(replica, None)
