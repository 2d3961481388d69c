"""Which requests a route of Envoy takes."""

import re
from collections.abc import Iterator

from envoy.config.route.v3 import route_components_pb2 as components
from envoy.type.matcher.v3 import string_pb2

from steerway.catalog.model.route import How, Match, ValueMatch
from steerway.translate.envoy import size


def build(match: Match) -> components.RouteMatch:
    """All parts of it must hold. The HTTP method is a header to Envoy, `:method`."""
    found = components.RouteMatch(
        headers=[_header(each) for each in match.headers],
        query_parameters=[_query(each) for each in match.query],
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


def too_large(match: Match, limit: int) -> bool:
    """Whether an Envoy with this limit (see `size`) would refuse an expression of it."""
    return not all(size.fits(each, limit) for each in _expressions(match))


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


def _header(match: ValueMatch) -> components.HeaderMatcher:
    if _is_any(match):
        return components.HeaderMatcher(name=match.name, present_match=True)
    return components.HeaderMatcher(name=match.name, string_match=_string(match))


def _query(match: ValueMatch) -> components.QueryParameterMatcher:
    if _is_any(match):
        return components.QueryParameterMatcher(name=match.name, present_match=True)
    return components.QueryParameterMatcher(name=match.name, string_match=_string(match))


def _is_any(match: ValueMatch) -> bool:
    """Whether any value will do. Envoy refuses an empty prefix."""
    return match.how is How.PREFIX and not match.value


def _string(match: ValueMatch) -> string_pb2.StringMatcher:
    found = string_pb2.StringMatcher()
    if match.how is How.REGEX:
        found.safe_regex.regex = match.value
    elif match.how is How.PREFIX:
        found.prefix = match.value
    else:
        found.exact = match.value
    return found
