"""The resource store, the object store, and the problems of all stages."""

from collections.abc import Sequence
from typing import Protocol


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


class ProblemView(Protocol):
    """Something that an operator should fix, of any stage."""

    @property
    def where(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def hint(self) -> str: ...


class StoreView(Protocol):
    """Readiness of the object store. Read on the event loop only."""

    @property
    def synced(self) -> bool: ...
    @property
    def unsynced(self) -> list[str]: ...
    def problems_of(self, source: str) -> Sequence[ProblemView]: ...
