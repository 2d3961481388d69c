"""A real Envoy as sidecar: names, routes and policies, as gRPC calls through it meet them."""

import itertools
from collections import Counter

import grpc
import pytest

from testbed.backend.health_backend import HealthBackend, health_backends
from testbed.envoy.envoy_mesh import AUTHORITY, EnvoyMesh, answered_by, eventually
from testbed.envoy.envoy_mesh import mesh as mesh
from testbed.manifest import (
    Endpoint,
    backend_ref,
    grpc_route,
    headers_of,
    http_route,
    method,
    rule,
    service,
    slices,
    traffic_policy,
)
from testbed.process.deadline import until

pytestmark = pytest.mark.needs("envoy")

_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def _behind(mesh: EnvoyMesh, *names: str) -> list[str]:
    """Publish Services with one backend each; returns their addresses."""
    addresses = mesh.backends.open(len(names))
    for name, address in zip(names, addresses, strict=True):
        mesh.files.publish([address], name)
    return addresses


@pytest.mark.parametrize("protocol", ["GRPC", "DELTA_GRPC"])
def test_services_are_reached_by_all_their_names_and_no_others(mesh: EnvoyMesh, protocol: str) -> None:
    """With the bootstrap of the guide. What comes later is there, too, and what goes is gone."""
    backend, other = mesh.backends.open(2)
    mesh.files.publish([backend])
    envoy = mesh.start(protocol=protocol)
    eventually(mesh.grpc().call, answered_by(backend), "a first answer")
    for host in ("backend", "backend.shop", "backend.shop.svc", "backend.shop.svc.cluster.local"):
        for authority in (host, f"{host}:50051"):
            assert mesh.grpc(authority).call().backend == backend, authority
    for authority in ("backend.shop:1", "backend.pay", "other.shop", "example.org"):
        assert mesh.grpc(authority).call().code is grpc.StatusCode.UNIMPLEMENTED, authority
    mesh.files.publish([other], "other")
    eventually(mesh.grpc("other.shop").call, answered_by(other), "an answer of the Service that came")
    (mesh.files.directory / "other.yaml").unlink()
    eventually(mesh.grpc("other.shop").call, lambda answer: not answer.ok, "the Service to be gone")
    until(
        lambda: envoy.stats("cluster_manager.active_clusters") == {"cluster_manager.active_clusters": 2},
        "its cluster to be gone",
    )
    assert envoy.stats("listener_manager.listener_(modified|create_failure|removed)") == {
        f"listener_manager.listener_{what}": 0 for what in ("create_failure", "modified", "removed")
    }


@pytest.mark.parametrize("protocol", ["GRPC", "DELTA_GRPC"])
def test_a_new_control_plane_takes_nothing_away(mesh: EnvoyMesh, protocol: str) -> None:
    """An Envoy that comes back is answered when all clusters are known, and never with fewer: no call fails."""
    (backend,) = _behind(mesh, "backend")
    envoy = mesh.start(protocol=protocol)
    channel = mesh.grpc()
    eventually(channel.call, answered_by(backend), "a first answer")
    mesh.plane.kill()
    mesh.plane.restart()

    def back() -> bool:
        assert channel.call().backend == backend
        parts = [part for stream in mesh.plane.streams("cds") for part in stream["types"]]
        return bool(parts) and all(part["version_acked"] for part in parts)

    until(back, "the Envoy to be back")
    assert channel.call().backend == backend
    assert envoy.stats("cluster_manager.cluster_removed") == {"cluster_manager.cluster_removed": 0}


def test_calls_go_by_method_and_headers(mesh: EnvoyMesh) -> None:
    """What matches nothing is not passed on."""
    gold, silver, exact = _behind(mesh, "gold", "silver", "exact")
    _behind(mesh, "backend")
    regex = {"headers": headers_of(regex=True, x_tier="si.*")}
    mesh.write(
        grpc_route(
            "r",
            "backend",
            rule("exact", matches=[method("steerway.test.Backend", "Exact")]),
            rule("gold", matches=[method("steerway.test.Backend", x_tier="gold")]),
            rule("silver", matches=[regex]),
        )
    )
    mesh.start()
    channel = mesh.grpc()
    eventually(lambda: channel.call(x_tier="gold"), answered_by(gold), "the route")
    assert channel.call("/steerway.test.Backend/Exact", x_tier="gold").backend == exact
    assert channel.call(x_tier="silver").backend == silver
    assert channel.call(x_tier="tin").code is grpc.StatusCode.UNIMPLEMENTED
    assert channel.call("/steerway.test.Other/Name", x_tier="gold").code is grpc.StatusCode.UNIMPLEMENTED


