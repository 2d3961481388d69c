"""`endpoints` and `describe`: one object with what all replicas have of it."""

import json
from typing import Any

import pytest

from tests.support.admin_replica import AdminReplica, Document
from tests.unit.cli.view.conftest import Ask, change, listed, node, service

ENDPOINTS = "/api/v1/endpoints"


def endpoint(address: str, **fields: Any) -> Document:
    return {
        "address": address,
        "port": 50051,
        "zone": "eu-1a",
        "region": "eu",
        "node": "host-1",
        "pod": "backend-1",
        "state": "healthy",
        "priority": 0,
        "weight": 1,
        "locality_weight": 2,
        "share": 0.5,
        **fields,
    }


def target(*endpoints: Document, **fields: Any) -> Document:
    left_out = [{"address": "10.0.0.9", "zone": "eu-1b", "pod": "backend-9", "reason": "not ready"}]
    return {
        "target": "backend.shop",
        "service": "shop/backend",
        "port": 50051,
        "name": "backend.shop.svc.cluster.local:50051",
        "clusters": [
            {
                "name": "backend.shop.svc.cluster.local:50051",
                "weight": None,
                "endpoints": list(endpoints),
                "left_out": left_out,
            }
        ],
        "limitations": [],
        "error": None,
        **fields,
    }


def test_endpoints_are_listed_with_those_left_out(ask: Ask, pair: list[AdminReplica]) -> None:
    for replica in pair:
        replica.documents[ENDPOINTS] = {"targets": [target(endpoint("10.0.0.1"), endpoint("fd00::2"))]}
    code, out, err = ask("endpoints", "backend.shop", "--zone", "eu-1a")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["✓", "backend.shop", "is", "port", "50051", "of", "Service", "shop/backend"],
        ["ADDRESS", "STATE", "ZONE", "POD", "PRIORITY", "WEIGHT", "SHARE", "REASON"],
        ["10.0.0.1:50051", "healthy", "eu-1a", "backend-1", "0", "1", "50%"],
        ["[fd00::2]:50051", "healthy", "eu-1a", "backend-1", "0", "1", "50%"],
        ["10.0.0.9", "left", "out", "eu-1b", "backend-9", "<none>", "<none>", "<none>", "not", "ready"],
    ]
    assert pair[0].requests == ["/api/v1/endpoints?target=backend.shop&zone=eu-1a"]
    assert ask("endpoints", "backend.shop", "-o", "name")[1] == "10.0.0.1:50051\n[fd00::2]:50051\n"


def test_several_targets_are_one_question(ask: Ask, pair: list[AdminReplica]) -> None:
    """One without endpoints, and one that does not exist, fail the command."""
    broken = target(error="service shop/x not found", clusters=[])
    for replica in pair:
        replica.documents[ENDPOINTS] = {"targets": [target(endpoint("10.0.0.1")), target(), broken]}
    code, out, _ = ask("endpoints", "a.shop", "b.shop", "x.shop", "--from", "checkout-1")
    assert code == 1
    assert pair[0].requests[0] == (
        "/api/v1/endpoints?target=a.shop&target=b.shop&target=x.shop&node=checkout-1"
    )
    assert (
        "✗ backend.shop is port 50051 of Service shop/backend: no endpoint for this client, calls fail" in out
    )
    assert "✗ backend.shop: service shop/x not found" in out
    assert ask("endpoints", "a.shop", "--from", "x", "--zone", "y")[0] == 2


def test_a_target_that_does_not_exist_has_similar_names(ask: Ask, pair: list[AdminReplica]) -> None:
    for replica in pair:
        broken = target(target="bakend.shop", error="service shop/bakend not found", clusters=[])
        replica.documents[ENDPOINTS] = {"targets": [broken]}
        replica.documents["/api/v1/services"] = listed(service(), service("web"))
    code, out, _ = ask("endpoints", "bakend.shop")
    assert (code, out.splitlines()) == (
        1,
        ["✗ bakend.shop: service shop/bakend not found", "    → there is shop/backend"],
    )


def test_replicas_that_differ_are_a_warning(ask: Ask, pair: list[AdminReplica]) -> None:
    """One that has only the client's node answers for it."""
    pair[0].documents[ENDPOINTS] = {"targets": [target(endpoint("10.0.0.1"))]}
    pair[1].documents[ENDPOINTS] = {"targets": [target(endpoint("10.0.0.2"))]}
    code, _, err = ask("endpoints", "backend.shop")
    assert (code, err) == (
        0,
        "warning: replicas first and second differ in 2 endpoints: one of them is behind\n",
    )
    pair[0].documents[ENDPOINTS] = {"error": "no client is called x", "nearest": []}
    code, out, err = ask("endpoints", "backend.shop", "--from", "x")
    assert (code, err) == (0, "")
    assert "10.0.0.2:50051" in out


