"""Error texts for a setting that is a list of mappings: what is wrong, and at which item and field."""

import re
from typing import Any

import msgspec

_FORMATS = {
    "subscribe": "NAMESPACE/SERVICE, NAMESPACE/*, ./SERVICE, ./*, secret:NAME or *",
    "claim": "a namespace or *",
    "name": "a DNS label: lower-case letters, digits and -",
}
"""Format of the fields whose type is a regular expression."""


def explain(error: msgspec.ValidationError, items: Any, item: str) -> str:
    """The reason and its location. Replaces regular expressions by words; `item` names one element of `items`."""
    reason, _, location = str(error).partition(" - at `$")
    steps = re.findall(r"\w+", location)
    if "regex" in reason and steps[1:] and steps[1] in _FORMATS:
        value = items
        for step in steps:
            value = value[int(step) if isinstance(value, list) else step]
        reason = f"{value!r} is not {_FORMATS[steps[1]]}"
    return f"{reason.removeprefix('Object ')}, at {item} {location.removesuffix('`')}"
