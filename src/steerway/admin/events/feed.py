"""Where the messages of a topic come from: rows of the inventory and of the journal, read at a limited pace.

`read` runs on the event loop and passes its long parts to `in_thread`.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from steerway.admin.events.message import rows as encode_rows
from steerway.admin.events.pace import SHARE, Pace
from steerway.admin.events.table import Difference, Row, Table

_T = TypeVar("_T")

BATCH_SECONDS = 0.25
"""Changes of this time are one message for each topic."""
STATUS_SECONDS = 1.0
SERVICE_SHARE = 0.02
"""Of one core, for rows of services: changes of endpoints are there to be seen at once."""


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
    """One object, which is sent whole, and at once when `phase` returns another value. `prepare` is called on the event
    loop, and its result in a thread."""

    def __init__(self, prepare: Callable[[], Callable[[], Any]], phase: Callable[[], str]) -> None:
        self._prepare = prepare
        self._phase = phase
        self._last_phase = ""
        self._pace = Pace(STATUS_SECONDS)

    async def read(self, fresh: bool, in_thread: InThread) -> Update:
        phase, before = self._phase(), self._last_phase
        if not fresh and phase == before and not self._pace.is_due(time.monotonic()):
            return NOTHING
        self._last_phase = phase
        status = self._prepare()
        body, seconds = await in_thread(lambda: msgspec.json.encode(status()))
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
    """Rows that are read as a whole, and compared: at most once in a batch, and at a limited share of a core. A new
    viewer does not wait for the next read: it gets the rows of the last one, with their ages as of then."""

    def __init__(self, rows: Callable[[], Iterable[Row]], share: float = SHARE) -> None:
        self._rows = rows
        self._table = Table()
        self._pace = Pace(BATCH_SECONDS, share)
        self._last: Sequence[Row] = ()

    async def read(self, fresh: bool, in_thread: InThread) -> Update:
        if not self._pace.is_due(time.monotonic()):
            if not (fresh and self._last):
                return NOTHING
            first, _ = await in_thread(lambda: encode_rows(_encoded(self._last), reset=True))
            return Update(first)
        update, seconds = await in_thread(lambda: self._read(fresh))
        self._pace.ran(time.monotonic(), seconds)
        return update

    def _read(self, fresh: bool) -> Update:
        rows = self._last = list(self._rows())
        difference = self._table.replace(rows)
        return Update(encode_rows(_encoded(rows), reset=True) if fresh else None, _difference(difference))


class ServiceFeed(RowFeed):
    """Reads all rows for new viewers only, and otherwise those of the ids that `changed` returns: of rows that became
    others or went since its last call. `some` returns the rows of ids."""

    def __init__(
        self,
        rows: Callable[[], Iterable[Row]],
        some: Callable[[Collection[str]], Iterable[Row]],
        changed: Callable[[], Collection[str]],
    ) -> None:
        super().__init__(rows, SERVICE_SHARE)
        self._some = some
        self._changed = changed

    def _read(self, fresh: bool) -> Update:
        ids = self._changed()
        if fresh:
            update = super()._read(fresh)
            self._last = ()  # they would lack the rows of the next updates
            return update
        return Update(None, _difference(self._table.update(ids, self._some(ids))))


def _difference(difference: Difference) -> bytes | None:
    return encode_rows(*difference) if difference.put or difference.remove else None


def _encoded(rows: Iterable[Row]) -> list[bytes]:
    return [msgspec.json.encode(row) for row in rows]
