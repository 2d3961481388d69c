"""Types that several settings share, with the words of their errors and the placeholder of their flags."""

from typing import Annotated, Any, TypeAlias

from msgspec import Meta

LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
"""A DNS label (RFC 1123), as a regular expression."""
LABEL_KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
"""The key of a Kubernetes label, with or without prefix."""
LABEL_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_ONE_OF = rf"\(\s*{LABEL_VALUE}\s*(,\s*{LABEL_VALUE}\s*)*\)"
_REQUIREMENT = rf"\s*(!\s*{LABEL_KEY}|{LABEL_KEY}(\s*(==?|!=)\s*{LABEL_VALUE}|\s+(in|notin)\s*{_ONE_OF})?)\s*"
FILE: Any = {"description": "the path of a file", "extra": {"metavar": "FILE"}}
"""What the settings that name a file have in common, for `Meta`."""


def whole(least: int, most: int, metavar: str) -> Meta:
    """A whole number within these bounds."""
    description = f"a whole number from {least} to {most}"
    return Meta(ge=least, le=most, description=description, extra={"metavar": metavar})


LabelSelector: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^({_REQUIREMENT}(,{_REQUIREMENT})*)?\Z",
        description="a label selector such as team=shop,tier!=test",
        extra={"metavar": "SELECTOR"},
    ),
]
Seconds: TypeAlias = Annotated[
    float,
    Meta(ge=0, le=86400, description="a number of seconds from 0 to 86400", extra={"metavar": "SECONDS"}),
]
Count: TypeAlias = Annotated[int, whole(1, 2147483647, "N")]
Budget: TypeAlias = Annotated[int, whole(0, 4_000_000_000, "BYTES")]
Cores: TypeAlias = Annotated[
    float,
    Meta(ge=0, le=1024, description="a number of cores from 0 to 1024", extra={"metavar": "CORES"}),
]
OptionalCount: TypeAlias = Annotated[int, whole(0, 2147483647, "N")]
"""A limit that 0 turns off."""
PositiveSeconds: TypeAlias = Annotated[
    float,
    Meta(
        gt=0,
        le=86400,
        description="a number of seconds above 0 and up to 86400",
        extra={"metavar": "SECONDS"},
    ),
]
