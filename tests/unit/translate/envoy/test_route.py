"""Routes of Envoy: matches, changes, destinations. That Envoy takes them is tested with a real one."""

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as components
from envoy.config.route.v3 import route_pb2
from google.protobuf.json_format import MessageToDict

from steerway.catalog.model.policy import (
    CHANNEL,
    NOTHING,
    Algorithm,
    Balancing,
    Fault,
    HashKey,
    HashSource,
    Policy,
    Retry,
    Session,
)
from steerway.catalog.model.route import (
    UNCHANGED,
    Changes,
    HeaderChange,
    Match,
    MatchType,
    Redirect,
    Rewrite,
    Rule,
    ValueMatch,
)
from steerway.translate.destination import BLACKHOLE, Destination, Share
from steerway.translate.envoy import change, match, route, superset
from steerway.translate.envoy.route import Host

EVERYTHING = Match()
_Option = base_pb2.HeaderValueOption


def built(
    *shares: Share,
    matched: Match = EVERYTHING,
    policy: Policy = NOTHING,
    changes: Changes = UNCHANGED,
    mirrors: tuple[tuple[str, float], ...] = (),
    redirect: Redirect | None = None,
    not_done: tuple[str, ...] = (),
) -> components.Route:
    """The only route of a configuration."""
    rule = Rule("r", changes=changes, redirect=redirect, not_done=not_done)
    destination = Destination(matched, shares or (Share("a", 1),), policy, rule, mirrors)
    body = route.build("routes", [route.part([Host("host", ("a.shop",), (destination,))])])
    (host,) = route_pb2.RouteConfiguration.FromString(body).virtual_hosts
    (only,) = host.routes
    return only


@pytest.mark.parametrize(
    ("matched", "expected"),
    [
        (Match(), {"prefix": "/"}),
        (Match(MatchType.EXACT, "/a.B/C"), {"path": "/a.B/C"}),
        (Match(MatchType.REGEX, "/[^/]+/C"), {"safeRegex": {"regex": "/[^/]+/C"}}),
        (Match(MatchType.PREFIX, "/a.B/"), {"prefix": "/a.B/"}),
        (Match(MatchType.PREFIX, "/a/", elements=True), {"pathSeparatedPrefix": "/a"}),
        (Match(MatchType.PREFIX, "/", elements=True), {"prefix": "/"}),
        (
            Match(method="PUT"),
            {"prefix": "/", "headers": [{"name": ":method", "stringMatch": {"exact": "PUT"}}]},
        ),
        (
            Match(query=(ValueMatch("q", MatchType.REGEX, "[0-9]"), ValueMatch("r", MatchType.EXACT, "1"))),
            {
                "prefix": "/",
                "queryParameters": [
                    {"name": "q", "stringMatch": {"safeRegex": {"regex": "[0-9]"}}},
                    {"name": "r", "stringMatch": {"exact": "1"}},
                ],
            },
        ),
    ],
)
def test_a_match_is_one_of_envoy(matched: Match, expected: dict[str, object]) -> None:
    """Every kind; the HTTP method is a header."""
    assert MessageToDict(match.build(matched)) == expected


def test_headers_are_set_added_and_removed() -> None:
    """A percent sign would begin a variable of Envoy's."""
    wanted = HeaderChange((("x-a", "50%"),), (("x-b", ""),), ("x-c",))
    result = built(changes=Changes(wanted, wanted))
    for added, removed in (
        (result.request_headers_to_add, result.request_headers_to_remove),
        (result.response_headers_to_add, result.response_headers_to_remove),
    ):
        assert [(header.header.key, header.header.value, header.append_action) for header in added] == [
            ("x-a", "50%%", _Option.OVERWRITE_IF_EXISTS_OR_ADD),
            ("x-b", "", _Option.APPEND_IF_EXISTS_OR_ADD),
        ]
        assert all(header.keep_empty_value for header in added)
        assert list(removed) == ["x-c"]


