"""Where the requests of a port end: backends that are there, that are not, or that are not for everybody; and whose
policy counts."""

from dataclasses import replace
from typing import Any

import pytest

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.mesh import Port, Service
from steerway.catalog.model.policy import NOTHING, Algorithm, Balancing, Fault, Policy, Retry, Session
from steerway.catalog.model.route import Match, MatchType, Routing
from steerway.catalog.policy.traffic import of_object
from steerway.translate.destination import BLACKHOLE, Destination, Share, dependencies, resolve, spare
from tests.support.example.route_example import (
    BACKEND,
    Json,
    backend,
    grpc_route,
    http_route,
    policy,
    producer,
    rule,
)

PORT = 50051
RING = Balancing(Algorithm.RING_HASH)


def other(name: str, sources: Policy = NOTHING, namespace: str = "shop", **fields: Any) -> Service:
    """A Service with one port."""
    return Service(ServiceId(namespace, name), (Port(PORT, policy=sources),), **fields)


def port_of(*rules: Json, sources: Policy = NOTHING, consumers: Any = ()) -> Port:
    """The port of the Service `backend`, with the rules of one route."""
    table = producer(grpc_route(*rules)) if rules else None
    return Port(PORT, "grpc", policy=sources, routing=Routing(table, consumers))


def destinations(port: Port, *others: Service, namespace: str = "shop") -> list[Destination]:
    """Those for clients of a namespace."""
    results = {item.id: item for item in others}
    return resolve(Service(BACKEND, (port,)), port, namespace, results.get, "cluster.local")


def shares(*rules: Json, others: tuple[Service, ...] = (), namespace: str = "shop") -> list[tuple[str, int]]:
    """Clusters by the first labels of their names, and weights, of a single rule."""
    (result,) = destinations(port_of(*rules), *others, namespace=namespace)
    return [(share.cluster.removesuffix(".svc.cluster.local:50051"), share.weight) for share in result.shares]


def test_a_port_without_a_route_has_its_own_endpoints() -> None:
    """With its whole policy."""
    sources = Policy.from_object("x", retry=Retry(("internal",)), balancing=RING)
    cluster = "backend.shop.svc.cluster.local:50051"
    assert destinations(port_of(sources=sources)) == [
        Destination(Match(), (Share(cluster, 1, sources),), sources)
    ]


def test_a_route_that_names_the_service_itself_ends_at_its_endpoints() -> None:
    """A backend is a Service's endpoints and not its routes: there is no loop."""
    itself = Service(BACKEND, (port_of(rule("backend")),))
    assert shares(rule("backend"), others=(itself,)) == [("backend.shop", 1)]


def test_requests_are_shared_by_weight() -> None:
    """Weights stay as they are; one of 0 is not named at all, since a client waits for every name."""
    rules = rule(backend("a", 70), backend("b", 30), backend("c", 0))
    assert shares(rules, others=(other("a"), other("b"), other("c"))) == [("a.shop", 70), ("b.shop", 30)]


def test_a_backend_with_a_weight_of_0_is_one_to_come() -> None:
    """If it is exported to these clients: one without a resource must not be named."""
    port = port_of(rule(backend("a", 1), backend("b", 0), backend("absent", 0)))
    known = {service.id: service for service in (other("a"), other("b"))}
    results = [spare(port, "shop", get, "cluster.local") for get in (known.get, {}.get)]
    assert results == [["b.shop.svc.cluster.local:50051"], []]


@pytest.mark.parametrize(
    "others",
    [
        (),
        (other("a", namespace="pay"),),
        (Service(ServiceId("shop", "a"), (Port(80),)),),
        (other("a", exported_to=frozenset()),),
    ],
    ids=["none", "elsewhere", "no such port", "own namespace only"],
)
def test_the_share_of_a_missing_backend_fails(others: tuple[Service, ...]) -> None:
    """And that of the others does not; here clients are of another namespace."""
    rules = rule(backend("a", 1, namespace="shop"), backend("b", 3))
    result = shares(rules, others=(*others, other("b")), namespace="web")
    assert result == [(BLACKHOLE, 1), ("b.shop", 3)]


