"""Differences for services, resources, clients, limitations and problems."""

from typing import Any

import pytest

from steerway.diff.client import Name, Stream, connected
from steerway.translate.client import client as clients
from steerway.translate.client.audience import decode, of_client
from steerway.translate.xds import type_url
from tests.unit.diff.conftest import SHOP, Compare

SLICE = SHOP.split("---")[1]
ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: canary, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: backend}]
  rules: [{backendRefs: [{name: backend, port: 50051, weight: 90}, {name: v2, port: 50051, weight: 10}]}]
"""
POLICY = """
apiVersion: steerway.io/v1alpha1
kind: TrafficPolicy
metadata: {name: backend, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: backend}]
  balancing: {policy: LeastRequest}
"""
CANONICAL = "backend.shop.svc.cluster.local:50051"


def stream(node: str, *names: Name, client: str = "grpc-go/1.80", workload: str = "") -> Stream:
    library = clients.parse(client)
    return Stream(of_client(library, "shop"), library, names, node, workload)


def holder(node: str, client: str = "grpc-go/1.80", workload: str = "") -> Stream:
    """A client with all resources of backend."""
    types = (type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT)
    names = (Name(type_url.LISTENER, "backend.shop:50051"), *(Name(type, CANONICAL) for type in types))
    return stream(node, *names, client=client, workload=workload)


def rows(document: dict[str, Any], service: str) -> list[tuple[str, str, str | None]]:
    """(change, field, subject) of a service."""
    changes = next(row["changes"] for row in document["services"] if row["service"] == service)
    return [(row["change"], row["field"], row["subject"]) for row in changes]


def resources(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (row["change"], row["type_url"].rpartition(".")[2], row["name"].partition(".")[0])
        for row in document["resources"]
    }


def test_equal_manifests_make_no_difference(compare: Compare) -> None:
    """Without connected clients, too."""
    for streams in (None, [holder("a")]):
        document = compare(SHOP, streams=streams)
        assert not document["differences"]
        assert document["services"] == document["resources"] == []
        assert document["objects"] == {"added": [], "changed": [], "removed": []}


def test_another_endpoint_changes_one_assignment(compare: Compare) -> None:
    """And nothing of the listener, the route and the cluster."""
    document = compare(SLICE.replace("10.0.0.2", "10.0.0.3"), streams=[holder("a"), stream("b")])
    assert rows(document, "shop/backend") == [
        ("removed", "endpoint", "10.0.0.2:50051"),
        ("added", "endpoint", "10.0.0.3:50051"),
    ]
    assert resources(document) == {("changed", "ClusterLoadAssignment", "backend")}
    assert document["objects"]["changed"] == ["EndpointSlice shop/backend-1"]
    assert document["clients"] == {
        "streams": 1,
        "streams_total": 2,
        "workloads": 1,
        "workloads_total": 2,
    }


def test_a_route_names_its_backends_and_brings_their_resources(compare: Compare) -> None:
    """A backend without endpoints is marked, since its share of the calls fails."""
    document = compare(ROUTE, streams=[holder("a", workload="shop/web"), holder("b", workload="shop/web")])
    change = document["services"][0]["changes"][0]
    assert (change["field"], change["subject"]) == ("route", "GRPCRoute shop/canary rule 0, any path")
    assert change["after"] == "shop/backend:50051 90 %, shop/v2:50051 10 % (no endpoint)"
    assert resources(document) == {
        ("changed", "RouteConfiguration", "backend"),
        ("added", "Cluster", "v2"),
        ("added", "ClusterLoadAssignment", "v2"),
    }
    assert (document["services"][0]["streams"], document["services"][0]["workloads"]) == (2, 1)


def test_weights_are_compared_rule_by_rule(compare: Compare) -> None:
    document = compare(ROUTE.replace("90", "50").replace("10}", "50}"), live=f"{SHOP}---{ROUTE}")
    (change,) = document["services"][0]["changes"]
    assert change["change"] == "changed"
    assert change["before"].startswith("shop/backend:50051 90 %")
    assert change["after"].startswith("shop/backend:50051 50 %")


def test_a_policy_shows_its_section_its_source_and_libraries_without_it(compare: Compare) -> None:
    """Only libraries that are connected, and subscribed to the service, are listed."""
    old, other = holder("old", client="grpcio/1.50"), stream("c", client="grpc-java/1.20")
    document = compare(POLICY, streams=[holder("new", client="grpc-java/1.80"), old, other])
    (change,) = document["services"][0]["changes"]
    assert change["field"] == "policy balancing"
    assert change["after"] == "policy LeastRequest, choices 2 (by TrafficPolicy shop/backend)"
    (limitation,) = document["limitations"]
    assert (limitation["client"], limitation["streams"]) == (str(clients.parse("grpcio/1.50")), 1)
    assert (limitation["service"], limitation["change"]) == ("shop/backend", "added")


def test_a_deleted_service_is_absent_for_its_clients(compare: Compare) -> None:
    """The reason is that of the resource which clients are subscribed to."""
    document = compare(SHOP.split("---")[2], prune=True, streams=[holder("a")])
    assert [(row["service"], row["change"]) for row in document["services"]] == [("shop/backend", "removed")]
    listener = next(row for row in document["resources"] if row["type_url"] == type_url.LISTENER)
    assert (listener["change"], listener["reason"]) == ("removed", "service shop/backend not found")


def test_a_client_that_waits_for_a_service_gets_it(compare: Compare) -> None:
    """An absent name is a subscription, too."""
    waiting = stream("a", Name(type_url.LISTENER, "new.shop:50051"))
    new = SHOP.split("---")[2].replace("v2", "new")
    document = compare(new, streams=[waiting])
    assert document["clients"]["streams"] == 1
    assert ("added", "Listener", "new") in resources(document)


def test_problems_that_come_and_go(compare: Compare) -> None:
    """A route to a Service that does not exist, and its fix."""
    broken = ROUTE.replace("name: v2", "name: v3")
    document = compare(broken)
    assert [problem["where"] for problem in document["problems"]["new"]] == ["GRPCRoute shop/canary"]
    assert "v3" in document["problems"]["new"][0]["reason"]
    fixed = compare(ROUTE, live=f"{SHOP}---{broken}")
    assert [problem["where"] for problem in fixed["problems"]["gone"]] == ["GRPCRoute shop/canary"]
    assert fixed["problems"]["new"] == []


def test_a_wildcard_of_an_envoy_is_compared_as_a_whole(compare: Compare) -> None:
    """Its routes are those of all services."""
    envoy = Stream(
        decode("envoy/sidecar/shop"),
        clients.parse("envoy"),
        (Name(type_url.LISTENER, "*"), Name(type_url.CLUSTER, "*")),
        "envoy-1",
    )
    document = compare(SHOP.split("---")[2].replace("v2", "new"), streams=[envoy])
    assert ("added", "Cluster", "new") in resources(document)
    assert document["clients"]["streams"] == 1


def test_services_outside_the_scope_are_not_compared(compare: Compare) -> None:
    """The scope is that of the settings."""
    changed = SLICE.replace("10.0.0.2", "10.0.0.3")
    assert not compare(changed, upstream_services=("shop/v2",))["differences"]


def test_equal_input_gives_equal_output(compare: Compare) -> None:
    streams = [holder("a"), holder("b", client="grpcio/1.60"), holder("c", client="grpc-java/1.80")]
    assert compare(ROUTE, streams=streams) == compare(ROUTE, streams=streams[::-1])


@pytest.mark.parametrize("text", ["grpc-go/1.80", "grpcio/1.50", "envoy/1.30", "grpc-node"])
def test_streams_of_the_api_are_read(text: str) -> None:
    """The client is the one that the control plane saw, in its words."""
    client = clients.parse(text)
    row = {
        "node": "a",
        "client": str(client),
        "audience": "grpc/go/shop",
        "types": [
            {"type_url": type_url.LISTENER, "wildcard": False, "names": ["backend.shop:50051"]},
            {"type_url": type_url.CLUSTER, "wildcard": True, "names": []},
        ],
    }
    (read,) = connected([row], {"a": "shop/web"})
    assert (read.client, read.workload) == (client, "shop/web")
    assert read.names == (Name(type_url.LISTENER, "backend.shop:50051"), Name(type_url.CLUSTER, "*"))
