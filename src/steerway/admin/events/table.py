"""The rows of one topic as its viewers have them, and the difference to the rows as they are now.

Rows are compared without their ages, which change all the time: a viewer adds the time since it received a row.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import ClassVar, NamedTuple, Protocol

import msgspec

AGES = frozenset({"age_seconds", "changed_age_seconds", "oldest_unacked_seconds"})
"""Fields that are not compared."""


class Row(Protocol):
    """A msgspec.Struct with an id."""

    __struct_fields__: ClassVar[tuple[str, ...]]

    @property
    def id(self) -> str: ...


class Difference(NamedTuple):
    """Encoded rows that are new or different, and the ids of those that are gone."""

    put: list[bytes]
    remove: list[str]


class Table:
    """Memory: the hash of each row. A collision of two rows of one id would hide a change until the next one."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._encode = msgspec.json.Encoder().encode

    def replace(self, rows: Iterable[Row]) -> Difference:
        """These are all rows."""
        ids = set()
        put = []
        for row in rows:
            ids.add(row.id)
            if self._is_new(row):
                put.append(self._encode(row))
        return Difference(put, self._remove(self._rows.keys() - ids))

    def update(self, ids: Collection[str], rows: Iterable[Row]) -> Difference:
        """These are the rows with these ids; ids without a row are gone."""
        gone = set(ids)
        put = []
        for row in rows:
            gone.discard(row.id)
            if self._is_new(row):
                put.append(self._encode(row))
        return Difference(put, self._remove(gone & self._rows.keys()))

    def _is_new(self, row: Row) -> bool:
        values = tuple(getattr(row, name) for name in _compared(row.__struct_fields__))
        compared = hash(self._encode(values))
        if self._rows.get(row.id) == compared:
            return False
        self._rows[row.id] = compared
        return True

    def _remove(self, gone: Collection[str]) -> list[str]:
        ordered = sorted(gone)
        for id_ in ordered:
            del self._rows[id_]
        return ordered


@lru_cache
def _compared(fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in fields if name not in AGES)
