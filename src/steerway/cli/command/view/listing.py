"""A command that prints a list of all replicas, once or with `--watch`."""

from collections.abc import Mapping, Sequence
from typing import Any

from steerway.cli import output as out
from steerway.cli import terminal
from steerway.cli.output import Column, Output, Table
from steerway.cli.replica.replicas import Replicas, documents
from steerway.cli.replica.similar import unknown
from steerway.cli.replica.watch import Listing, watch

Row = dict[str, Any]


async def show(
    replicas: Replicas,
    listing: Listing,
    kind: str,
    columns: Sequence[Column],
    output: Output,
    empty: str,
    named: str = "",
) -> None:
    """Print the merged rows; with `--watch` then each row that changes, without end. UnknownServiceError: there are
    none although one is `named`."""
    answers = documents(await replicas.items(listing.path, **listing.params))
    by_replica = {name: document[listing.field or ""] for name, document in answers.items()}
    rows = listing.merge(by_replica)
    if not output.watch:
        if rows or not named or output.format in ("json", "yaml"):
            output.rows(kind, rows, columns, empty)
        if named and not rows:
            raise await unknown(replicas, empty, named, listing.path, listing.params.get("by"))
        return
    printer = Printer(kind, columns, output)
    printer.changed(rows, headers=output.headers)
    await watch(replicas, listing, by_replica, printer.updated)


class Printer:
    """The rows of a list that goes on, below each other."""

    def __init__(self, kind: str, columns: Sequence[Column], output: Output) -> None:
        self._kind = kind
        self._format = output.format
        self._table = Table([column for column in columns if output.format == "wide" or not column.wide])

    def updated(self, rows: list[Row], gone: list[str]) -> None:
        self.changed(rows)
        for key in gone:
            if self._format in ("table", "wide"):
                terminal.note(f"{self._kind} {key} is gone")
            else:
                self._document({"id": key, "removed": True})

    def changed(self, rows: Sequence[Row], headers: bool = False) -> None:
        if self._format in ("table", "wide"):
            self._table.print(rows, headers)
            return
        for row in rows:
            self._document(row)

    def _document(self, row: Mapping[str, Any]) -> None:
        """One line of JSON, or one document of a YAML stream."""
        if self._format == "name":
            terminal.write(f"{self._kind}/{row['id']}")
        elif self._format == "json":
            terminal.write(out.line_of(row))
        else:
            terminal.write(f"---\n{out.yaml_of(row)}")
