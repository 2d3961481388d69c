"""A table as every scenario returns it: texts in rows, printed or written by `report`."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """The first column is text, the others are numbers with their units in the heading."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def ratio(value: float | None) -> str:
    """As `0.36x`."""
    return "-" if value is None else f"{value:.2f}x"
