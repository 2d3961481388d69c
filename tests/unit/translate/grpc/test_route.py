"""Route configurations for gRPC clients, each of which every client accepts (`tests.support.model.client_rules`)."""

import pytest
from envoy.config.route.v3 import route_components_pb2 as components
from envoy.config.route.v3 import route_pb2

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.mesh import Port, Service
from steerway.catalog.model.policy import NOTHING, Policy, Retry, Session
from steerway.catalog.model.route import Match, Routing, Table
from steerway.catalog.policy.traffic import of_object
from steerway.translate.destination import BLACKHOLE, Destination, Share, resolve
from steerway.translate.grpc import route
from steerway.translate.xds import type_url
from testbed.mesh import everything
from tests.support.example.route_example import (
    BACKEND,
    Json,
    backend,
    grpc_route,
    http_route,
    method,
    policy,
    producer,
    rule,
)
from tests.support.model import client_rules

NAME = "backend.shop.svc.cluster.local:50051"


def checked(*destinations: Destination) -> list[components.Route]:
    """The routes for some destinations, which name the clusters of `clusters`."""
    body = route.build(NAME, destinations)
    assert client_rules.refusals(type_url.ROUTE, NAME, body) == []
    (host,) = route_pb2.RouteConfiguration.FromString(body).virtual_hosts
    assert list(host.domains) == ["*"]
    named = {name for manifest in host.routes for name in _clusters(manifest)}
    assert sorted(named) == route.clusters(destinations)
    return list(host.routes)


def _clusters(result: components.Route) -> list[str]:
    return [cluster.name for cluster in result.route.weighted_clusters.clusters] or [result.route.cluster]


def of_table(table: Table, **sources: Policy) -> list[components.Route]:
    """The routes of a port with these rules, its backends `a`, `b` and `c` having the policies that are given."""
    port = Port(50051, routing=Routing(table))
    others = {
        id: Service(id, (Port(50051, policy=sources.get(id.name, NOTHING)),))
        for id in (ServiceId("shop", name) for name in "abc")
    }
    result = resolve(Service(BACKEND, (port,)), port, "shop", others.get, "d")
    return checked(*result)


def of_http(*rules: Json) -> list[components.Route]:
    return of_table(producer(http_route(*rules)))


def paths(routes: list[components.Route]) -> list[tuple[str, str]]:
    """How each route matches its path, and by what."""
    return [
        (kind, item.match.safe_regex.regex if kind == "safe_regex" else getattr(item.match, kind))
        for item in routes
        for kind in [item.match.WhichOneof("path_specifier")]
    ]


def to(cluster: str = "a", sources: Policy = NOTHING, *shares: Share) -> Destination:
    """Everything to one cluster, or to the shares."""
    return Destination(Match(), shares or (Share(cluster, 1),), sources)


class TestMatch:
    def test_methods_are_paths(self) -> None:
        """Whole ones, prefixes and regular expressions, in the order of the rules."""
        table = of_table(
            producer(
                grpc_route(
                    rule("a", matches=[{}]),
                    rule("a", matches=[method("p.S", "M"), method("p.S"), method("", "N")]),
                )
            )
        )
        assert paths(table) == [
            ("path", "/p.S/M"),
            ("prefix", "/p.S/"),
            ("safe_regex", "/[^/]+/N"),
            ("prefix", "/"),
        ]

    @pytest.mark.parametrize(
        ("value", "wanted"),
        [
            ("/v2", [("path", "/v2"), ("prefix", "/v2/")]),
            ("/v2/", [("path", "/v2"), ("prefix", "/v2/")]),
            ("/a/b", [("path", "/a/b"), ("prefix", "/a/b/")]),
            ("/", [("prefix", "/")]),
        ],
    )
    def test_a_prefix_of_path_elements_is_two_of_text(
        self, value: str, wanted: list[tuple[str, str]]
    ) -> None:
        """`path_separated_prefix` is refused by all gRPC clients."""
        match = {"path": {"type": "PathPrefix", "value": value}}
        assert paths(of_http(rule("a", matches=[match]))) == wanted

    def test_headers_are_in_fields_that_old_clients_read(self) -> None:
        """Those of before gRFC A63: exact and regular expression."""
        headers = [
            {"name": "A", "value": ""},
            {"name": "b", "value": "x|y", "type": "RegularExpression"},
        ]
        (result,) = of_table(producer(grpc_route(rule("a", matches=[{"headers": headers}]))))
        exact, regex = result.match.headers
        assert (exact.name, exact.WhichOneof("header_match_specifier")) == ("a", "exact_match")
        assert (regex.name, regex.safe_regex_match.regex) == ("b", "(?:x|y)")

    def test_what_no_grpc_call_can_be_is_left_out(self) -> None:
        """A call is a POST without query parameters; a route that matched more would be worse."""
        query = {"queryParams": [{"name": "q", "value": "1"}]}
        path = {"path": {"type": "Exact", "value": "/a/b"}}
        http = of_http(rule("a", matches=[query, {**path, "method": "POST"}, {"method": "GET"}]))
        assert paths(http) == [("path", "/a/b")]
        assert not http[0].match.query_parameters

    @pytest.mark.parametrize(
        "rules",
        [(), (rule("a", matches=[{"method": "GET"}]),)],
        ids=["no rule", "no rule for gRPC"],
    )
    def test_without_a_route_that_may_match_every_call_fails(self, rules: tuple[Json, ...]) -> None:
        """The cluster without endpoints fails for all clients alike."""
        (result,) = of_http(*rules)
        assert (result.match.prefix, result.route.cluster) == ("", BLACKHOLE)