def test_calls_are_divided_by_weights_and_what_is_missing_fails(mesh: EnvoyMesh) -> None:
    """Of 600 calls shares of 3, 2 and 1 of 6. Each count is binomial with a deviation of at most 12.2: five of them
    are passed once in a million runs."""
    heavy, light = _behind(mesh, "heavy", "light")
    _behind(mesh, "backend")
    split = rule(backend_ref("heavy", 3), backend_ref("light", 2), backend_ref("missing", 1))
    mesh.write(grpc_route("r", "backend", split))
    mesh.start()
    channel = mesh.grpc()
    eventually(channel.call, answered_by(heavy, light), "the route")
    answers = channel.calls(600)
    counts = Counter(answer.backend for answer in answers)
    for name, expected in ((heavy, 300), (light, 200), ("", 100)):
        assert abs(counts[name] - expected) < 61, counts
    assert {answer.code for answer in answers if not answer.ok} == {_UNAVAILABLE}


def test_a_mirror_gets_a_copy_of_every_call(mesh: EnvoyMesh) -> None:
    """Its answers count for nothing."""
    backend, mirror = _behind(mesh, "backend", "mirror")
    copies = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "mirror", "port": 50051}}}
    mesh.write(grpc_route("r", "backend", rule("backend", filters=[copies])))
    mesh.start()
    channel = mesh.grpc()
    eventually(channel.call, answered_by(backend), "an answer")
    until(lambda: channel.call().ok and mesh.backends.calls(mirror), "the first copy")
    mesh.backends.calls(mirror)
    mesh.backends.calls(backend)
    assert {answer.backend for answer in channel.calls(20)} == {backend}
    copied: list[str] = []
    until(
        lambda: copied.extend(call.method for call in mesh.backends.calls(mirror)) or len(copied) >= 20,
        "20 copies",
    )


def test_a_call_ends_with_its_time_limit(mesh: EnvoyMesh) -> None:
    """DEADLINE_EXCEEDED comes through Envoy, long before the client's own deadline: from Envoy itself, or from the
    backend, which gets the limit as its deadline."""
    (backend,) = _behind(mesh, "backend")
    mesh.write(traffic_policy("limit", "backend", timeout={"request": "300ms"}))
    mesh.start()
    channel = mesh.grpc()
    eventually(channel.call, answered_by(backend), "an answer")
    mesh.backends.block(backend)
    answer = channel.call()
    assert answer.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert answer.metadata["server"] == "envoy", answer
    mesh.backends.release(backend)


def test_failed_calls_are_tried_again(mesh: EnvoyMesh) -> None:
    """As often as the policy allows, for the codes that it lists."""
    (backend,) = _behind(mesh, "backend")
    retry = {"codes": ["Unavailable"], "attempts": 2}
    mesh.write(traffic_policy("again", "backend", retry=retry))
    mesh.start()
    channel = mesh.grpc()
    eventually(channel.call, answered_by(backend), "an answer")

    def seen(code: grpc.StatusCode, failures: int) -> tuple[bool, int]:
        mesh.backends.calls(backend)
        mesh.backends.fail(backend, code, failures)
        answer = channel.call()
        mesh.backends.fail(backend, code, 0)
        return answer.ok, len(mesh.backends.calls(backend))

    assert seen(_UNAVAILABLE, 2) == (True, 3)
    assert seen(_UNAVAILABLE, 5) == (False, 3)
    assert seen(grpc.StatusCode.NOT_FOUND, 1) == (False, 1)


def test_a_fault_ends_its_share_of_calls(mesh: EnvoyMesh) -> None:
    """Of 400 calls 50 %: binomial with a deviation of 10. They end with the code, and never reach the backend."""
    (backend,) = _behind(mesh, "backend")
    mesh.write(traffic_policy("f", "backend", fault={"abort": {"code": "PermissionDenied", "percent": 50}}))
    mesh.start()
    channel = mesh.grpc()
    eventually(channel.call, answered_by(backend), "an answer")
    denied = grpc.StatusCode.PERMISSION_DENIED
    eventually(channel.call, lambda answer: answer.code is denied, "a fault")
    counts = Counter(answer.code for answer in channel.calls(400))
    assert counts.keys() == {grpc.StatusCode.OK, denied}
    assert abs(counts[denied] - 200) < 50, counts


