"""What requests a rule takes, and which of several rules of a port is tried first.

Quotations are of the Gateway API's reference, version 1.
"""

from typing import Any

import pytest

from steerway.catalog.model.route import Match, MatchType, ValueMatch
from tests.support.example.route_example import (
    NEW,
    OLD,
    Json,
    grpc_route,
    http_route,
    method,
    names,
    producer,
    rule,
)


def matched(match: Json, http: bool = False) -> Match:
    """What one match of a rule becomes."""
    route = http_route if http else grpc_route
    ((result, _),) = producer(route(rule("a", matches=[match])))
    return result


def order(*rules: Json, http: bool = False) -> list[str]:
    """The backends of rules with one backend each, in the order in which they are tried."""
    return names(producer((http_route if http else grpc_route)(*rules)))


def header(name: str, value: str = "1", **fields: str) -> dict[str, str]:
    return {"name": name, "value": value, **fields}


@pytest.mark.parametrize(
    ("match", "match_type", "path"),
    [
        ({}, MatchType.PREFIX, "/"),
        (method("p.S", "M"), MatchType.EXACT, "/p.S/M"),
        (method("p.S"), MatchType.PREFIX, "/p.S/"),
        (method("", "M"), MatchType.REGEX, "/[^/]+/M"),
        (method("", "M.x"), MatchType.REGEX, r"/[^/]+/M\.x"),
        (method("p.S", "M", type="Exact"), MatchType.EXACT, "/p.S/M"),
        (method("p[.]S|q", "M.*", type="RegularExpression"), MatchType.REGEX, "/(?:p[.]S|q)/(?:M.*)"),
        (method("p.S", type="RegularExpression"), MatchType.REGEX, "/(?:p.S)/[^/]+"),
        (method("", "a|b", type="RegularExpression"), MatchType.REGEX, "/[^/]+/(?:a|b)"),
        ({"method": {}}, MatchType.PREFIX, "/"),
    ],
)
def test_a_method_is_a_path(match: Json, match_type: MatchType, path: str) -> None:
    """Requests of gRPC are `/SERVICE/METHOD`; an absent part matches any."""
    result = matched(match)
    assert (result.match_type, result.path, result.elements) == (match_type, path, False)


@pytest.mark.parametrize(
    ("path", "match_type", "elements"),
    [
        ("Exact", MatchType.EXACT, False),
        ("PathPrefix", MatchType.PREFIX, True),
        ("RegularExpression", MatchType.REGEX, False),
    ],
)
def test_an_http_path_is_matched_by_its_type(path: str, match_type: MatchType, elements: bool) -> None:
    """A prefix is one of path elements."""
    result = matched({"path": {"type": path, "value": "/v2"}, "method": "POST"}, http=True)
    assert result == Match(match_type, "/v2", method="POST", elements=elements)


def test_headers_and_query_parameters_must_all_match() -> None:
    """Names of headers in any case, of query parameters as they stand."""
    result = matched(
        {
            "headers": [header("X-User"), header("v", "a|b", type="RegularExpression")],
            "queryParams": [header("Q")],
        },
        http=True,
    )
    assert result.headers == (
        ValueMatch("x-user", MatchType.EXACT, "1"),
        ValueMatch("v", MatchType.REGEX, "a|b"),
    )
    assert result.query == (ValueMatch("Q", MatchType.EXACT, "1"),)


def test_the_first_of_headers_with_equal_names_counts() -> None:
    """Reference: "only the first entry with an equivalent name MUST be considered for a match"; headers in any case."""
    assert matched({"headers": [header("v", "1"), header("V", "2")]}).headers == (
        ValueMatch("v", MatchType.EXACT, "1"),
    )
    result = matched({"queryParams": [header("q", "1"), header("q", "2"), header("Q", "3")]}, http=True)
    assert result.query == (ValueMatch("q", MatchType.EXACT, "1"), ValueMatch("Q", MatchType.EXACT, "3"))


def test_a_rule_without_matches_takes_everything() -> None:
    """Reference: "If no matches are specified, the implementation MUST match every gRPC request"; the default of
    HTTPRoute is a prefix match on `/`. It ranks as an explicit one."""
    for route in (grpc_route, http_route):
        ((match, _),) = producer(route(rule("a")))
        assert (match.match_type, match.path, match.headers) == (MatchType.PREFIX, "/", ())
        assert names(producer(route(rule("a"), rule("b", matches=[{}])))) == ["a", "b"]
        assert names(producer(route(rule("a", matches=[{}]), rule("b")))) == ["a", "b"]


