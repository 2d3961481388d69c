"""Facts about the clients of streams."""

from collections.abc import Iterable
from typing import Protocol


class LocalityView(Protocol):
    """The locality of a client, by its address; "" for unknown parts."""

    @property
    def namespace(self) -> str: ...
    @property
    def pod(self) -> str: ...
    @property
    def service_account(self) -> str: ...
    @property
    def node(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def zone(self) -> str: ...


class IdentityView(Protocol):
    """The identity that a client proved; `kind` is the method of authentication, and its text the name."""

    @property
    def kind(self) -> str: ...


class SubscribersView(Protocol):
    """The client libraries of streams, and their limitations for the subscribed names. Valid for one read of the
    streams."""

    def client(self, node: bytes) -> str: ...
    def limitations(self, node: bytes, audience: str, subscribed: Iterable[tuple[str, str]]) -> list[str]: ...