def test_a_session_stays_with_its_endpoint(mesh: EnvoyMesh) -> None:
    """Also while the endpoint drains."""
    addresses = mesh.backends.open(4)
    mesh.files.publish(addresses)
    mesh.write(traffic_policy("stay", "backend", session={"cookie": {"name": "sid"}}))
    mesh.start()
    channel = mesh.grpc()
    first = eventually(channel.call, lambda answer: "set-cookie" in answer.metadata, "a cookie")
    cookie = first.metadata["set-cookie"].partition(";")[0]
    assert {answer.backend for answer in channel.calls(20, cookie=cookie)} == {first.backend}
    assert len({answer.backend for answer in channel.calls(20)}) == 4
    leaving = Endpoint(first.backend, ready=False, terminating=True)
    mesh.files.publish([*(address for address in addresses if address != first.backend), leaving])
    until(
        lambda: first.backend not in {answer.backend for answer in channel.calls(20)},
        "no new sessions for the endpoint that drains",
    )
    assert {answer.backend for answer in channel.calls(20, cookie=cookie)} == {first.backend}


def test_a_ring_keeps_what_is_alike_together(mesh: EnvoyMesh) -> None:
    """By a header; without it by a cookie, which Envoy sets where there is none."""
    addresses = mesh.backends.open(4)
    mesh.files.publish(addresses)
    keys = [{"header": "x-user"}, {"cookie": {"name": "user", "ttl": "1h"}}]
    mesh.write(
        traffic_policy("ring", "backend", balancing={"policy": "RingHash", "ringHash": {"hashOn": keys}})
    )
    mesh.start()
    channel = mesh.grpc()
    first = eventually(channel.call, lambda answer: "set-cookie" in answer.metadata, "a cookie")
    cookie = first.metadata["set-cookie"].partition(";")[0]
    assert {answer.backend for answer in channel.calls(20, cookie=cookie)} == {first.backend}
    chosen = [{answer.backend for answer in channel.calls(5, x_user=f"user-{n}")} for n in range(40)]
    assert all(len(backends) == 1 for backends in chosen)
    # 40 users, none of them with one of four endpoints: 4 * 0.75 ** 40 < 1 in 20,000, and the ring does not change.
    assert set().union(*chosen) == set(addresses)


@pytest.mark.parametrize(
    "balancing",
    [
        {"policy": "RoundRobin", "slowStart": {"window": "1s"}},
        {"policy": "LeastRequest", "leastRequest": {"choices": 3}, "slowStart": {"window": "1s"}},
        {"policy": "Random"},
        {"policy": "WeightedRoundRobin"},
        {"policy": "PickFirst"},
    ],
    ids=lambda balancing: balancing["policy"],
)
def test_every_way_of_balancing_uses_all_endpoints(mesh: EnvoyMesh, balancing: dict[str, object]) -> None:
    """At random one of four is missed by 100 calls once in 10 ** 12."""
    addresses = mesh.backends.open(4)
    mesh.files.publish(addresses)
    mesh.write(traffic_policy("b", "backend", balancing=balancing))
    mesh.start()
    channel = mesh.grpc()
    eventually(channel.call, answered_by(*addresses), "an answer")
    assert {answer.backend for answer in channel.calls(100)} == set(addresses)


def test_least_request_leaves_out_busy_endpoints(mesh: EnvoyMesh) -> None:
    """Ten choices of two endpoints are all the busy one for one call in 1,024: for four of 20 once in 10 ** 8 runs."""
    busy, idle = mesh.backends.open(2)
    mesh.files.publish([busy, idle])
    mesh.write(
        traffic_policy("b", "backend", balancing={"policy": "LeastRequest", "leastRequest": {"choices": 10}})
    )
    mesh.start()
    channel = mesh.grpc()
    eventually(channel.call, answered_by(busy, idle), "an answer")
    eventually(lambda: {a.backend for a in channel.calls(20)}, lambda seen: len(seen) == 2, "both endpoints")
    mesh.backends.block(busy)
    waiting = [channel.begin() for _ in range(8)]
    until(lambda: len(mesh.backends.calls(busy)) > 0, "calls that wait")
    counts = Counter(answer.backend for answer in mesh.grpc(deadline_seconds=3).calls(20))
    assert counts.keys() <= {idle, ""}
    assert counts[""] < 4
    mesh.backends.release(busy)
    assert all(call.result() for call in waiting)


