"""The limitations of each client: a table over the four libraries and Envoy."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from steerway.catalog.model.mesh import Port, Service, ServiceId
from steerway.catalog.model.policy import (
    CHANNEL,
    NOTHING,
    Algorithm,
    Balancing,
    Fault,
    HashKey,
    HashSource,
    HealthCheck,
    OutlierDetection,
    Policy,
    Retry,
    Safety,
    Session,
    SlowStart,
    Subset,
    ZoneMode,
    Zones,
)
from steerway.catalog.model.route import (
    Backend,
    BackendPort,
    Changes,
    Entry,
    HeaderChange,
    Match,
    MatchType,
    Mirror,
    Redirect,
    Rewrite,
    Routing,
    Rule,
    ValueMatch,
)
from steerway.explain import limitation
from steerway.translate.client.client import parse

ID = ServiceId("shop", "backend")
OTHER = BackendPort(ServiceId("shop", "v1"), 50051)
CORE, GO, JAVA, NODE, ENVOY = "grpcio/1.85", "grpc-go/1.85", "grpc-java/1.85", "grpc-js/1.14", "envoy/1.40"
CLIENTS = (CORE, GO, JAVA, NODE, ENVOY)
COOKIE, HEADER = HashKey(HashSource.COOKIE, "sid"), HashKey(HashSource.HEADER, "x-user")


def sources(
    name: str, policy: Policy = NOTHING, *entries: Entry, other: Policy = NOTHING, external: str = ""
) -> list[str]:
    """The sentences about a port with this policy, and these routes if there are any."""
    routing = Routing(producer=tuple(entries) or None)
    port = Port(50051, policy=policy, routing=routing)
    services = {
        ID: Service(ID, (port,), external_name=external),
        OTHER.service: Service(OTHER.service, (Port(50051, policy=other),)),
    }
    return [*limitation.of(services[ID], port, "shop", services.get, parse(name))]


def balancing(algorithm: Algorithm, *keys: HashKey, slow_start: SlowStart | None = None) -> Policy:
    return Policy(balancing=Balancing(algorithm, hash_on=keys, slow_start=slow_start))


SECTIONS: list[tuple[str, Policy, Sequence[str], str]] = [
    ("least_request", balancing(Algorithm.LEAST_REQUEST), (CORE, NODE), "it falls back to round_robin"),
    (
        "weighted_round_robin",
        balancing(Algorithm.WEIGHTED_ROUND_ROBIN),
        (NODE,),
        "it falls back to round_robin",
    ),
    ("pick_first", balancing(Algorithm.PICK_FIRST), (NODE, ENVOY), "it falls back to round_robin"),
    ("random", balancing(Algorithm.RANDOM), (CORE, GO, JAVA, NODE), "it falls back to round_robin"),
    (
        "ring_hash by cookie",
        balancing(Algorithm.RING_HASH, COOKIE),
        (CORE, GO, JAVA, NODE),
        "it hashes by the channel",
    ),
    (
        "ring_hash by cookie",
        balancing(Algorithm.RING_HASH, COOKIE, HEADER),
        (CORE, GO, JAVA, NODE),
        "it hashes by the header x-user",
    ),
    ("", balancing(Algorithm.RING_HASH, CHANNEL), (), ""),
    (
        "ring_hash by the binary header x-bin",
        balancing(Algorithm.RING_HASH, HashKey(HashSource.HEADER, "x-bin")),
        (CORE, GO, JAVA, NODE),
        "it ignores the header",
    ),
    (
        "slow start",
        balancing(Algorithm.ROUND_ROBIN, slow_start=SlowStart(30)),
        (CORE, GO, JAVA, NODE),
        "a new endpoint gets its full share at once",
    ),
    (
        "checks of health",
        Policy(health_check=HealthCheck()),
        (CORE, GO, JAVA, NODE),
        "the readiness that Kubernetes reports applies",
    ),
    ("sessions by cookie", Policy(session=Session("sid")), (GO, JAVA, NODE), "calls go to any endpoint"),
    (
        "retries by HTTP status",
        Policy(retry=Retry((), statuses=(404,))),
        (CORE, GO, JAVA, NODE),
        "not tried again",
    ),
    ("", Policy(retry=Retry(("unavailable",)), fault=Fault(1.0, 1.0)), (), ""),
    ("exact timeouts", Policy(timeout_seconds=1.0), (CORE,), "calls end up to a second late"),
    ("", Policy(outlier_detection=OutlierDetection()), (), ""),
    ("", Policy(zones=Zones(ZoneMode.SPILL), subset=Subset(), safety=Safety()), (), ""),
]


@pytest.mark.parametrize(("thing", "policy", "without", "instead"), SECTIONS)
def test_a_section_that_a_current_client_cannot_do(
    thing: str, policy: Policy, without: Sequence[str], instead: str
) -> None:
    """Only those clients have the limitation, by their names, with what they do instead."""
    for name in CLIENTS:
        result = sources(name, policy)
        assert len(result) == (name in without), (name, result)
        for sentence in result:
            assert sentence.startswith(f"{thing} ")
            assert f" not supported by {parse(name)}: " in sentence
            assert sentence.endswith(instead)


OLD = [
    (
        "grpc-go/1.40",
        Policy(retry=Retry(("unavailable",))),
        "retries (gRFC A44) are not supported by grpc-go 1.40",
    ),
    ("grpc-go/1.36", Policy(timeout_seconds=1.0), "timeouts (gRFC A31) are not"),
    ("grpcio/1.50", Policy(outlier_detection=OutlierDetection()), "outlier detection (gRFC A50) is not"),
    ("grpc-js/1.3", Policy(maximum_requests=5), "limits of requests (gRFC A32) are not"),
    ("grpc-java/1.36", Policy(fault=Fault(abort_share=1.0)), "fault injection (gRFC A33) is not"),
    (
        "grpc-go/1.40",
        balancing(Algorithm.RING_HASH, COOKIE),
        "ring_hash (gRFC A42) is not supported by grpc-go 1.40",
    ),
]


@pytest.mark.parametrize(("name", "policy", "beginning"), OLD)
def test_an_old_client_lacks_what_came_later(name: str, policy: Policy, beginning: str) -> None:
    """The same library in a current version has no such limitation."""
    (sentence,) = sources(name, policy)
    assert sentence.startswith(beginning)
    assert not [source for source in sources(name.partition("/")[0], policy) if source.startswith(beginning)]


def test_grpc_java_limits_requests_only_where_it_reports_load() -> None:
    """The others count them everywhere."""
    (sentence,) = sources(JAVA, Policy(maximum_requests=1))
    assert sentence.startswith("grpc-java 1.85 limits requests only where it is asked for load reports")
    assert [sources(name, Policy(maximum_requests=1)) for name in CLIENTS if name != JAVA] == [[]] * 4


def rule(where: str = "HTTPRoute shop/r rule 0", **parts: object) -> Rule:
    return replace(Rule(where, (Backend(OTHER),)), **parts)  # type: ignore[arg-type]


HEADERS = Changes(request=HeaderChange(set=(("x", "1"),)))
RULES: list[tuple[Entry, str]] = [
    (
        Entry(Match(), rule(changes=HEADERS)),
        "changes of headers are not supported by grpc-go 1.85: gRPC clients send",
    ),
    (Entry(Match(), rule(backends=(Backend(OTHER, changes=HEADERS),))), "changes of headers are"),
    (Entry(Match(), rule(changes=Changes(rewrite=Rewrite(host="a")))), "rewrites of URLs are"),
    (Entry(Match(), rule(mirrors=(Mirror(OTHER),))), "mirrors of requests are"),
    (
        Entry(Match(), rule(redirect=Redirect())),
        "redirects are not supported by grpc-go 1.85: calls fail with UNAVAILABLE",
    ),
    (Entry(Match(method="GET"), rule(changes=HEADERS)), "matches by HTTP method or query parameter are"),
    (
        Entry(Match(query=(ValueMatch("a", MatchType.EXACT, "1"),)), rule()),
        "matches by HTTP method or query parameter are",
    ),
    (
        Entry(Match(headers=(ValueMatch("x-bin", MatchType.EXACT, "1"),)), rule()),
        "matches by binary headers are",
    ),
]


@pytest.mark.parametrize(("entry", "beginning"), RULES)
def test_a_rule_is_named_with_what_of_it_is_not_done(entry: Entry, beginning: str) -> None:
    """One sentence each for gRPC; none for Envoy, which does all of it."""
    (sentence,) = sources(GO, NOTHING, entry)
    assert sentence.startswith(f"HTTPRoute shop/r rule 0: {beginning}")
    assert sources(ENVOY, NOTHING, entry) == []


@pytest.mark.parametrize(
    "match",
    [Match(MatchType.REGEX, "/a.*"), Match(headers=(ValueMatch("x", MatchType.REGEX, "a|b"),))],
    ids=["path", "header"],
)
def test_a_regular_expression_is_more_than_grpc_js_can_bear_for_long(match: Match) -> None:
    """It does match by it, until its process ends."""
    (sentence,) = sources(NODE, NOTHING, Entry(match, rule()))
    assert sentence.startswith("HTTPRoute shop/r rule 0: grpc-js 1.14 compiles the regular expression anew")
    assert [sources(name, NOTHING, Entry(match, rule())) for name in CLIENTS if name != NODE] == [[]] * 4


def test_what_is_honoured_of_a_rule_is_not_mentioned() -> None:
    """A POST is what every gRPC call is."""
    entry = Entry(Match(method="POST", headers=(ValueMatch("x", MatchType.EXACT, "1"),)), rule())
    assert [sources(name, NOTHING, entry) for name in CLIENTS] == [[]] * 5


def test_a_filter_that_no_client_supports_fails_for_all() -> None:
    """Envoy, too: such requests must not be passed on without it."""
    entry = Entry(Match(), rule(not_done=("ExternalAuth",)))
    for name in CLIENTS:
        assert sources(name, NOTHING, entry) == [
            "HTTPRoute shop/r rule 0: filter ExternalAuth is supported by no client: calls fail with UNAVAILABLE"
        ]


def test_with_a_route_the_backends_count_and_not_the_ports_own_endpoints() -> None:
    """Each backend is named once, however many rules lead to it."""
    entries = [Entry(Match(path="/a/"), rule()), Entry(Match(), rule("HTTPRoute shop/r rule 1"))]
    slow = balancing(Algorithm.LEAST_REQUEST)
    (sentence,) = sources(CORE, balancing(Algorithm.RANDOM), *entries, other=slow)
    assert sentence.startswith("backend shop/v1:50051: least_request (gRFC A48) is not supported by C-core")


def test_an_external_name_has_nothing_to_balance() -> None:
    """Its one endpoint is the answer of DNS; a client without support has a limitation."""
    assert sources(CORE, balancing(Algorithm.LEAST_REQUEST), external="example.org") == []
    (sentence,) = sources("grpc-go/1.50", external="example.org")
    assert sentence.startswith("type ExternalName (gRFC A37) is not supported by grpc-go 1.50: it refuses")


def test_very_old_clients_take_no_route() -> None:
    """gRFC A28."""
    (sentence,) = sources("grpc-go/1.30", NOTHING, Entry(Match(), rule()))
    assert sentence.startswith("routes (gRFC A28) are not supported by grpc-go 1.30")


def test_an_expression_may_be_too_large_for_envoy_alone() -> None:
    """It takes 100 instructions of RE2, others have no such limit."""
    entry = Entry(Match(headers=(ValueMatch("x", MatchType.REGEX, "[a-z0-9-]{1,36}"),)), rule())
    (sentence,) = sources("envoy/1.40", NOTHING, entry)
    assert sentence == (
        "HTTPRoute shop/r rule 0: a regular expression is too large for Envoy 1.40 with "
        "re2.max_program_size.error_level 100: requests that may match fail with 500; raise it in the bootstrap, as "
        "`steerway bootstrap --for envoy` does"
    )
    assert sources("grpc-go/1.80", NOTHING, entry) == []
