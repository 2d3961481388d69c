"""Rows of objects as kubectl prints them: `-o table|wide|json|yaml|name`, `--watch`, ages, colours.

A table has two spaces between columns and no lines, so that `awk` and `sort` can read it. Colours appear on a terminal
only, and not with NO_COLOR (`terminal.py`).
"""

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from click import unstyle

from steerway.cli import terminal
from steerway.inventory.row.client import STATES

_Command = TypeVar("_Command", bound=Callable[..., Any])
Row = dict[str, Any]

FORMATS = ("table", "wide", "json", "yaml", "name")
_GAP = "  "
UNKNOWN = "<none>"
"""What kubectl prints for a value that is not set."""
NOTHING = "-"
"""For what has not happened since the replica started."""
_COLORS = {
    "refused": "red",
    "error": "red",
    "unready": "red",
    "nack": "red",
    "waiting": "yellow",
    "behind": "yellow",
    "absent": "yellow",
    "warning": "yellow",
    "draining": "yellow",
    "limit": "yellow",
    "in_sync": "green",
    "ok": "green",
    "healthy": "green",
    "idle": "bright_black",
}
"""Colours of the words for states."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `cell` gives the text of a row. `wide`: with `-o wide` only."""

    title: str
    cell: Callable[[Row], str]
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """The choice of the command line. `kind` stands before the id with `-o name`."""

    format: str
    headers: bool = True
    watch: bool = False

    def rows(self, kind: str, rows: Sequence[Row], columns: Sequence[Column], empty: str) -> None:
        """Print all rows. `empty`: a note for a table without rows."""
        if self.format == "json":
            terminal.write(_json({"items": rows}))
        elif self.format == "yaml":
            terminal.write(yaml_of({"items": rows}))
        elif self.format == "name":
            for row in rows:
                terminal.write(f"{kind}/{row['id']}")
        elif rows:
            self.table(rows, columns)
        else:
            terminal.note(empty)

    def document(self, document: Any) -> bool:
        """Print a document as JSON or YAML; False for the other formats."""
        if self.format in ("json", "yaml"):
            terminal.write((_json if self.format == "json" else yaml_of)(document))
            return True
        return False

    def table(self, rows: Iterable[Row], columns: Sequence[Column]) -> None:
        Table([column for column in columns if self.format == "wide" or not column.wide]).print(
            rows, self.headers
        )


class Table:
    """Columns whose widths grow with the rows printed so far, for a list that goes on with `--watch`."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._widths = [len(column.title) for column in columns]

    def print(self, rows: Iterable[Row], headers: bool = False) -> None:
        """Print rows below those before."""
        cells = [[column.cell(row) for column in self._columns] for row in rows]
        for line in cells:
            self._widths = [max(width, _width(cell)) for width, cell in zip(self._widths, line, strict=True)]
        if headers:
            cells.insert(0, [column.title for column in self._columns])
        for line in cells:
            padded = (
                cell + " " * (width - _width(cell)) for cell, width in zip(line, self._widths, strict=True)
            )
            terminal.write(_GAP.join(padded).rstrip())


def output_options(*formats: str, watch: bool = False) -> Callable[[_Command], _Command]:
    """Add `-o`, `--no-headers` and with `watch` `--watch`; the command gets them as `output`. `formats`: those that it
    has; none: all."""
    options: list[Callable[[Any], Any]] = [
        click.option(
            "-o",
            "--output",
            "format",
            type=click.Choice(formats or FORMATS),
            default=(formats or FORMATS)[0],
            show_default=True,
        ),
        click.option("--no-headers", is_flag=True, help="No titles of columns"),
    ]
    if watch:
        options.append(
            click.option("-w", "--watch", is_flag=True, help="After the list, print each row that changes")
        )

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_output(format: str, no_headers: bool, **others: Any) -> Any:
            return command(output=Output(format, not no_headers, others.pop("watch", False)), **others)

        decorated: Any = with_output
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def age(seconds: float | None) -> str:
    """A duration as kubectl prints ages (k8s.io/apimachinery: duration.HumanDuration)."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    if days < 8 * 365:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def latency(seconds: float | None) -> str:
    """A short duration: milliseconds below a second, then as `age`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 10 else age(seconds)


def state(name: str | None, text: str = "") -> str:
    """The word for a state in its colour; `text` instead of the word."""
    shown = text or (name or UNKNOWN).replace("_", " ")
    return terminal.style(shown, _COLORS[name]) if name in _COLORS else shown


def states_of(numbers: Mapping[str, int] | None) -> str:
    """Numbers of streams by state, the worst first: `refused 1, in sync 3`, or `in sync` when there is no other."""
    if not numbers:
        return UNKNOWN
    if len(numbers) == 1:
        return state(next(iter(numbers)))
    ordered = sorted(numbers, key=lambda name: STATES.index(name) if name in STATES else len(STATES))
    return ", ".join(state(name, f"{name.replace('_', ' ')} {numbers[name]}") for name in ordered)


def counts(numbers: Mapping[str, int] | None) -> str:
    """Numbers by name: `eu-1a 3, eu-1b 1`."""
    return ", ".join(f"{name or 'none'} {number}" for name, number in (numbers or {}).items()) or UNKNOWN


def count(number: int, noun: str) -> str:
    """`1 stream`, `2 streams`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def joined(values: Iterable[str] | None) -> str:
    return ", ".join(values or ()) or UNKNOWN


def text(value: Any) -> str:
    return UNKNOWN if value is None or value == "" else str(value)


def line_of(document: Any) -> str:
    """A document as one line of JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _two(first: int, unit: str, second: int, second_unit: str) -> str:
    return f"{first}{unit}{second}{second_unit}" if second else f"{first}{unit}"


def _width(cell: str) -> int:
    return len(unstyle(cell))


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def yaml_of(document: Any) -> str:
    import yaml

    rendered: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return rendered.rstrip("\n")