@pytest.mark.parametrize(
    ("mode", "shares"), [("Failover", (200, 0)), ("Favor", (200, 0)), ("Disabled", (100, 100))]
)
def test_zones_follow_the_policy(mesh: EnvoyMesh, mode: str, shares: tuple[int, int]) -> None:
    """Of 200 calls those to the own zone and to others. Favor sends 1 of 1001 away: more than 5 of 200 once in 10 ** 7.
    Localities with equal weights are taken in turn."""
    local, remote = mesh.backends.open(2)
    mesh.files.publish([Endpoint(local, zone="eu-1a"), Endpoint(remote, zone="eu-1b")])
    mesh.write(traffic_policy("z", "backend", zones={"mode": mode}))
    mesh.start(zone="eu-1a")
    channel = mesh.grpc()
    eventually(channel.call, answered_by(local, remote), "an answer")
    counts = Counter(answer.backend for answer in channel.calls(200))
    for name, expected in zip((local, remote), shares, strict=True):
        assert abs(counts[name] - expected) <= 5, counts


def test_another_zone_takes_over_when_the_own_is_lost(mesh: EnvoyMesh) -> None:
    """Not before its last endpoint is gone: Envoy's own threshold would leave it sooner."""
    *local, remote = mesh.backends.open(4)

    def publish(*healthy: str) -> None:
        draining = [
            Endpoint(item, "eu-1a", ready=False, terminating=True) for item in local if item not in healthy
        ]
        ready = [Endpoint(item, "eu-1a") for item in healthy]
        mesh.files.publish([*ready, *draining, Endpoint(remote, "eu-1b")])

    publish(*local)
    mesh.write(traffic_policy("z", "backend", zones={"mode": "Failover"}))
    mesh.start(zone="eu-1a")
    channel = mesh.grpc()
    seen = lambda: {answer.backend for answer in channel.calls(30)}  # noqa: E731
    eventually(seen, lambda result: result == set(local), "the own zone")
    publish(local[0])
    eventually(seen, lambda result: result == {local[0]}, "the one that is left of the own zone")
    publish()
    eventually(seen, lambda result: result == {remote}, "the other zone")


def test_an_envoy_sees_a_subset(mesh: EnvoyMesh) -> None:
    """Two of six, and others in another Envoy."""
    addresses = mesh.backends.open(6)
    mesh.files.publish(addresses)
    mesh.write(traffic_policy("s", "backend", subset={"min": 2, "percent": 1}))
    mesh.start()
    channel = mesh.grpc()
    eventually(channel.call, answered_by(*addresses), "an answer")
    assert len({answer.backend for answer in channel.calls(30)}) == 2


def test_more_requests_than_the_limit_fail(mesh: EnvoyMesh) -> None:
    """Three are under way, and the others fail at once."""
    (backend,) = _behind(mesh, "backend")
    mesh.write(traffic_policy("l", "backend", limits={"maxRequests": 3}))
    mesh.start()
    channel = mesh.grpc()
    eventually(channel.call, answered_by(backend), "an answer")
    mesh.backends.block(backend)
    calls = [channel.begin() for _ in range(8)]
    until(lambda: sum(call.done() for call in calls) == 5, "five refusals")
    assert {call.code() for call in calls if call.done()} == {_UNAVAILABLE}
    mesh.backends.release(backend)
    assert [call.code() for call in calls].count(grpc.StatusCode.OK) == 3


def test_there_is_no_limit_by_default(mesh: EnvoyMesh) -> None:
    """1,500 calls are under way at the same time: Envoy's own limit is 1,024."""
    (backend,) = _behind(mesh, "backend")
    envoy = mesh.start()
    channel = mesh.grpc()
    eventually(channel.call, answered_by(backend), "an answer")
    mesh.backends.block(backend)
    calls = [channel.begin() for _ in range(1500)]
    name = "cluster.backend.shop.svc.cluster.local_50051.upstream_rq_active"
    until(
        lambda: envoy.stats("upstream_rq_active$").get(name) == 1500, lambda: str(envoy.stats("upstream_rq"))
    )
    mesh.backends.release(backend)
    assert {call.code() for call in calls} == {grpc.StatusCode.OK}


