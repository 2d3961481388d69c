"""TrafficPolicies and kinds of the Gateway API: followed where they are installed, and no problem elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from steerway.sources.files import load
from steerway.sources.objects.core import Object, ObjectKey
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.testing.fake_api_server import FakeApiServer
from tests.support.example import authorization_policy_example, server_policy_example
from tests.support.example.policy_example import FULL, policy
from tests.unit.sources.kubernetes.running_informers import Running, service

Run = Callable[..., Running]

GATEWAY = "gateway.networking.k8s.io"
PLURALS = {
    *("grpcroutes", "httproutes", "referencegrants", "backendtlspolicies"),
    *("trafficpolicies", "serverpolicies", "authorizationpolicies"),
}
KEY = ObjectKey("TrafficPolicy", "shop", "example")


def route(kind: str, service: str = "shop.Backend") -> dict[str, Any]:
    match = {"method": {"type": "RegularExpression", "service": service}} if kind == "GRPCRoute" else {}
    return {
        "apiVersion": f"{GATEWAY}/v1",
        "kind": kind,
        "metadata": {
            "name": "r",
            "namespace": "shop",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "generation": 1,
        },
        "spec": {
            "parentRefs": [{"group": "", "kind": "Service", "name": "backend"}],
            "rules": [{"matches": [match], "backendRefs": [{"name": "backend", "port": 80}]}],
        },
    }


def manifests() -> list[dict[str, Any]]:
    """One object of each kind."""
    metadata = {"name": "r", "namespace": "shop", "generation": 1}
    grant = {
        "from": [{"group": GATEWAY, "kind": "GRPCRoute", "namespace": "web"}],
        "to": [{"group": "", "kind": "Service"}],
    }
    target = {"group": "", "kind": "Service", "name": "backend"}
    tls = {"targetRefs": [target], "validation": {"hostname": "backend.shop"}}
    ours = [
        policy(FULL),
        policy(server_policy_example.FULL, kind="ServerPolicy"),
        policy(authorization_policy_example.FULL, kind="AuthorizationPolicy"),
    ]
    for written in ours:
        written["metadata"]["generation"] = 1
    return [
        route("GRPCRoute"),
        route("HTTPRoute"),
        {"apiVersion": f"{GATEWAY}/v1beta1", "kind": "ReferenceGrant", "metadata": metadata, "spec": grant},
        {"apiVersion": f"{GATEWAY}/v1", "kind": "BackendTLSPolicy", "metadata": metadata, "spec": tls},
        *ours,
    ]


def by_key(running: Running) -> dict[ObjectKey, Object]:
    return {obj.key: obj for obj in running.store.objects()}


async def test_every_kind_is_followed_and_equals_the_same_manifest_in_files(
    server: FakeApiServer, run: Run, tmp_path: Path
) -> None:
    """Before the sync; each is watched afterwards."""
    server.put(*manifests())
    running = run(policies=True)
    await running.until(lambda: running.store.synced)
    (tmp_path / "x.yaml").write_text(yaml.safe_dump_all(manifests()))
    from_files = {obj.key: obj for obj in load([tmp_path / "x.yaml"], "default").objects}
    assert len(from_files) == len(PLURALS)
    assert by_key(running) == from_files
    await server.until(lambda: server.open_watches == len(PLURALS) + 2)
    server.put(policy({"subset": {}}))
    await running.until(lambda: running.store.get(KEY) != from_files[KEY])
    result = running.store.get(KEY)
    assert isinstance(result, TrafficPolicy)
    assert result.metadata.generation == 2
    assert running.store.problems() == []


async def test_they_are_not_listed_unless_configured(server: FakeApiServer, run: Run) -> None:
    """Remote clusters provide endpoints alone."""
    running = run()
    await running.until(lambda: running.store.synced)
    assert {request.path.rpartition("/")[2] for request in server.requests} == {"services", "endpointslices"}


async def test_a_kind_that_is_not_installed_is_no_problem_and_followed_later(
    server: FakeApiServer, run: Run
) -> None:
    """One log line reports it; it delays nothing, is retried, and is followed after its installation."""
    server.missing |= PLURALS
    server.put(service("a"), *manifests())
    with structlog.testing.capture_logs() as logs:
        running = run(policies=True)
        await running.until(lambda: running.store.synced)
        assert set(by_key(running)) == {ObjectKey("Service", "default", "a")}
        await server.until(lambda: sum(r.path.endswith("trafficpolicies") for r in server.requests) >= 4)
        assert running.store.problems() == []
        assert running.source.lost_since is None
        assert all(status.settled for status in running.source.status())
        kinds = [line["kind"] for line in logs if line["event"] == "kind_not_installed"]
        assert len(kinds) == len(set(kinds)) == len(PLURALS)
        assert not [line for line in logs if line["log_level"] != "info"]
    server.missing.clear()
    await running.until(lambda: len(by_key(running)) == len(PLURALS) + 1)
    await server.until(lambda: server.open_watches == len(PLURALS) + 2)


@pytest.mark.parametrize(
    ("plural", "kind", "first", "second"),
    [
        ("httproutes", "HTTPRoute", "v1", "v1beta1"),
        ("referencegrants", "ReferenceGrant", "v1beta1", "v1"),
        ("backendtlspolicies", "BackendTLSPolicy", "v1", "v1alpha3"),
    ],
)
async def test_the_version_that_the_api_server_serves_is_followed(
    server: FakeApiServer, run: Run, plural: str, kind: str, first: str, second: str
) -> None:
    """From the start, and when another version replaces it; no object is removed in between."""
    versions = {version: f"/apis/{GATEWAY}/{version}/{plural}" for version in (first, second)}
    key = ObjectKey(kind, "shop", "r")
    server.missing.add(versions[first])
    server.put(*manifests())
    running = run(policies=True)
    await running.until(lambda: running.store.synced)
    assert len(by_key(running)) == len(PLURALS)
    await server.until(lambda: server.open_watches == len(PLURALS) + 2)
    asked = [request.path for request in server.requests if request.path in versions.values()]
    assert asked == [versions[first], versions[second], versions[second]], "list, list, watch"
    batches, requests = len(running.batches), len(server.requests)
    server.missing = {versions[second]}
    server.drop_watches()
    await server.until(
        lambda: (
            server.open_watches == len(PLURALS) + 2
            and any(
                (request.path, request.verb) == (versions[first], "watch")
                for request in server.requests[requests:]
            )
        )
    )
    assert key in by_key(running)
    assert not any(key in keys for keys in running.batches[batches:])
    await running.problem()


async def test_objects_of_a_removed_kind_are_removed(server: FakeApiServer, run: Run) -> None:
    """Also when the watch ended before it reported their deletion."""
    server.put(*manifests())
    running = run(policies=True)
    await running.until(lambda: running.store.synced)
    await server.until(lambda: server.open_watches == len(PLURALS) + 2)
    server.missing.add("trafficpolicies")
    server.drop_watches()
    await running.until(lambda: running.store.get(KEY) is None)
    assert len(by_key(running)) == len(PLURALS) - 1
    await running.problem()


@pytest.mark.parametrize(
    ("plural", "group", "loss"),
    [
        ("grpcroutes", GATEWAY, "the routes of the Gateway API"),
        ("httproutes", GATEWAY, "the routes of the Gateway API"),
        ("referencegrants", GATEWAY, "which Services routes of other namespaces may refer to"),
        ("backendtlspolicies", GATEWAY, "the TLS policies of backends"),
        ("trafficpolicies", "steerway.io", "the traffic policies"),
        ("serverpolicies", "steerway.io", "the TLS of gRPC servers"),
        ("authorizationpolicies", "steerway.io", "which calls gRPC servers accept"),
    ],
)
async def test_a_forbidden_kind_is_a_problem_and_delays_nothing(
    server: FakeApiServer, run: Run, plural: str, group: str, loss: str
) -> None:
    """With what is lost, the missing rule, and the setting that disables the kind."""
    server.fail(403, plural=plural, times=1000)
    server.put(service("a"), *manifests())
    running = run(policies=True)
    await running.until(lambda: running.store.synced)
    assert len(by_key(running)) == len(PLURALS)
    rule = f"{{apiGroups: ['{group}'], resources: [{plural}], verbs: [get, list, watch]}}"
    await running.problem(plural, "403", loss, rule, "or set kubernetes.policies to false")


async def test_an_invalid_policy_and_an_invalid_expression_affect_only_themselves(
    server: FakeApiServer, run: Run
) -> None:
    """Their last good versions are kept: an API server limits an expression in its length only."""
    server.put(*manifests())
    running = run(policies=True)
    await running.until(lambda: running.store.synced)
    await server.until(lambda: server.open_watches == len(PLURALS) + 2)
    before = by_key(running)
    server.put(route("GRPCRoute", "(?=shop)"), policy({"fault": {}}), route("HTTPRoute") | {"spec": {}})
    await running.problem(
        "GRPCRoute shop/r", "invalid perl operator", "its last good version is still served"
    )
    await running.problem("TrafficPolicy shop/example", "give delay or abort at $.spec.fault")
    await running.until(
        lambda: (
            by_key(running)[ObjectKey("HTTPRoute", "shop", "r")]
            != before[ObjectKey("HTTPRoute", "shop", "r")]
        )
    )
    assert by_key(running)[KEY] == before[KEY]
    assert by_key(running)[ObjectKey("GRPCRoute", "shop", "r")] == before[ObjectKey("GRPCRoute", "shop", "r")]
