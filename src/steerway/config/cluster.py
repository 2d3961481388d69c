"""One remote cluster, as settings give it. What it means: `steerway.remote`."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from steerway.config.unit import LABEL


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A remote cluster, whose Services join those of the same name and namespace here."""

    name: Annotated[str, Meta(pattern=rf"^{LABEL}\Z")]
    """How it is called in logs, metrics and problems."""
    kubeconfig: Path | None = None
    """Kubeconfig file; that of `kubernetes.kubeconfig` by default."""
    context: Annotated[str, Meta(min_length=1)] | None = None
    """Context of the kubeconfig file; its `current-context` by default."""
    region: str = ""
    """Region of its endpoints."""
    priority: Annotated[int, Meta(ge=1, le=100)] = 1
    """Its place among those that take over when no endpoint here can be reached; equal ones share."""
