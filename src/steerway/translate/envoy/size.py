"""How large a regular expression may be for an Envoy, which refuses all routes because of one that is larger.

The size is that of the program that RE2 compiles. The runtime of an Envoy has the limit
(`re2.max_program_size.error_level`), and its Node repeats it (`metadata.PROGRAM_SIZE`).
"""

from functools import lru_cache

import re2


def fits(expression: str, limit: int) -> bool:
    """Whether an Envoy with this limit takes an expression that RE2 compiles."""
    return _size(expression) <= limit


@lru_cache(maxsize=4096)
def _size(expression: str) -> int:
    size: int = re2.compile(expression).programsize
    return size