@pytest.mark.parametrize(
    ("path", "prefix", "expected"),
    [
        ("/a", "/b", "/b"),
        ("/a/", "/b/", "/b"),
        ("/a", "/", ("^/a/*", "/")),
        ("/a.b", "", ("^/a\\.b/*", "/")),
        ("/", "/b", ("^/*", "/b/")),
        ("/", "/", ("^/*", "/")),
    ],
)
def test_a_prefix_is_replaced_by_path_elements(
    path: str, prefix: str, expected: str | tuple[str, str]
) -> None:
    """Also where one of the two is the root, without a slash too many or too few."""
    matched = Match(MatchType.PREFIX, path, elements=True)
    for action in (
        built(matched=matched, changes=Changes(rewrite=Rewrite(prefix=prefix))).route,
        change.redirect(matched, Redirect(prefix=prefix)),
    ):
        regex = action.regex_rewrite
        assert (action.prefix_rewrite or (regex.pattern.regex, regex.substitution)) == expected


def test_a_path_and_a_host_are_rewritten() -> None:
    """A backslash in the path is one, not a reference to a group."""
    action = built(changes=Changes(rewrite=Rewrite("other", path="/a\\1"))).route
    assert action.host_rewrite_literal == "other"
    assert (action.regex_rewrite.pattern.regex, action.regex_rewrite.substitution) == ("^.*$", "/a\\\\1")


@pytest.mark.parametrize(
    ("redirect", "expected"),
    [
        (Redirect(), {"responseCode": "FOUND"}),
        (Redirect("https", "h", 443, "/p", status=308), {
            "schemeRedirect": "https",
            "hostRedirect": "h",
            "pathRedirect": "/p",
            "responseCode": "PERMANENT_REDIRECT",
        }),
        (Redirect(port=443), {"portRedirect": 443, "responseCode": "FOUND"}),
        (Redirect("http", port=8080, status=301), {"schemeRedirect": "http", "portRedirect": 8080}),
    ],
)  # fmt: skip
def test_a_redirect_sets_only_what_changes(redirect: Redirect, expected: dict[str, object]) -> None:
    """The well-known port of a scheme is left out; 301 is the default of the message."""
    assert MessageToDict(built(redirect=redirect).redirect) == expected


def test_what_must_not_be_passed_over_fails() -> None:
    """An unknown filter stands before the redirect."""
    result = built(Share(BLACKHOLE, 1), redirect=Redirect(), not_done=("ExtensionRef",))
    assert result.route.cluster == BLACKHOLE
    assert result.route.cluster_not_found_response_code == components.RouteAction.INTERNAL_SERVER_ERROR


def test_requests_are_divided_and_each_backend_has_its_changes() -> None:
    """A cluster that stands there twice keeps both, since their changes differ."""
    own = Changes(HeaderChange(set=(("x-a", "1"),)), rewrite=Rewrite("b.example.org"))
    weights = built(Share("a", 3), Share("a", 1, changes=own), Share(BLACKHOLE, 2)).route.weighted_clusters
    assert [(cluster.name, cluster.weight.value) for cluster in weights.clusters] == [
        ("a", 3),
        ("a", 1),
        (BLACKHOLE, 2),
    ]
    plain, changed, _ = weights.clusters
    assert not plain.request_headers_to_add
    assert changed.request_headers_to_add[0].header.key == "x-a"
    assert changed.host_rewrite_literal == "b.example.org"


def test_the_only_backend_may_change_the_path() -> None:
    """Of several none can."""
    own = Changes(rewrite=Rewrite(path="/p"))
    assert built(Share("a", 1, changes=own)).route.regex_rewrite.substitution == "/p"
    assert not built(Share("a", 1, changes=own), Share("b", 1)).route.HasField("regex_rewrite")


def test_clusters_that_may_exist_are_named() -> None:
    """Mirrors among them: they are sent before the route."""
    destination = Destination(Match(), (Share("b", 1), Share(BLACKHOLE, 1)), NOTHING, mirrors=(("a", 0.5),))
    assert route.part([Host("h", ("h",), (destination,))]).clusters == {"a", "b"}