def test_an_outlier_is_left_out(mesh: EnvoyMesh) -> None:
    """One of three fails; after a look at them it gets no calls for a while."""
    addresses = mesh.backends.open(3)
    bad, *good = addresses
    mesh.files.publish(addresses)
    results = {"threshold": 50, "minimumHosts": 3, "requestVolume": 5}
    detection = {
        "interval": "500ms",
        "baseEjectionTime": "60s",
        "maxEjectionPercent": 50,
        "failurePercentage": results,
    }
    mesh.write(traffic_policy("o", "backend", outlierDetection=detection))
    envoy = mesh.start()
    channel = mesh.grpc()
    eventually(channel.call, answered_by(*addresses), "an answer")
    mesh.backends.fail(bad, _UNAVAILABLE, 10_000)

    def ejected() -> bool:
        channel.calls(30)
        return any(envoy.stats("outlier_detection.ejections_active$").values())

    until(ejected, "the bad one to be ejected")
    assert {answer.backend for answer in channel.calls(30)} == set(good)


def test_an_endpoint_that_reports_unhealthy_gets_no_calls(mesh: EnvoyMesh) -> None:
    """Until it reports healthy; the next zone takes over when all of the own zone report unhealthy."""
    check = {"service": "shop", "interval": "100ms", "unhealthyThreshold": 1, "healthyThreshold": 1}
    with health_backends("shop", 3) as (first, second, remote):
        endpoints = [Endpoint(item.address, "eu-1a") for item in (first, second)]
        mesh.files.publish([*endpoints, Endpoint(remote.address, "eu-1b")])
        mesh.write(traffic_policy("h", "backend", healthCheck=check, zones={"mode": "Failover"}))
        mesh.start(zone="eu-1a")
        channel = mesh.grpc()

        def settle(*expected: HealthBackend) -> None:
            wanted = {item.address for item in expected}
            eventually(
                lambda: {a.backend for a in channel.calls(30)}, lambda seen: seen == wanted, "the well ones"
            )

        settle(first, second)
        first.write_line(well=False)
        settle(second)
        second.write_line(well=False)
        settle(remote)
        first.write_line(well=True)
        settle(first)


def test_several_ports_and_an_external_name(mesh: EnvoyMesh) -> None:
    """Without a port the one that looks like gRPC is meant; an external name is asked of DNS."""
    first, second = mesh.backends.open(2)
    mesh.files.write(
        "backend.yaml",
        service("backend", {"web": 80, "grpc": 50051}),
        *slices("backend", [first], "web"),
        *slices("backend", [second], "grpc"),
    )
    port = int(first.rpartition(":")[2])
    mesh.files.write(
        "out.yaml", service("out", {"grpc": port}, type="ExternalName", externalName="localhost")
    )
    mesh.start()
    for authority, expected in ((AUTHORITY, second), ("backend.shop", second), ("backend.shop:80", first)):
        eventually(mesh.grpc(authority).call, answered_by(expected), authority)
    eventually(mesh.grpc("out.shop").call, answered_by(first), "the external name")


def test_only_clients_that_may_see_a_service_can_call_it(mesh: EnvoyMesh) -> None:
    """One that is exported to another namespace, and one that is private there, are not known here."""
    (backend,) = _behind(mesh, "backend")
    exported, private = (service(name, {"grpc": 50051}, namespace="pay") for name in ("ledger", "vault"))
    exported["metadata"]["annotations"] = {"steerway.io/export-to": "books"}
    private["metadata"]["annotations"] = {"steerway.io/private": "true"}
    shown = service("shown", {"grpc": 50051}, namespace="pay")
    slice_of = (slices(name, [backend], "grpc", namespace="pay") for name in ("ledger", "vault", "shown"))
    mesh.files.write("pay.yaml", exported, private, shown, *itertools.chain.from_iterable(slice_of))
    envoy = mesh.start()
    eventually(mesh.grpc("shown.pay").call, answered_by(backend), "the one that is shown")
    for name in ("ledger.pay", "vault.pay"):
        assert mesh.grpc(name).call().code is grpc.StatusCode.UNIMPLEMENTED
    names = {name.split(".")[1] for name in envoy.stats(r"^cluster\..*\.membership_total$")}
    assert {"backend", "shown"} <= names
    assert not names & {"ledger", "vault"}


def test_http_routes_are_for_grpc_calls_too(mesh: EnvoyMesh) -> None:
    """A gRPC call is an HTTP request."""
    _, other = _behind(mesh, "backend", "other")
    mesh.write(http_route("r", "backend", rule("other")))
    mesh.start()
    eventually(mesh.grpc().call, answered_by(other), "the route")
