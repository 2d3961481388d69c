"""Patterns of authorisation rules: for the names of an identity, and for what it may subscribe to.

In the first kind `*` stands for any characters but the separator, so that `spiffe://prod/ns/*/sa/web` is web in any
namespace and nothing else: no namespace, account or DNS label can reach over into the next part.
"""

import functools
import re

from steerway.access.identity import Identity

OWN = "."
"""Stands for the namespace of the identity itself, as in the hosts of Istio's Sidecar (`./*`)."""
EVERYTHING = "*"
"""The grant pattern for all that there is."""
PUBLIC = ""
"""The grant pattern for what everybody may see."""


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str, separator: str) -> re.Pattern[str]:
    return re.compile(f"[^{re.escape(separator)}]*".join(map(re.escape, pattern.split("*"))))


def matches(pattern: str, text: str, separator: str = "/") -> bool:
    """Whether `text` is of the form `pattern`. An empty text never is."""
    return bool(text) and _compiled(pattern, separator).fullmatch(text) is not None


def grant(pattern: str, identity: Identity) -> str | None:
    """The pattern as the engine reads it, for this identity; None when it gives this one nothing."""
    if not pattern.startswith(f"{OWN}/"):
        return pattern
    return f"{identity.namespace}{pattern.removeprefix(OWN)}" if identity.namespace else None
