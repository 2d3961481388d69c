"""Load reports of clients."""

from collections.abc import Sequence
from typing import Protocol

from steerway.inventory import engine_view


class LocalityLoadView(engine_view.LocalityLoadView, Protocol):
    """Requests of all clients to one locality of a cluster."""

    @property
    def service(self) -> str: ...


class DroppedLoadView(Protocol):
    """Requests to a cluster that clients dropped."""

    @property
    def cluster(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def count(self) -> int: ...


class LoadsView(engine_view.LoadsView, Protocol):
    """Load reports of clients."""

    @property
    def reporters(self) -> int: ...
    @property
    def reports(self) -> int: ...
    @property
    def ignored(self) -> int: ...
    @property
    def localities(self) -> Sequence[LocalityLoadView]: ...
    @property
    def dropped(self) -> Sequence[DroppedLoadView]: ...
