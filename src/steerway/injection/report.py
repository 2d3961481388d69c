"""The annotation that reports what was added to a pod, or why nothing was."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from steerway import __version__

INJECTED = "steerway.io/injected"
"""The annotation."""


@dataclass(frozen=True, slots=True)
class Report:
    """`containers` were injected by `method`, with `certificates` or without; `skipped`: the reason by container.
    `reason`: why none was."""

    method: str = ""
    credentials: str = ""
    certificates: bool = False
    containers: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    def encode(self) -> str:
        """As the annotation has it."""
        document = {
            "version": __version__,
            "method": self.method,
            "credentials": self.credentials,
            "certificates": self.certificates,
            "containers": list(self.containers),
            "skipped": dict(self.skipped),
            "reason": self.reason,
        }
        return json.dumps({key: value for key, value in document.items() if value}, separators=(",", ":"))


def injected_containers(annotations: Mapping[str, str]) -> frozenset[str]:
    """The containers that an earlier call injected. A pod can be sent twice: by two webhooks that select it, or again
    after a third one changed it (`reinvocationPolicy`)."""
    try:
        document: Any = json.loads(annotations.get(INJECTED, "{}"))
    except (ValueError, RecursionError):
        return frozenset()
    names = document.get("containers") if isinstance(document, dict) else None
    return (
        frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()
    )