def test_a_match_of_an_unknown_type_is_left_out() -> None:
    """The others of its rule stay; a rule that has no other takes nothing, and not everything."""
    unknown = {"headers": [header("v", type="Fuzzy")]}
    assert order(rule("a", matches=[unknown, method("p.S")])) == ["a"]
    assert producer(grpc_route(rule("a", matches=[unknown]))) == ()


class TestPrecedence:
    def test_characters_in_a_matching_service_come_first(self) -> None:
        """By "Characters in a matching service": more of them before more of the method or of headers."""
        result = order(
            rule("method", matches=[{**method("", "AMethodOfALongName"), "headers": [header("v")]}]),
            rule("none", matches=[{"headers": [header("v"), header("w")]}]),
            rule("service", matches=[method("p")]),
            rule("longer", matches=[method("p.S|p.*", type="RegularExpression")]),
        )
        assert result == ["longer", "service", "method", "none"]

    def test_characters_in_a_matching_method_come_next(self) -> None:
        """By "Characters in a matching method": an exact one before the service alone."""
        result = order(
            rule("service", matches=[{**method("p.S"), "headers": [header("v")]}]),
            rule("short", matches=[method("p.S", ".*", type="RegularExpression")]),
            rule("long", matches=[method("p.S", "Get.*", type="RegularExpression")]),
            rule("exact", matches=[method("p.S", "Get")]),
        )
        assert result == ["exact", "long", "short", "service"]

    def test_header_matches_come_last(self) -> None:
        """By "Header matches", counted once for each name."""
        twice = [header("v"), header("V")]
        result = order(
            rule("none", matches=[method("p.S", "M")]),
            rule("one", matches=[{**method("p.S", "M"), "headers": twice}]),
            rule("two", matches=[{**method("p.S", "M"), "headers": [header("v"), header("w")]}]),
        )
        assert result == ["two", "one", "none"]

    def test_http_matches_by_path_method_headers_and_query(self) -> None:
        """Exact path, "path match with largest number of characters", "Method match", "Largest number of header
        matches", "Largest number of query param matches"; regular expressions are ours to place."""

        def path(value: str, type: str = "PathPrefix", **fields: Any) -> list[Json]:
            return [{"path": {"type": type, "value": value}, **fields}]

        two = [header("a"), header("b")]
        result = order(
            rule("root", matches=path("/")),
            rule("short", matches=path("/a", method="POST", headers=two, queryParams=two)),
            rule("query", matches=path("/a/b", queryParams=two)),
            rule("queries", matches=path("/a/b", queryParams=[*two, header("c")])),
            rule("header", matches=path("/a/b", headers=[header("a")])),
            rule("headers", matches=path("/a/b", headers=two)),
            rule("method", matches=path("/a/b", method="POST")),
            rule("regex", matches=path("/a/b.*", "RegularExpression")),
            rule("exact", matches=path("/a", "Exact")),
            http=True,
        )
        assert result == [
            "exact", "regex", "method", "headers", "header", "queries", "query", "short", "root",
        ]  # fmt: skip

    def test_ties_are_broken_by_age_then_alphabet_then_order(self) -> None:
        """By "The oldest Route based on creation timestamp", "The Route appearing first in alphabetical order", "the
        first matching rule"."""
        result = names(
            producer(
                grpc_route(rule("new"), name="a", creationTimestamp=NEW),
                grpc_route(rule("old-c"), name="c", creationTimestamp=OLD),
                grpc_route(rule("old-b-1"), rule("old-b-2"), name="b", creationTimestamp=OLD),
            )
        )
        assert result == ["old-b-1", "old-b-2", "old-c", "new"]

    def test_a_newer_route_that_is_more_specific_comes_first(self) -> None:
        """Age breaks ties alone: rules of all routes are merged."""
        old = grpc_route(rule("old"), creationTimestamp=OLD, name="a")
        new = grpc_route(rule("new", matches=[method("p.S")]), creationTimestamp=NEW, name="b")
        assert names(producer(old, new)) == ["new", "old"]
