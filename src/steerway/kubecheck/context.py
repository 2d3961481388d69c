"""What checks have in common: the API server, the installation, and its replicas."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from steerway.kubecheck.installation import Installation
from steerway.kubecheck.reader import Reader


class Replicas(Protocol):
    """The admin servers of all replicas."""

    async def get(self, path: str, **params: str) -> Mapping[str, Any]:
        """By replica: the JSON document, or the exception of the request."""
        ...


@dataclass(slots=True)
class Context:
    """`namespace`: of the installation; "" for any. `release`: the name of the Helm release. `injection`: whether the
    webhook is to be installed. `replicas`: None where their admin servers cannot be asked."""

    reader: Reader
    namespace: str
    release: str
    injection: bool = False
    replicas: Replicas | None = None
    installation: Installation | None = None
    """Set by the check that looks for it."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def installed(self) -> Installation:
        """The installation, for checks that require it."""
        assert self.installation is not None
        return self.installation
