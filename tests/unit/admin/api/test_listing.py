"""Lists: pages, fields, filters, and what is wrong with their parameters."""

import msgspec
import pytest
from starlette.datastructures import QueryParams

from steerway.admin.api import listing
from steerway.admin.api.listing import ListType, Query
from steerway.admin.api.request_error import RequestError


class ThingRow(msgspec.Struct):
    """A row."""

    id: str
    size: int = 0


THINGS = ListType(ThingRow, ("q", "service", "workload", "state"), ("good", "bad"))
ROWS = [ThingRow(f"shop/{name}", number) for number, name in enumerate("abcdefg")]


def answer(rows: list[ThingRow], **parameters: str) -> dict[str, object]:
    query = THINGS.parse(QueryParams(parameters))
    decoded: dict[str, object] = msgspec.json.decode(listing.page(rows, query, "steerway-0"))
    return decoded


def test_pages_hold_every_row_once_while_rows_come_and_go() -> None:
    """The token is an id: the next page begins behind it, also when the row of that id is gone."""
    first = answer(ROWS, limit="3")
    assert (first["total"], first["next"], first["replica"]) == (7, "shop/c", "steerway-0")
    assert [row["id"] for row in first["items"]] == ["shop/a", "shop/b", "shop/c"]  # type: ignore[attr-defined]
    later = [ThingRow("shop/aa"), *ROWS[:2], *ROWS[3:]]
    second = answer(sorted(later, key=lambda row: row.id), limit="3", after="shop/c")
    assert [row["id"] for row in second["items"]] == ["shop/d", "shop/e", "shop/f"]  # type: ignore[attr-defined]
    last = answer(ROWS, limit="3", after="shop/f")
    assert (len(last["items"]), last["next"]) == (1, None)  # type: ignore[arg-type]
    assert answer(ROWS, limit="7")["next"] is None
    assert answer([])["items"] == []


def test_rows_may_have_another_order() -> None:
    """Newest first, by number."""
    rows = [ThingRow(str(number)) for number in range(12, 0, -1)]
    query = Query(limit=5, after="10")
    shown = msgspec.json.decode(listing.page(rows, query, "r", order=lambda id: -int(id)))
    assert [row["id"] for row in shown["items"]] == ["9", "8", "7", "6", "5"]
    with pytest.raises(RequestError, match="after is 'x': give the token next of a page"):
        listing.page(rows, Query(after="x"), "r", order=lambda id: -int(id))


def test_fields_are_selected_and_the_id_is_always_present() -> None:
    assert answer(ROWS, fields="size", limit="1")["items"] == [{"id": "shop/a", "size": 0}]
    assert answer(ROWS, fields="id", limit="1")["items"] == [{"id": "shop/a"}]


def test_a_list_may_be_one_of_ids() -> None:
    """Rows are made for the page only."""
    made = listing.page(
        ["a", "b", "c"], Query(limit=1, after="a"), "r", complete=lambda ids: list(map(ThingRow, ids))
    )
    shown = msgspec.json.decode(made)
    assert (shown["items"], shown["next"], shown["total"]) == ([{"id": "b", "size": 0}], "b", 3)


def test_a_pattern_of_node_ids_is_matched_whole() -> None:
    matches = Query(client="web-*").matches_client
    assert matches("web-1\nb") and not matches("a-web-1")
    assert Query().matches_client("anything")


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"limit": "0"}, "limit is '0': give a number from 1 to 1000"),
        ({"limit": "1001"}, "limit is '1001'"),
        ({"limit": " 5"}, "limit is ' 5'"),
        ({"limit": ""}, "limit is ''"),
        ({"fields": "size,colour"}, "no field is called 'colour': give id, size"),
        ({"fields": ""}, "no field is called ''"),
        ({"service": "backend"}, "service is 'backend': give NAMESPACE/NAME"),
        ({"workload": "a/b/c"}, "workload is 'a/b/c': give NAMESPACE/NAME"),
    ],
)
def test_an_invalid_value_is_an_error_that_lists_the_valid_ones(
    parameters: dict[str, str], text: str
) -> None:
    with pytest.raises(RequestError, match=text):
        THINGS.parse(QueryParams(parameters))


def test_each_list_describes_its_parameters_and_its_response() -> None:
    names = [parameter.name for parameter in THINGS.parameters]
    assert names == ["limit", "after", "fields", "q", "service", "workload", "state"]
    schema = msgspec.json.schema(THINGS.response[0])
    assert set(schema["$defs"]["ThingList"]["required"]) == {"items", "total", "next", "replica"}
