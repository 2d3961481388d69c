"""Where the messages of a topic come from: rows of the inventory and of the journal, read at a limited pace.

`read` runs on the event loop and passes its long parts to `in_thread`.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from steerway.admin.events.message import rows as encode_rows
from steerway.admin.events.pace import Pace
from steerway.admin.events.table import Difference, Row, Table

_T = TypeVar("_T")

BATCH_SECONDS = 0.25
"""Changes of this time are one message for each topic."""
STATUS_SECONDS = 1.0


class InThread(Protocol):
    """Calls a function in a thread; returns its result and the CPU time that it took."""

    def __call__(self, function: Callable[[], _T], /) -> Awaitable[tuple[_T, float]]: ...


class Update(NamedTuple):
    """The data of the messages of one batch; None: there is no message."""

    first: bytes | None = None
    """With all rows, for viewers that have none yet."""
    next: bytes | None = None
    """With what changed since the last batch, for the others."""


NOTHING = Update()


class Feed(Protocol):
    """One topic. `fresh`: viewers wait for all rows."""

    async def read(self, fresh: bool, in_thread: InThread) -> Update: ...


class StatusFeed:
    """One object, which is sent whole."""

    def __init__(self, status: Callable[[], Any]) -> None:
        self._status = status
        self._pace = Pace(STATUS_SECONDS)

    async def read(self, fresh: bool, in_thread: InThread) -> Update:
        if not fresh and not self._pace.is_due(time.monotonic()):
            return NOTHING
        body, seconds = await in_thread(lambda: msgspec.json.encode(self._status()))
        self._pace.ran(time.monotonic(), seconds)
        return Update(body, body)


class ProblemFeed:
    """A list, which is sent whole when it differs. `problems` is called on the event loop."""

    def __init__(self, problems: Callable[[], Sequence[Any]]) -> None:
        self._problems = problems
        self._last = b""

    async def read(self, fresh: bool, in_thread: InThread) -> Update:
        problems = self._problems()
        body, _ = await in_thread(lambda: encode_rows([msgspec.json.encode(p) for p in problems], reset=True))
        different = body != self._last
        self._last = body
        return Update(body if fresh else None, body if different else None)


class ChangeFeed:
    """Rows of the journal. `changed`: see `Journal.changed`."""

    def __init__(self, changed: Callable[[int], tuple[int, Sequence[Row]]]) -> None:
        self._changed = changed
        self._cursor: int | None = None

    async def read(self, fresh: bool, in_thread: InThread) -> Update:
        update, _ = await in_thread(lambda: self._read(fresh))
        return update

    def _read(self, fresh: bool) -> Update:
        first = following = None
        if self._cursor is not None:
            self._cursor, different = self._changed(self._cursor)
            following = encode_rows(_encoded(different)) if different else None
        if fresh:
            # Read after the others: what is recorded in between is sent twice instead of never.
            cursor, every = self._changed(0)
            first = encode_rows(_encoded(every), reset=True)
            self._cursor = cursor if self._cursor is None else self._cursor
        return Update(first, following)


class RowFeed:
    """Rows that are read as a whole, and compared: at most once in a batch, and at a limited share of a core."""

    def __init__(self, rows: Callable[[], Iterable[Row]]) -> None:
        self._rows = rows
        self._table = Table()
        self._pace = Pace(BATCH_SECONDS)

    async def read(self, fresh: bool, in_thread: InThread) -> Update:
        if not self._pace.is_due(time.monotonic()):
            return NOTHING
        update, seconds = await in_thread(lambda: self._read(fresh))
        self._pace.ran(time.monotonic(), seconds)
        return update

    def _read(self, fresh: bool) -> Update:
        rows = list(self._rows())
        difference = self._table.replace(rows)
        return Update(encode_rows(_encoded(rows), reset=True) if fresh else None, _difference(difference))


class ServiceFeed(RowFeed):
    """Also reads the rows of services that a change has named, in each batch. `some` returns the rows of ids; those of
    services that are gone are missing. `changed` returns the ids since its last call."""

    def __init__(
        self,
        rows: Callable[[], Iterable[Row]],
        some: Callable[[Collection[str]], Iterable[Row]],
        changed: Callable[[], Collection[str]],
    ) -> None:
        super().__init__(rows)
        self._some = some
        self._changed = changed
        self._started = False

    async def read(self, fresh: bool, in_thread: InThread) -> Update:
        ids = self._changed()
        update = await super().read(fresh, in_thread)
        if update is not NOTHING:
            self._started = True
            return update
        if not ids or not self._started:
            return NOTHING
        difference, _ = await in_thread(lambda: self._table.update(ids, self._some(ids)))
        return Update(None, _difference(difference))


def _difference(difference: Difference) -> bytes | None:
    return encode_rows(*difference) if difference.put or difference.remove else None


def _encoded(rows: Iterable[Row]) -> list[bytes]:
    return [msgspec.json.encode(row) for row in rows]
