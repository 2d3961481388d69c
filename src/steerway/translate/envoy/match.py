"""Which requests a route of Envoy takes."""

import re
from collections.abc import Iterator
from functools import lru_cache

import re2
from envoy.config.route.v3 import route_components_pb2 as components
from envoy.type.matcher.v3 import string_pb2

from steerway.catalog.route import How, Match, ValueMatch

_MAX_PROGRAM = 100
"""Instructions of RE2 that Envoy takes for one expression unless its runtime says more
(`re2.max_program_size.error_level`); for one longer it refuses all routes."""


def build(match: Match) -> components.RouteMatch:
    """All parts of it must hold. The HTTP method is a header to Envoy, `:method`."""
    found = components.RouteMatch(
        headers=[
            components.HeaderMatcher(name=each.name, string_match=_string(each)) for each in match.headers
        ],
        query_parameters=[
            components.QueryParameterMatcher(name=each.name, string_match=_string(each))
            for each in match.query
        ],
    )
    if match.method:
        found.headers.add(name=":method", string_match=string_pb2.StringMatcher(exact=match.method))
    if match.how is How.EXACT:
        found.path = match.path
    elif match.how is How.REGEX:
        found.safe_regex.regex = match.path
    elif match.elements and whole(match):
        found.path_separated_prefix = whole(match)
    else:
        found.prefix = match.path or "/"
    return found


@lru_cache(maxsize=4096)
def fits(expression: str) -> bool:
    """Whether Envoy takes a regular expression that RE2 does."""
    size: int = re2.compile(expression).programsize
    return size <= _MAX_PROGRAM


def too_large(match: Match) -> bool:
    """Whether Envoy would refuse an expression of it."""
    return not all(map(fits, _expressions(match)))


def _expressions(match: Match) -> Iterator[str]:
    if match.how is How.REGEX:
        yield match.path
    yield from (each.value for each in (*match.headers, *match.query) if each.how is How.REGEX)


def whole(match: Match) -> str:
    """The path elements of a prefix, without the slash at the end, which Envoy refuses; "" for all paths."""
    return match.path.rstrip("/")


def beginning(match: Match) -> str:
    """A regular expression of what a new prefix stands instead of, with the slashes that follow it."""
    return f"^{re.escape(whole(match))}/*"


def _string(match: ValueMatch) -> string_pb2.StringMatcher:
    found = string_pb2.StringMatcher()
    if match.how is How.REGEX:
        found.safe_regex.regex = match.value
    else:
        found.exact = match.value
    return found
