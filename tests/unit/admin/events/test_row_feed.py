"""Rows of topics: what viewers get, also while a read of all rows is not due."""

from collections.abc import Callable, Collection
from typing import TypeVar

import msgspec

from steerway.admin.events.feed import RowFeed, ServiceFeed

_T = TypeVar("_T")


class Item(msgspec.Struct, frozen=True):
    id: str
    streams: int = 1


async def in_thread(function: Callable[[], _T]) -> tuple[_T, float]:
    """An expensive call: the next read is not due within the test."""
    return function(), 1000.0


def ids(body: bytes | None) -> list[str]:
    assert body is not None
    document = msgspec.json.decode(body)
    assert document["reset"]
    return [row["id"] for row in document["put"]]


async def test_a_new_viewer_does_not_wait_for_the_next_read() -> None:
    """It gets the rows that the others have, so that the next difference fits to them."""
    rows = [Item("a")]
    feed = RowFeed(lambda: list(rows))
    assert ids((await feed.read(True, in_thread)).first) == ["a"]
    rows.append(Item("b"))
    assert (await feed.read(False, in_thread)).next is None
    update = await feed.read(True, in_thread)
    assert (ids(update.first), update.next) == (["a"], None)
    feed._pace.ran(float("-inf"), 0.0)
    following = (await feed.read(False, in_thread)).next
    assert following is not None
    assert [row["id"] for row in msgspec.json.decode(following)["put"]] == ["b"]


async def test_services_that_were_updated_since_are_read_again() -> None:
    """Updates of some rows are not in those of the last read of all."""

    def some(wanted: Collection[str]) -> list[Item]:
        return [Item(id_, 2) for id_ in wanted]

    feed = ServiceFeed(lambda: [Item("a")], some, lambda: ["a"])
    assert ids((await feed.read(True, in_thread)).first) == ["a"]
    assert (await feed.read(True, in_thread)).first is None
    feed._pace.ran(float("-inf"), 0.0)
    assert ids((await feed.read(True, in_thread)).first) == ["a"]
