"""The lists of `steerway top`: their columns are those of the commands of the same names."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from click import unstyle

from steerway.cli import output as out
from steerway.cli.command.view import changes, clients, problems, services, status
from steerway.cli.output import Column
from steerway.cli.replica import merge
from steerway.cli.top.model import Model, Row

_STATES = ("error", "refused", "waiting", "behind", "absent", "warning", "ok", "in_sync", "idle")
"""Of Services and clients, the worst first."""


@dataclass(frozen=True, slots=True)
class Sort:
    """One order. `descending` puts the largest first; rows without a value come last."""

    name: str
    value: Callable[[Row], Any]
    descending: bool = False

    def apply(self, rows: Iterable[Row]) -> list[Row]:
        known: list[Row] = []
        unknown: list[Row] = []
        for row in rows:
            (unknown if self.value(row) is None else known).append(row)
        return [*sorted(known, key=self.value, reverse=self.descending), *unknown]


@dataclass(frozen=True, slots=True)
class View:
    """One list. `kind`: of the objects that can be described, "" for rows that have all that is known."""

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[Model], list[Row]]
    sorts: tuple[Sort, ...]
    kind: str = ""
    key: Callable[[Row], str] = lambda row: str(row["id"])

    def select(self, model: Model, sort: int, words: str) -> list[Row]:
        """The rows with all of these words in their cells, in one of the orders."""
        wanted = words.lower().split()
        rows = self.rows(model)
        if wanted:
            rows = [row for row in rows if self._has(row, wanted)]
        return self.sorts[sort % len(self.sorts)].apply(rows)

    def cells(self, row: Row) -> list[str]:
        """With colours, as terminals read them."""
        return [column.cell(row) for column in self.columns]

    def _has(self, row: Row, words: Iterable[str]) -> bool:
        text = unstyle(" ".join(self.cells(row))).lower()
        return all(word in text for word in words)


def _severity(row: Row) -> tuple[int, str]:
    state = row.get("state")
    return _STATES.index(state) if state in _STATES else len(_STATES), str(row["id"])


def _state(row: Row) -> Any:
    return row.get("state")


def _columns(listed: Iterable[Column]) -> tuple[Column, ...]:
    return tuple(column for column in listed if not column.wide)


def _connection(row: Row) -> str:
    if "error" in row:
        return out.state("error", "lost")
    return "polled" if row.get("polled") else out.state("ok", "live")


def _overview() -> tuple[Column, ...]:
    """The columns of `steerway status`, with the connection."""
    first, *rest = _columns(status.columns())
    reason = Column("REASON", lambda row: row.get("error", ""))
    return (first, Column("CONNECTION", _connection), *rest, reason)


def _pending(row: Row) -> int:
    return int((row.get("clients") or {}).get("pending") or 0)


VIEWS = (
    View(
        "overview",
        _overview(),
        Model.replicas,
        (Sort("replica", lambda row: row["id"]),),
    ),
    View(
        "services",
        _columns(services.columns()),
        Model.services,
        (
            Sort("state", _severity),
            Sort("name", lambda row: row["id"]),
            Sort("streams", lambda row: row["clients"]["streams"], descending=True),
            Sort("endpoints", lambda row: row["endpoints"]["healthy"]),
            Sort("changed", lambda row: row.get("changed_age_seconds")),
        ),
        "service",
    ),
    View(
        "clients",
        (Column("STATE", lambda row: out.state(_state(row))), *_columns(clients.workload_columns())),
        Model.clients,
        (
            Sort("state", _severity),
            Sort("name", lambda row: row["id"]),
            Sort("streams", lambda row: row["streams"], descending=True),
            Sort("unacked", lambda row: row.get("oldest_unacked_seconds"), descending=True),
            Sort("age", lambda row: row.get("age_seconds")),
        ),
        "client",
    ),
    View(
        "changes",
        _columns(changes.columns()),
        Model.changes,
        (
            Sort("time", lambda row: row["time"], descending=True),
            Sort("pending", _pending, descending=True),
            Sort("last ACK", lambda row: row.get("last_acked_seconds"), descending=True),
        ),
        key=lambda row: f"{row['replica']}/{row['id']}",
    ),
    View(
        "problems",
        _columns(problems.COLUMNS),
        Model.problems,
        (Sort("object", lambda row: row["where"]), Sort("reason", lambda row: row["reason"])),
        key=lambda row: f"{row['where']}: {row['reason']}",
    ),
)


def summary(model: Model) -> str:
    """The line above every list."""
    replicas = model.replicas()
    answering = [row for row in replicas if "error" not in row]
    first = f"{len(answering)}/{len(replicas)} replicas"
    shown = [out.state("ok" if len(answering) == len(replicas) else "error", first)]
    if answering:
        services_known = max(row.get("services") or 0 for row in answering)
        streams = sum(row.get("streams") or 0 for row in answering)
        counts = merge.states(row.get("states") or {} for row in answering)
        shown += [
            out.count(services_known, "service"),
            f"{out.count(streams, 'stream')}: {out.states_of(counts)}",
        ]
        if most := max(row.get("problems") or 0 for row in answering):
            shown.append(out.state("warning", out.count(most, "problem")))
    return " · ".join(shown)
