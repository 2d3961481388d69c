"""Changes, as the admin server sees them."""

from collections.abc import Sequence
from typing import Protocol

from steerway.journal.entry import Example
from steerway.journal.row import ChangeRow


class JournalView(Protocol):
    """The journal. Thread-safe."""

    @property
    def last_id(self) -> int: ...
    @property
    def changed_seconds(self) -> float | None: ...
    def rows(self) -> Sequence[ChangeRow]: ...
    def changed(self, after: int, /) -> tuple[int, Sequence[ChangeRow]]: ...
    def examples(self) -> Sequence[Example]: ...
