"""Types that several settings share. `Meta.description` completes "must be …" in errors; `metavar` is for flags."""

from pathlib import Path
from typing import Annotated, Any, TypeAlias

from msgspec import Meta

LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
"""A DNS label (RFC 1123), as a regular expression."""
LABEL_KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
"""The key of a Kubernetes label, with or without prefix."""
LABEL_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
HOST = r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z]([-.0-9A-Za-z]*[0-9A-Za-z])?)"
"""A host name, an IPv4 address or an IPv6 address in brackets."""
PORT = r"(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
FILE: Any = {"description": "the path of a file", "extra": {"metavar": "FILE"}}
"""Arguments of `Meta` for the path of a file."""

_ONE_OF = rf"\(\s*{LABEL_VALUE}\s*(,\s*{LABEL_VALUE}\s*)*\)"
_REQUIREMENT = rf"\s*(!\s*{LABEL_KEY}|{LABEL_KEY}(\s*(==?|!=)\s*{LABEL_VALUE}|\s+(in|notin)\s*{_ONE_OF})?)\s*"


def whole(minimum: int, maximum: int, metavar: str = "N") -> Meta:
    """A whole number from `minimum` to `maximum`, both included."""
    description = f"a whole number from {minimum} to {maximum}"
    return Meta(ge=minimum, le=maximum, description=description, extra={"metavar": metavar})


def unset(meaning: str) -> Any:
    """Arguments of `Meta` for a setting whose default is None or empty: what applies then."""
    return {"extra": {"unset": meaning}}


Switch: TypeAlias = Annotated[bool, Meta(description="true or false")]
Seconds: TypeAlias = Annotated[
    float,
    Meta(ge=0, le=86400, description="a number of seconds from 0 to 86400", extra={"metavar": "SECONDS"}),
]
PositiveSeconds: TypeAlias = Annotated[
    float,
    Meta(
        gt=0,
        le=86400,
        description="a number of seconds above 0 and up to 86400",
        extra={"metavar": "SECONDS"},
    ),
]
Cores: TypeAlias = Annotated[
    float,
    Meta(ge=0, le=1024, description="a number of cores from 0 to 1024", extra={"metavar": "CORES"}),
]
Count: TypeAlias = Annotated[int, whole(1, 2147483647)]
OptionalCount: TypeAlias = Annotated[int, whole(0, 2147483647)]
"""A limit that 0 switches off."""
OptionalBytes: TypeAlias = Annotated[int, whole(0, 4_000_000_000, "BYTES")]
"""A limit in bytes that 0 switches off."""
OptionalFile: TypeAlias = Annotated[Path | None, Meta(**FILE)]
Address: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^{HOST}:{PORT}\Z",
        description="HOST:PORT (an IPv6 host in brackets; PORT up to 65535, 0 lets the system choose)",
        extra={"metavar": "HOST:PORT"},
    ),
]
NamespaceName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^{LABEL}\Z", description="the name of a namespace (a DNS label)", extra={"metavar": "NS"}
    ),
]
LabelSelector: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^({_REQUIREMENT}(,{_REQUIREMENT})*)?\Z",
        description="a label selector such as team=shop,tier!=test",
        extra={"metavar": "SELECTOR"},
    ),
]