class TestShares:
    def test_one_backend_is_a_cluster_and_several_are_weighted(self) -> None:
        """Each with a weight that is set, and none of 0."""
        rules = producer(grpc_route(rule(backend("a", 70), backend("b", 30), backend("c", 0))))
        (result,) = of_table(rules)
        assert [
            (cluster.name, cluster.weight.value) for cluster in result.route.weighted_clusters.clusters
        ] == [
            ("a.shop.svc.d:50051", 70),
            ("b.shop.svc.d:50051", 30),
        ]
        assert result.route.weighted_clusters.total_weight.value == 100

    def test_a_cluster_that_is_there_twice_gets_both_shares(self) -> None:
        """C-core and others refuse a name that stands twice."""
        rules = producer(grpc_route(rule(backend("a", 1), backend("b", 2), backend("a", 4))))
        (result,) = of_table(rules)
        weights = {
            cluster.name[0]: cluster.weight.value for cluster in result.route.weighted_clusters.clusters
        }
        assert weights == {"a": 5, "b": 2}
        assert result.route.weighted_clusters.total_weight.value == 7

    def test_what_fails_fails_in_proportion(self) -> None:
        """Two that are missing are one cluster."""
        rules = producer(grpc_route(rule(backend("a", 2), backend("x", 1), backend("y", 1))))
        (result,) = of_table(rules)
        weights = {cluster.name: cluster.weight.value for cluster in result.route.weighted_clusters.clusters}
        assert weights == {"a.shop.svc.d:50051": 2, BLACKHOLE: 2}

    def test_the_greatest_weights_fit(self) -> None:
        """16 backends of a million each are less than 2^32."""
        refs = [backend(name, 1_000_000) for name in "abc" * 5]
        (result,) = of_table(producer(grpc_route(rule(*refs))))
        assert sum(cluster.weight.value for cluster in result.route.weighted_clusters.clusters) == 15_000_000

    @pytest.mark.parametrize(
        "filter",
        [
            {"type": "RequestRedirect", "requestRedirect": {"hostname": "example.org"}},
            {"type": "ExtensionRef"},
        ],
    )
    def test_what_must_not_be_passed_over_fails(self, filter: Json) -> None:
        """No client follows a redirect: Java and Node refuse the whole configuration."""
        (result,) = of_http(rule("a", filters=[filter]))
        assert result.route.cluster == BLACKHOLE
        assert result.WhichOneof("action") == "route"

    @pytest.mark.parametrize(
        "filter",
        [
            {
                "type": "RequestHeaderModifier",
                "requestHeaderModifier": {"set": [{"name": "a", "value": "b"}]},
            },
            {"type": "URLRewrite", "urlRewrite": {"hostname": "h"}},
            {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "b", "port": 50051}}},
        ],
        ids=lambda item: item["type"],
    )
    def test_what_clients_ignore_is_not_sent(self, filter: Json) -> None:
        """The calls themselves are served."""
        assert of_http(rule("a", filters=[filter])) == of_http(rule("a"))


