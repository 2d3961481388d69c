"""The routes of a port and their clients, and the backends of a rule.

Quotations are of the Gateway API's reference, version 1.
"""

from typing import Any

import pytest

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.policy import NOTHING, Policy
from steerway.catalog.model.route import BackendPort
from steerway.catalog.routing import rule as routing
from steerway.catalog.routing.attachment import Route
from testbed.mesh import NAMESPACE
from tests.support.example.route_example import (
    BACKEND,
    NEW,
    OLD,
    Json,
    backend,
    grpc_route,
    http_route,
    method,
    names,
    parent,
    producer,
    routing_of,
    rule,
)

PORT = 50051


class TestAttachment:
    def test_a_port_of_a_parent_is_meant_by_number_or_name(self) -> None:
        """Without either all are."""
        by_number = grpc_route(rule("a"), parents=[parent(port=PORT)])
        by_name = grpc_route(rule("a"), parents=[parent(sectionName="grpc")])
        both = grpc_route(rule("a"), parents=[parent(port=80, sectionName="grpc")])
        everywhere = grpc_route(rule("a"))
        for route, attached in ((by_number, True), (by_name, True), (both, False), (everywhere, True)):
            assert (routing_of(route).producer is not None) is attached
        missed = [
            routing_of(item, port=80, name="http").producer is None
            for item in (by_number, by_name, everywhere)
        ]
        assert missed == [True, True, False]

    def test_one_of_several_parents_is_enough(self) -> None:
        """The others are other Services, or other ports."""
        route = grpc_route(rule("a"), parents=[parent("other"), parent(port=80), parent(port=PORT)])
        assert names(routing_of(route).producer) == ["a"]
        assert len(producer(grpc_route(rule("a"), parents=[parent(), parent(port=PORT)]))) == 1

    def test_a_consumer_route_stands_instead_of_the_producers(self) -> None:
        """GEP-1324: only for clients of its own namespace."""
        theirs = grpc_route(rule("theirs"), namespace="pay", parents=[parent(namespace=NAMESPACE)])
        result = routing_of(grpc_route(rule("ours", matches=[method("p.S")])), theirs)
        assert names(result.table(NAMESPACE)) == names(result.table("web")) == ["ours"]
        assert names(result.table("pay")) == ["theirs"]
        alone = routing_of(theirs)
        assert alone.table("web") is None
        assert [item.to for _, rule in alone.table("pay") or () for item in rule.backends] == [
            BackendPort(ServiceId("pay", "theirs"), PORT)
        ]

    def test_grpc_routes_come_before_http_routes(self) -> None:
        """GEP-1294: one kind of route applies to a port, of two GRPCRoute, however old; in each namespace by itself."""
        http = http_route(rule("http"), name="a", creationTimestamp=OLD)
        grpc = grpc_route(rule("grpc"), name="b", creationTimestamp=NEW)
        assert names(producer(http, grpc)) == ["grpc"]
        consumer = http_route(rule("http"), name="c", namespace="pay", parents=[parent(namespace=NAMESPACE)])
        assert names(routing_of(grpc, consumer).table("pay")) == ["http"]

    def test_grpc_routes_of_another_port_are_no_rivals(self) -> None:
        """Of HTTPRoutes on this one."""
        http = http_route(rule("http"), name="a")
        grpc = grpc_route(rule("grpc"), name="b", parents=[parent(port=80)])
        assert names(producer(http, grpc)) == ["http"]

    def test_hostnames_are_kept_and_match_nothing(self) -> None:
        """GEP-1294: in the mesh they are passed over; a gateway reads them."""
        result = routing_of(
            http_route(rule("a"), name="a", hostnames=["b.example", "a.example"]),
            http_route(rule("b"), name="b", hostnames=["a.example"]),
        )
        assert result.hostnames("x") == ["a.example", "b.example"]
        assert [rule.hostnames for _, rule in result.producer or ()] == [
            ("a.example", "b.example"),
            ("a.example",),
        ]
        assert len(result.producer or ()) == 2

    def test_no_route_is_not_a_route_without_rules(self) -> None:
        """Without a route a port has its own endpoints; with one that has no rules nothing is answered."""
        assert routing_of().producer is None
        assert routing_of(grpc_route()).producer == ()


def only(*backends: str | Json, http: bool = False, **fields: Any) -> Any:
    """The rule that one rule of a route becomes."""
    ((_, result),) = producer((http_route if http else grpc_route)(rule(*backends, **fields)))
    return result


class TestBackends:
    def test_a_backend_is_a_port_of_a_service_with_a_weight(self) -> None:
        """Of the route's namespace unless it has another; a weight of 0 is kept, without requests."""
        result = only(backend("a", 70), backend("b", 0, namespace="pay", port=80))
        assert [(str(item.to), item.weight) for item in result.backends] == [
            ("shop/a:50051", 70),
            ("pay/b:80", 0),
        ]

    @pytest.mark.parametrize(
        "ref",
        [
            backend("a", port=None),
            backend("a", kind="ServiceImport", group="multicluster.x-k8s.io"),
            backend("a", kind="Bucket"),
            backend("a", group="example.org"),
            backend("a", filters=[{"type": "ExtensionRef"}]),
        ],
        ids=["no port", "other kind", "other kind of the core", "other group", "unknown filter"],
    )
    def test_one_that_cannot_be_used_keeps_its_share(self, ref: Json) -> None:
        """GRPCRouteRule.backendRefs: "the proportion of requests that would otherwise have been routed to an invalid
        backend MUST receive an `UNAVAILABLE` status"."""
        result = only(ref, "b")
        assert [item.to is None for item in result.backends] == [True, False]
        assert [item.weight for item in result.backends] == [1, 1]

    def test_a_rule_without_backends_has_none(self) -> None:
        """Whether it is stated or not."""
        assert only().backends == ()
        ((_, result),) = producer(grpc_route({}))
        assert result.backends == ()

    def test_a_rule_is_named_by_its_name_or_its_index(self) -> None:
        """For people; a policy on a rule finds it by its name."""
        asked: list[str] = []

        def of_rule(_: Route, name: str) -> Policy:
            asked.append(name)
            return NOTHING

        route = grpc_route(rule("a"), rule("b", name="second"))
        table = routing.build(BACKEND, PORT, [route], of_rule).producer or ()
        assert [item.where for _, item in table] == [
            "GRPCRoute shop/route rule 0",
            "GRPCRoute shop/route rule second",
        ]
        assert asked == ["", "second"]
