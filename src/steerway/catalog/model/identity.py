"""The identity of a service, which all of the catalog shares."""

from typing import NamedTuple


class ServiceId(NamedTuple):
    """Identity of a service."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
