"""The resource store and the object store."""

from collections.abc import Sequence
from typing import Protocol

from steerway.inventory.problem import ProblemView


class EntryView(Protocol):
    """One entry of the resource store; `reason` is not empty for an absent one."""

    @property
    def type_url(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def reason(self) -> str: ...


class StoreView(Protocol):
    """Readiness of the object store. Read on the event loop only."""

    @property
    def synced(self) -> bool: ...
    @property
    def unsynced(self) -> list[str]: ...
    def problems_of(self, source: str) -> Sequence[ProblemView]: ...