class TestPolicy:
    def test_nothing_set_is_nothing_sent(self) -> None:
        """Defaults are the clients' own."""
        (result,) = checked(to())
        assert result.route == components.RouteAction(cluster="a")
        assert not result.typed_per_filter_config

    @pytest.mark.parametrize(("seconds", "text"), [(0.0, "0s"), (1.5, "1.500s"), (86400.0, "86400s")])
    def test_a_timeout_also_limits_clients_with_a_deadline(self, seconds: float, text: str) -> None:
        """gRFC A31; 0 is no limit from here."""
        (result,) = checked(to("a", Policy.from_object("x", timeout_seconds=seconds)))
        limit = result.route.max_stream_duration
        assert limit.max_stream_duration.ToJsonString() == text
        assert limit.HasField("max_stream_duration")
        assert limit.grpc_timeout_header_max == limit.max_stream_duration

    def test_retries_are_in_the_words_of_grpc(self) -> None:
        """gRFC A44: codes in lower case with commas, a base, and ten times that at the most unless it is set."""
        spec = {"codes": ["Unavailable", "ResourceExhausted"], "attempts": 3, "backoff": {"base": "50ms"}}
        (result,) = checked(to("a", of_object(policy(retry=spec))))
        wanted = result.route.retry_policy
        assert (wanted.retry_on, wanted.num_retries.value) == ("resource-exhausted,unavailable", 3)
        assert wanted.retry_back_off.base_interval.ToJsonString() == "0.050s"
        assert wanted.retry_back_off.max_interval.ToJsonString() == "0.500s"

    def test_no_wait_before_a_retry_is_so_short_that_c_core_hangs(self) -> None:
        """grpc/grpc 41036: 1 ms, less a random part of it, is rounded to none, and the call is never tried again."""
        (result,) = checked(to("a", Policy.from_object("x", retry=Retry(("unavailable",), 1, 0.001, 0.002))))
        wait = result.route.retry_policy.retry_back_off
        assert wait.base_interval.ToJsonString() == wait.max_interval.ToJsonString() == "0.005s"

    def test_no_more_retries_are_sent_than_clients_make(self) -> None:
        """gRFC A44: five attempts in all."""
        (result,) = checked(to("a", Policy.from_object("x", retry=Retry(("unavailable",), 9))))
        assert result.route.retry_policy.num_retries.value == 4

    @pytest.mark.parametrize("retry", [Retry((), 0), Retry((), 1, statuses=(404,))])
    def test_no_retries_are_not_a_policy_with_none(self, retry: Retry) -> None:
        """One without codes means nothing, and 0 attempts are refused by Go, C-core and Node."""
        (result,) = checked(to("a", Policy.from_object("x", retry=retry)))
        assert not result.route.HasField("retry_policy")

    def test_an_http_routes_own_fields_are_sent(self) -> None:
        """As those of a policy are."""
        (result,) = of_http(rule("a", timeouts={"request": "2s"}, retry={"codes": [503], "attempts": 2}))
        assert result.route.max_stream_duration.max_stream_duration.seconds == 2
        assert result.route.retry_policy.retry_on == "unavailable"

    def test_filters_get_the_policy_of_the_route(self) -> None:
        """By the names that they have in the Listener."""
        (result,) = checked(to("a", Policy.from_object("x", session=Session("s"))))
        assert list(result.typed_per_filter_config) == ["envoy.filters.http.stateful_session"]


def test_a_backend_with_a_weight_of_0_is_known_to_clients_and_gets_no_call() -> None:
    """By a route that no call matches; one that does not exist is not named at all."""
    body = route.build("r", [everything("a")], ["b", "c"])
    *_, last = route_pb2.RouteConfiguration.FromString(body).virtual_hosts[0].routes
    assert last.match.path == "/steerway.Never/Calls"
    assert [(cluster.name, cluster.weight.value) for cluster in last.route.weighted_clusters.clusters] == [
        ("b", 1),
        ("c", 1),
    ]
    assert route.clusters([everything("a")], ["b", "a"]) == ["a", "b"]
    assert client_rules.refusals(type_url.ROUTE, "r", body) == []