@pytest.mark.parametrize(
    ("fields", "namespace", "metadata"),
    [
        ({}, "web", True),
        ({"private": True}, "web", False),
        ({"private": True}, "shop", True),
        ({"exported_to": frozenset({"pay"})}, "web", False),
        ({"exported_to": frozenset({"pay"})}, "pay", True),
        ({"exported_to": frozenset()}, "shop", True),
        ({"exported_to": frozenset({"pay"}), "private": True}, "pay", False),
    ],
)
def test_a_backend_is_for_clients_that_may_see_it(
    fields: dict[str, Any], namespace: str, metadata: bool
) -> None:
    """A route does not publish what its Service keeps to itself."""
    result = shares(rule("a"), others=(other("a", **fields),), namespace=namespace)
    assert result == [("a.shop" if metadata else BLACKHOLE, 1)]


@pytest.mark.parametrize(
    "broken",
    [
        rule(),
        rule(backend("a", 0)),
        rule(backend("a", port=None)),
        rule(backend("a", kind="Bucket")),
        rule("a", filters=[{"type": "ExtensionRef"}]),
        {},
    ],
    ids=["no backend", "no weight", "no port", "no Service", "unknown filter", "nothing"],
)
def test_a_rule_without_a_usable_backend_fails_everything(broken: Json) -> None:
    """GRPCRouteRule.backendRefs: "*all* traffic which matches this rule MUST receive an `UNAVAILABLE` status"."""
    assert shares(broken, others=(other("a"),)) == [(BLACKHOLE, 1)]


def test_an_external_name_is_a_backend_on_any_port() -> None:
    """It stands for a host that listens where it wants."""
    external = Service(ServiceId("shop", "a"), (), external_name="example.org")
    assert shares(rule("a"), others=(external,)) == [("a.shop", 1)]


def test_clients_of_a_consumers_namespace_have_its_rules() -> None:
    """And no other: the others keep the producer's."""
    port = port_of(rule("a"), consumers=(("pay", producer(grpc_route(rule("b")))),))
    both = (other("a"), other("b"))
    assert [destinations(port, *both, namespace=n)[0].shares[0].cluster[0] for n in ("pay", "web")] == [
        "b",
        "a",
    ]
    assert {str(id) for id in dependencies(port)} == {"shop/a", "shop/b"}


def test_destinations_are_in_the_order_of_the_rules() -> None:
    """With the rule that each is of."""
    exact = rule("b", matches=[{"method": {"service": "p.S", "method": "M"}}])
    result = destinations(port_of(rule("a"), exact), other("a"), other("b"))
    assert [destination.match.match_type for destination in result] == [MatchType.EXACT, MatchType.PREFIX]
    assert [destination.rule.where for destination in result if destination.rule] == [
        "GRPCRoute shop/route rule 1",
        "GRPCRoute shop/route rule 0",
    ]


def test_a_mirror_that_is_not_there_is_left_out() -> None:
    """Or that has no share: it must not hold up the requests themselves."""
    mirrors = [("m", 50), ("none", 50), ("n", 0)]
    filters = [
        {"type": "RequestMirror", "requestMirror": {"backendRef": backend(name), "percent": percent}}
        for name, percent in mirrors
    ]
    port = port_of(rule("a", filters=filters))
    (result,) = destinations(port, other("a"), other("m"), other("n"))
    assert result.mirrors == (("m.shop.svc.cluster.local:50051", 0.5),)
    assert {str(id) for id in dependencies(port)} == {"shop/a", "shop/m", "shop/n", "shop/none"}


