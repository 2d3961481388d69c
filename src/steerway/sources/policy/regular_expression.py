r"""Regular expressions of routes: which ones every client can compile.

All clients use RE2 or one of its ports, and what they do with an expression that is none is the worst there is: grpc-js
ends its process, the others refuse the whole route configuration. So it is refused here, where one object is lost.

Go and Java differ from RE2 proper in `\C` (one byte, also within a character), which they do not have.
"""

import re
from functools import lru_cache

import re2

MAX_CHARACTERS = 1024
"""As the Gateway API has it for paths, methods and query parameters."""
_TOKEN = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.|[^\\]", re.DOTALL)
"""What is quoted (`\\Q…\\E`), an escape, or a character."""
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # errors are reported as problems of the object
_OPTIONS.max_mem = 1 << 19
"""A sixteenth of what RE2 allows itself: grpc-js compiles within 16 MiB, ends its process when that is not enough, and
a method is two expressions. `.{1000}` takes half of this."""


@lru_cache(maxsize=4096)
def why_not(expression: str) -> str:
    """What is wrong with an expression, as the end of a sentence; "" when every client can compile it."""
    if not expression:
        return "it is empty"  # Envoy refuses it (RegexMatcher.regex: min_len 1)
    if len(expression) > MAX_CHARACTERS:
        return f"it has more than {MAX_CHARACTERS} characters"
    try:
        re2.compile(expression, _OPTIONS)
        re2.compile(
            f"(?:{expression})", _OPTIONS
        )  # as it is sent: a `\Q` without an end would quote what follows, too
    except re2.error as error:
        (words,) = error.args
        return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    except UnicodeEncodeError:
        return "it holds half of a character"
    return r"\C is not in the RE2 of Go and Java" if r"\C" in _TOKEN.findall(expression) else ""
