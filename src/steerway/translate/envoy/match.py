"""Which requests a route of Envoy takes."""

import re

from envoy.config.route.v3 import route_components_pb2 as components
from envoy.type.matcher.v3 import string_pb2

from steerway.catalog.route import How, Match, ValueMatch


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