class TestPolicy:
    """Of calls: the rule's own, then policies on the route, on the parent, on the backends if they agree."""

    @pytest.mark.parametrize(
        ("own", "on_rule", "on_parent", "on_backend", "wanted"),
        [
            ("1s", "2s", "3s", "4s", 1.0),
            (None, "2s", "3s", "4s", 2.0),
            (None, None, "3s", "4s", 3.0),
            (None, None, None, "4s", 4.0),
            (None, None, None, None, None),
            ("0s", "2s", None, None, 0.0),
        ],
    )
    def test_the_nearest_word_counts(
        self,
        own: str | None,
        on_rule: str | None,
        on_parent: str | None,
        on_backend: str | None,
        wanted: float,
    ) -> None:
        """A timeout of 0, which is none, is a word, too."""

        def sources(time: str | None) -> Policy:
            return NOTHING if time is None else of_object(policy(timeout={"request": time}))

        fields = {} if own is None else {"timeouts": {"request": own}}
        route = http_route(rule("a", **fields))
        ((match, built),) = producer(route)
        built = replace(built, policy=built.policy.merged_over(sources(on_rule)))
        port = Port(PORT, policy=sources(on_parent), routing=Routing(((match, built),)))
        (result,) = destinations(port, other("a", sources(on_backend)))
        assert result.policy.timeout_seconds == wanted

    def test_sections_count_one_by_one(self) -> None:
        """The parent's timeout beside the backend's retries."""
        retry, session = Retry(("internal",)), Session("s")
        port = port_of(rule("a"), sources=Policy.from_object("parent", timeout_seconds=1.0, session=session))
        (result,) = destinations(
            port, other("a", Policy.from_object("backend", retry=retry, timeout_seconds=5.0))
        )
        assert (result.policy.timeout_seconds, result.policy.retry, result.policy.session) == (
            1.0,
            retry,
            session,
        )
        assert dict(result.policy.sources) == {
            "timeout_seconds": "parent",
            "session": "parent",
            "retry": "backend",
        }

    def test_what_is_about_endpoints_is_the_backends_alone(self) -> None:
        """The parent's endpoints are not used, so neither is its balancing."""
        port = port_of(rule("a"), sources=Policy.from_object("parent", balancing=RING, maximum_requests=1))
        sources = Policy.from_object("backend", maximum_requests=9)
        (result,) = destinations(port, other("a", sources))
        assert result.policy == NOTHING
        assert result.shares[0].policy == sources

    def test_backends_count_where_they_agree(self) -> None:
        """The backend of a call is unknown beforehand."""
        fault = Fault(abort_code=14, abort_share=1.0)
        obj = Policy.from_object("a", timeout_seconds=1.0, fault=fault, retry=Retry(("internal",)))
        two = Policy.from_object("b", timeout_seconds=2.0, fault=fault)
        (result,) = destinations(port_of(rule("a", "b")), other("a", obj), other("b", two))
        assert (result.policy.timeout_seconds, result.policy.retry, result.policy.fault) == (
            None,
            None,
            fault,
        )
        assert dict(result.policy.sources) == {"fault": "a"}

    def test_a_backend_that_is_not_there_has_no_opinion(self) -> None:
        """Nor has one without a share: the policy of the others holds before it comes as it does after."""
        sources = Policy.from_object("a", timeout_seconds=1.0)
        ruled = rule("a", "missing", backend("b", 0))
        (result,) = destinations(port_of(ruled), other("a", sources), other("b"))
        assert result.policy == sources
        (absent,) = destinations(port_of(rule("missing")))
        assert absent.policy == NOTHING


TLS = Service(ServiceId("shop", "tls"), (Port(PORT, "grpc", "https"),))


@pytest.mark.parametrize(
    ("envoy", "cluster"), [(True, BLACKHOLE), (False, "tls.shop.svc.cluster.local:50051")]
)
def test_requests_to_a_port_that_clients_do_not_connect_to_fail(envoy: bool, cluster: str) -> None:
    """Those of a route, and those of the port's own name; there is no copy of a request either."""
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": backend("tls")}}
    port = port_of(rule(backend("tls", 3), backend("a", 1), filters=[mirror]))
    results = {item.id: item for item in (TLS, other("a"))}
    (routed,) = resolve(Service(BACKEND, (port,)), port, "shop", results.get, "cluster.local", envoy)
    assert [(share.cluster, share.weight) for share in routed.shares] == [
        (cluster, 3),
        ("a.shop.svc.cluster.local:50051", 1),
    ]
    assert bool(routed.mirrors) is not envoy
    (own,) = resolve(TLS, TLS.ports[0], "shop", results.get, "cluster.local", envoy)
    assert own.shares[0].cluster == cluster
