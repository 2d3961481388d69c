"""Differences of rows."""

import msgspec

from steerway.admin.events.pace import Pace
from steerway.admin.events.table import Difference, Table


class Row(msgspec.Struct, frozen=True):
    id: str
    count: int = 0
    age_seconds: float = 0.0


def encoded(*rows: Row) -> list[bytes]:
    return [msgspec.json.encode(row) for row in rows]


def test_new_and_different_rows_are_put_and_the_others_removed() -> None:
    table = Table()
    assert table.replace([Row("a"), Row("b")]) == Difference(encoded(Row("a"), Row("b")), [])
    assert table.replace([Row("a"), Row("b", 1)]) == Difference(encoded(Row("b", 1)), [])
    assert table.replace([Row("b", 1)]) == Difference([], ["a"])


def test_a_row_that_is_only_older_is_no_difference() -> None:
    table = Table()
    table.replace([Row("a", 1, 5.0)])
    assert table.replace([Row("a", 1, 6.0)]) == Difference([], [])
    assert table.replace([Row("a", 2, 7.0)]) == Difference(encoded(Row("a", 2, 7.0)), [])


def test_an_update_concerns_its_ids_only() -> None:
    table = Table()
    table.replace([Row("a"), Row("b"), Row("c")])
    assert table.update({"a", "b", "new", "unknown"}, [Row("a", 1), Row("new")]) == Difference(
        encoded(Row("a", 1), Row("new")), ["b"]
    )
    assert table.replace([Row("a", 1), Row("c"), Row("new")]) == Difference([], [])


def test_a_computation_keeps_its_share_of_a_core() -> None:
    pace = Pace(0.25, share=0.01)
    assert pace.is_due(100.0)
    pace.ran(100.0, cpu_seconds=0.001)
    assert not pace.is_due(100.2)
    assert pace.is_due(100.25)
    pace.ran(200.0, cpu_seconds=0.1)
    assert not pace.is_due(209.9)
    assert pace.is_due(210.0)
