"""Durations as the Gateway API writes them (GEP-2257): `1h30m`, `10s`, `250ms`."""

import re
from typing import Annotated

from msgspec import Meta

DURATION = r"^([0-9]{1,5}(h|m|s|ms)){1,4}\Z"
MAX_CHARACTERS = 28
"""The longest duration that the pattern allows, in seconds."""

Duration = Annotated[str, Meta(pattern=DURATION)]

_PART = re.compile(r"([0-9]{1,5})(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(text: str) -> float:
    """The duration in seconds. `text` matches the type above."""
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
