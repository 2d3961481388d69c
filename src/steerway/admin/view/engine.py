"""The calls of the engine in use."""

from collections.abc import Sequence
from typing import Protocol

from steerway.admin.view.load import LoadsView
from steerway.admin.view.store import EntryView
from steerway.admin.view.stream import StreamView
from steerway.inventory.engine_view import StatsView


class EngineView(Protocol):
    """The engine's read-only calls. They are thread-safe, and run off the event loop."""

    def streams(
        self,
        *,
        resources: bool = False,
        ids: Sequence[int] | None = None,
        after: int = 0,
        limit: int = 0,
    ) -> Sequence[StreamView]: ...
    def stats(self) -> StatsView: ...
    def entries(self) -> Sequence[EntryView]: ...
    def loads(self) -> LoadsView: ...
    def body(self, type_url: str, name: str, audience: str) -> bytes | None: ...
