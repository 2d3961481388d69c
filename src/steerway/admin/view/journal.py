"""Changes, as the admin server sees them."""

from collections.abc import Sequence
from typing import Protocol

from steerway.journal.row import ChangeRow


class JournalView(Protocol):
    """The journal. Thread-safe."""

    @property
    def last_id(self) -> int: ...
    def rows(self) -> Sequence[ChangeRow]: ...
    def changed(self, after: int, /) -> tuple[int, Sequence[ChangeRow]]: ...