def test_a_mirror_gets_its_share_and_the_host_as_it_is() -> None:
    """In millionths."""
    (mirror,) = built(mirrors=(("m", 0.25),)).route.request_mirror_policies
    assert (mirror.cluster, mirror.runtime_fraction.default_value.numerator) == ("m", 250_000)
    assert mirror.disable_shadow_host_suffix_append


@pytest.mark.parametrize(("seconds", "limit"), [(None, None), (0.0, 0.0), (1.5, 1.5)])
def test_the_time_of_a_request_is_that_of_the_whole_exchange(
    seconds: float | None, limit: float | None
) -> None:
    """Envoy's own 15 seconds are always off."""
    action = built(policy=Policy(timeout_seconds=seconds)).route
    assert action.HasField("timeout")
    assert action.timeout.ToTimedelta().total_seconds() == 0
    whole = action.max_stream_duration
    result = (
        whole.max_stream_duration.ToTimedelta().total_seconds()
        if action.HasField("max_stream_duration")
        else None
    )
    assert result == limit


@pytest.mark.parametrize(
    ("retry", "conditions"),
    [
        (Retry(("cancelled",)), "cancelled"),
        (Retry(("internal", "unavailable")), "internal,unavailable,connect-failure,refused-stream"),
        (Retry((), statuses=(503,)), "retriable-status-codes"),
    ],
)
def test_retries_are_in_envoys_words(retry: Retry, conditions: str) -> None:
    """Also those of HTTP statuses alone."""
    retry_policy = built(policy=Policy(retry=retry)).route.retry_policy
    assert retry_policy.retry_on == conditions
    assert tuple(retry_policy.retriable_status_codes) == retry.statuses
    assert retry_policy.num_retries.value == retry.attempts


@pytest.mark.parametrize(
    ("retry", "conditions"),
    [(None, ""), (Retry((), 0), ""), (Retry(("cancelled",), 9), "cancelled,reset")],
)
def test_an_attempt_has_a_time_of_its_own_with_and_without_retries(
    retry: Retry | None, conditions: str
) -> None:
    """One whose time is up is tried again where any is; Envoy makes as many as are wanted."""
    rule = Rule("r", attempt_seconds=1.5)
    destination = Destination(EVERYTHING, (Share("a", 1),), Policy(retry=retry), rule)
    body = route.build("routes", [route.part([Host("host", ("a.shop",), (destination,))])])
    policy = route_pb2.RouteConfiguration.FromString(body).virtual_hosts[0].routes[0].route.retry_policy
    assert policy.per_try_timeout.ToJsonString() == "1.500s"
    assert policy.retry_on == conditions
    assert policy.num_retries.value == (retry.attempts if retry else 0)


def test_filters_get_their_part_from_the_route() -> None:
    """Faults and sessions."""
    result = built(policy=Policy(fault=Fault(abort_code=14, abort_share=1.0), session=Session("sid")))
    assert sorted(result.typed_per_filter_config) == [
        "envoy.filters.http.fault",
        "envoy.filters.http.stateful_session",
    ]


def ring(*keys: HashKey) -> Policy:
    """A backend with a ring."""
    return Policy(balancing=Balancing(Algorithm.RING_HASH, hash_on=keys))


def test_requests_are_hashed_as_the_rings_of_the_backends_want_it() -> None:
    """Each key once; the first that a request has counts; without any the peer's address."""
    header, cookie = HashKey(HashSource.HEADER, "x-user"), HashKey(HashSource.COOKIE, "sid", "/", 60.0)
    brief = HashKey(HashSource.COOKIE, "brief")
    shares = (Share("a", 1, ring(header, cookie)), Share("b", 1, ring(cookie, brief, CHANNEL)), Share("c", 1))
    hash_policy = built(*shares).route.hash_policy
    assert [item.WhichOneof("policy_specifier") for item in hash_policy] == [
        "header",
        "cookie",
        "cookie",
        "connection_properties",
    ]
    assert all(item.terminal for item in hash_policy)
    assert [(item.cookie.name, item.cookie.path, item.cookie.ttl.seconds) for item in hash_policy[1:3]] == [
        ("sid", "/", 60),
        ("brief", "", 0),
    ]
    assert hash_policy[2].cookie.HasField("ttl"), "else Envoy would never give a cookie"
    (alone,) = built(Share("a", 1, ring())).route.hash_policy
    assert alone.connection_properties.source_ip
    assert not built(Share("a", 1)).route.hash_policy


