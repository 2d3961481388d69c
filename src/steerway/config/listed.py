"""What is wrong with a setting that is a list of mappings, and where in it."""

import re
from typing import Any

import msgspec

_FORMS = {
    "subscribe": "NAMESPACE/SERVICE, NAMESPACE/*, ./SERVICE, ./*, secret:NAME or *",
    "claim": "a namespace or *",
    "name": "a DNS label: lower-case letters, digits and -",
}
"""What the fields are that a regular expression describes."""


def explain(error: msgspec.ValidationError, items: Any, item: str) -> str:
    """In words where msgspec shows a regular expression; `item` is what one of them is called."""
    reason, _, locality = str(error).partition(" - at `$")
    steps = re.findall(r"\w+", locality)
    if "regex" in reason and steps[1:] and steps[1] in _FORMS:
        value = items
        for step in steps:
            value = value[int(step) if isinstance(value, list) else step]
        reason = f"{value!r} is not {_FORMS[steps[1]]}"
    return f"{reason.removeprefix('Object ')}, at {item} {locality.removesuffix('`')}"