def details(**fields: Any) -> Document:
    """The document of one Service."""
    return {
        **service(),
        "port_details": [
            {
                "number": 50051,
                "name": "grpc",
                "protocol": "TCP",
                "endpoints": [endpoint("10.0.0.1")],
                "policy": {"zones": "mode Failover"},
                "left_out": [{"address": "10.0.0.9:50051", "reason": "not ready"}],
            }
        ],
        "routing": [
            {
                "object": "GRPCRoute shop/canary",
                "rules": [
                    {
                        "matches": ["method helloworld.Greeter/SayHello"],
                        "filters": ["changes headers"],
                        "backends": [{"service": "shop/backend", "port": 50051, "weight": 9, "share": 0.9}],
                    }
                ],
            }
        ],
        "subscribers": [
            {
                "workload": "shop/checkout",
                "streams": 2,
                "states": {"in_sync": 2},
                "since_seconds": 60.0,
                "names": ["backend.shop"],
            }
        ],
        "problem_details": [{"where": "Service shop/backend", "reason": "port 0", "hint": "use 1"}],
        "propagation": {
            "count": 4,
            "p50_seconds": 0.01,
            "p99_seconds": 0.2,
            "max_seconds": 0.3,
            "buckets": [[0.1, 3]],
        },
        "load": [{"locality": "eu/eu-1a", "issued": 5, "successful": 4, "errors": 1, "in_progress": 0}],
        "changes": [],
        **fields,
    }


def test_a_service_is_described(ask: Ask, pair: list[AdminReplica]) -> None:
    """With subscribers and load of both replicas."""
    pair[0].documents["/api/v1/services/shop/backend"] = details(changes=[change("1", "a")])
    pair[1].documents["/api/v1/services/shop/backend"] = details()
    code, out, err = ask("describe", "service", "backend.shop")
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for line in (
        "Service: shop/backend",
        "Streams: 6 (in sync)",
        "10.0.0.1:50051 healthy eu-1a host-1 backend-1",
        "- 10.0.0.9:50051 is left out: not ready",
        "zones: mode Failover",
        "rule 0: method helloworld.Greeter/SayHello → shop/backend:50051 90%",
        "changes headers",
        "shop/checkout 4 in sync 60s backend.shop",
        "first: 4 measured, p50 10ms, p99 200ms, longest 300ms",
        "eu/eu-1a 10 8 2 0",
        "✗ Service shop/backend: port 0",
    ):
        assert line in lines
    assert json.loads(ask("describe", "service/shop/backend", "-o", "json")[1])["clients"]["streams"] == 6


def test_an_unknown_service_is_reported_with_the_nearest(ask: Ask, pair: list[AdminReplica]) -> None:
    for replica in pair:
        answer = {"error": "service shop/backnd not found", "nearest": ["shop/backend"]}
        replica.documents["/api/v1/services/shop/backnd"] = answer
    code, out, err = ask("describe", "service", "shop/backnd")
    assert (code, out) == (1, "")
    assert err == "error: service shop/backnd not found\nnote: there is shop/backend\n"


def test_a_name_without_a_namespace_is_that_of_the_only_service(ask: Ask, pair: list[AdminReplica]) -> None:
    """In any namespace, at any replica. Several are listed; without any, similar names are."""
    pair[1].documents["/api/v1/services"] = listed(service(), service("backend-v2"))
    pair[1].documents["/api/v1/services/shop/backend"] = details()
    code, out, _ = ask("describe", "service", "backend", "-o", "json")
    assert (code, json.loads(out)["id"]) == (0, "shop/backend")
    code, _, err = ask("describe", "service", "backnd")
    assert code == 1
    assert "error: no Service is called backnd\nnote: there is shop/backend, shop/backend-v2\n" in err
    other = {**service(), "id": "pay/backend", "namespace": "pay"}
    pair[0].documents["/api/v1/services"] = listed(other)
    code, _, err = ask("describe", "service", "backend")
    assert code == 1
    assert "error: 2 Services are called backend: choose one of pay/backend, shop/backend\n" in err
    assert ask("describe", "service", "backend", "-n", "shop", "-o", "json")[0] == 0


@pytest.mark.parametrize("words", [["pod", "a"], ["service"], ["service", "a", "b"], ["client/"]])
def test_describe_needs_a_kind_and_a_name(ask: Ask, words: list[str]) -> None:
    code, _, err = ask("describe", *words)
    assert code == 2
    assert "write `service NAME`" in err


def test_a_client_is_described(ask: Ask, pair: list[AdminReplica]) -> None:
    """With its streams at both replicas, refusals, absent names and limitations."""
    resources = [
        {"name": "b", "version": "v3", "status": "acked", "error": None, "sent_age_seconds": 3.0},
        {"name": "c", "version": "v2", "status": "nacked", "error": "bad", "sent_age_seconds": None},
    ]
    stream = {
        "id": 7,
        "protocol": "sotw",
        "service": "envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
        "age_seconds": 90.0,
        "limitations": ["no fault injection"],
        "types": [{"type": "cds", "resources": resources, "absent": {"x": "no such Service"}}],
    }
    for replica in pair:
        replica.documents["/api/v1/clients"] = listed(node("checkout-1", nack="cds: bad"))
        replica.documents["/api/v1/clients/checkout-1"] = {**node("checkout-1"), "stream_details": [stream]}
    code, out, err = ask("describe", "client", "checkout-1")
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out.splitlines()]
    for line in (
        "✗ refused: cds: bad",
        "Stream 7 at first (StreamAggregatedResources, sotw), open 90s",
        "Stream 7 at second (StreamAggregatedResources, sotw), open 90s",
        "! no fault injection",
        "✓ cds b version v3 acked, sent 3s ago",
        "✗ cds c version v2 nacked: bad",
        "✗ cds x is absent: no such Service",
    ):
        assert line in lines