_OTHER = ValueMatch("y", MatchType.EXACT, "1")


@pytest.mark.parametrize(
    ("matched", "wider"),
    [
        (
            Match(MatchType.REGEX, "/[a-z0-9-]{1,36}", headers=(_OTHER,), method="GET"),
            Match(MatchType.REGEX, "/[a-z0-9-]+", headers=(_OTHER,), method="GET"),
        ),
        (Match(MatchType.REGEX, "/orgs" + "/[^/]+" * 14), Match(MatchType.PREFIX, "/orgs/")),
        (
            Match(headers=(ValueMatch("x", MatchType.REGEX, ".{99}"), _OTHER)),
            Match(headers=(ValueMatch("x", MatchType.REGEX, ".+"), _OTHER)),
        ),
        (
            Match(query=(ValueMatch("x", MatchType.REGEX, "[^b]*[^c]*" * 20),)),
            Match(query=(ValueMatch("x", MatchType.PREFIX, ""),)),
        ),
    ],
)
def test_what_is_too_large_for_envoy_fails_in_a_wider_match(matched: Match, wider: Match) -> None:
    """Envoy takes 100 instructions of RE2 for an expression unless it is configured otherwise; for more it refuses the
    whole configuration. The requests of the rule are not for the next one."""
    share = (Share("a", 1),)
    destinations = (
        Destination(matched, share, Policy(timeout_seconds=1.0), Rule("large", redirect=Redirect())),
        Destination(EVERYTHING, share, NOTHING, Rule("other")),
    )

    def routes(limit: int) -> list[components.Route]:
        body = route.build("routes", [route.part([Host("host", ("a.shop",), destinations)], limit)])
        (host,) = route_pb2.RouteConfiguration.FromString(body).virtual_hosts
        return list(host.routes)

    failing, other = routes(100)
    assert failing.match == match.build(wider)
    assert failing.route.cluster == BLACKHOLE
    assert other.route.cluster == "a"
    assert routes(32_768)[0].match == match.build(matched)


def test_a_wider_match_of_any_value_is_one_of_presence() -> None:
    """Envoy refuses an empty prefix."""
    anything = ValueMatch("x", MatchType.PREFIX, "")
    result = match.build(Match(headers=(anything,), query=(anything, ValueMatch("y", MatchType.PREFIX, "a"))))
    assert result.headers[0].present_match
    assert result.query_parameters[0].present_match
    assert result.query_parameters[1].string_match.prefix == "a"


@pytest.mark.parametrize(
    ("expression", "beginning"),
    [
        ("/a/b", "/a/b"),
        (r"/a\.b\d", "/a.b"),
        ("^/a.c", "/a"),
        (r"\A/ab?c", "/a"),
        ("/ab{2}", "/a"),
        ("/a|/b", ""),
        ("(/a|/b)/c", ""),
        ("/a(/b|/c)", "/a"),
        ("/a[|]", "/a"),
        ("(?i)/a", ""),
        (r"/\Qa|b.\E\w", "/a|b."),
        (r"/\Qab\E*", "/a"),
        (r"/a\x{41}", "/a"),
        (r"/a\|b", "/a|b"),
        ("/a{b", "/a"),
    ],
)
def test_the_literal_beginning_of_an_expression(expression: str, beginning: str) -> None:
    """A character that may be missing is none of it, nor is one of an alternative."""
    assert superset.literal_prefix(expression) == beginning
