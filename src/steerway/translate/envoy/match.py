"""Which requests a route of Envoy takes."""

import re
from collections.abc import Iterator

from envoy.config.route.v3 import route_components_pb2 as components
from envoy.type.matcher.v3 import string_pb2

from steerway.catalog.model.route import Match, MatchType, ValueMatch
from steerway.translate.envoy import size


def build(match: Match) -> components.RouteMatch:
    """All parts of it must hold. The HTTP method is a header to Envoy, `:method`."""
    route_match = components.RouteMatch(
        headers=[_header(header) for header in match.headers],
        query_parameters=[_query(parameter) for parameter in match.query],
    )
    if match.method:
        route_match.headers.add(name=":method", string_match=string_pb2.StringMatcher(exact=match.method))
    if match.match_type is MatchType.EXACT:
        route_match.path = match.path
    elif match.match_type is MatchType.REGEX:
        route_match.safe_regex.regex = match.path
    elif match.elements and whole(match):
        route_match.path_separated_prefix = whole(match)
    else:
        route_match.prefix = match.path or "/"
    return route_match


def too_large(match: Match, limit: int) -> bool:
    """Whether an Envoy with this limit (see `size`) would refuse an expression of it."""
    return not all(size.fits(expression, limit) for expression in _expressions(match))


def _expressions(match: Match) -> Iterator[str]:
    if match.match_type is MatchType.REGEX:
        yield match.path
    yield from (
        value_match.value
        for value_match in (*match.headers, *match.query)
        if value_match.match_type is MatchType.REGEX
    )


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
    return match.match_type is MatchType.PREFIX and not match.value


def _string(match: ValueMatch) -> string_pb2.StringMatcher:
    matcher = string_pb2.StringMatcher()
    if match.match_type is MatchType.REGEX:
        matcher.safe_regex.regex = match.value
    elif match.match_type is MatchType.PREFIX:
        matcher.prefix = match.value
    else:
        matcher.exact = match.value
    return matcher
