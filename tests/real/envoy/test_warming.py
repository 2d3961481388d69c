"""A real Envoy whose clusters change: they are warm at once and hold nothing else up, over SotW and over delta.

Over delta Envoy does not ask again for the endpoints of a cluster that came again. It uses a changed cluster, and
accepts clusters at all, only when they come or `initial_fetch_timeout` (15 s) ends the wait, which it counts.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from testbed.client.grpc_client import Answer
from testbed.envoy.envoy_mesh import AUTHORITY, EnvoyMesh, answered_by, eventually
from testbed.envoy.envoy_mesh import mesh as mesh
from testbed.envoy.envoy_proxy import Envoy
from testbed.manifest import Manifest, backend_ref, grpc_route, rule, traffic_policy
from testbed.process.deadline import until

pytestmark = pytest.mark.needs("envoy")

CHURN_SECONDS = 8.0
CHANGES_PER_SECOND = 20
_CLUSTER = "backend.shop.svc.cluster.local:50051"


def _limit(requests: int) -> Manifest:
    return traffic_policy("limit", "backend", limits={"maxRequests": requests})


def _limit_of(envoy: Envoy) -> int | None:
    """The limit of the cluster that requests go to."""
    cluster = envoy.active_clusters().get(_CLUSTER, {})
    thresholds = cluster.get("circuit_breakers", {}).get("thresholds", [{}])
    return thresholds[0].get("max_requests")


@pytest.mark.parametrize(
    ("protocol", "caches"), [("GRPC", True), ("DELTA_GRPC", True), ("DELTA_GRPC", False)]
)
def test_a_changed_cluster_is_warm_at_once_and_holds_up_no_other(
    mesh: EnvoyMesh, protocol: str, caches: bool
) -> None:
    """While the control plane runs and across a restart of it; also for an Envoy that keeps no endpoints of its own."""
    backend, other = mesh.backends.open(2)
    mesh.files.publish([backend])
    runtime = None if caches else {"envoy.restart_features.use_eds_cache_for_ads": False}
    envoy = mesh.start(protocol=protocol, runtime=runtime)
    channel = mesh.grpc()
    eventually(channel.call, answered_by(backend), "a first answer")
    mesh.write(_limit(100))
    mesh.files.publish([other], "other")
    eventually(mesh.grpc("other.shop").call, answered_by(other), "the Service that came meanwhile")
    until(lambda: _limit_of(envoy) == 100, "the changed cluster to be in use")
    assert channel.call().backend == backend
    mesh.plane.kill()
    mesh.write(_limit(101))
    mesh.plane.restart()
    until(lambda: _limit_of(envoy) == 101, "the cluster that changed meanwhile to be in use")
    assert channel.call().backend == backend
    envoy.assert_nothing_timed_out()


@pytest.mark.parametrize("protocol", ["GRPC", "DELTA_GRPC"])
def test_no_request_fails_while_everything_changes(mesh: EnvoyMesh, protocol: str) -> None:
    """Twenty changes a second of policies, endpoints, routes and Services, with requests to a sidecar and a gateway."""
    addresses = mesh.backends.open(3)
    _change(mesh, addresses, 0)
    envoys = [mesh.start(role, protocol, id=f"{role}-0") for role in ("sidecar", "gateway")]
    channels = [mesh.grpc(AUTHORITY, role) for role in ("sidecar", "gateway")]
    for channel in channels:
        eventually(channel.call, answered_by(*addresses), "a first answer")
    with _requests(channels[0].call) as first, _requests(channels[1].call) as second:
        for turn in _turns():
            _change(mesh, addresses, turn)
        mesh.write(_route(0), _limit(7))
        for envoy in envoys:
            until(lambda envoy=envoy: _limit_of(envoy) == 7, "the last change")  # type: ignore[misc]
    for answers in (first, second):
        assert [answer for answer in answers if not answer.ok] == []
        assert len(answers) > CHURN_SECONDS * CHANGES_PER_SECOND
    for envoy in envoys:
        envoy.assert_nothing_timed_out()


def _turns() -> Iterator[int]:
    """Numbers, at the rate of changes."""
    start = time.monotonic()
    for turn in range(1, int(CHURN_SECONDS * CHANGES_PER_SECOND)):
        yield turn
        threading.Event().wait(max(0.0, start + turn / CHANGES_PER_SECOND - time.monotonic()))


def _change(mesh: EnvoyMesh, addresses: list[str], turn: int) -> None:
    """One change; each kind of it in turn. What requests may go to is served all the time."""
    backend, spare, other = addresses
    kind = turn % 4
    if kind == 0:
        mesh.write(_route(turn // 4 % 2), _limit(1000 + turn))
    elif kind == 1:
        mesh.files.publish([backend] if turn // 4 % 2 else [backend, spare])
    elif kind == 2:
        mesh.files.publish([other], f"passing-{turn // 4 % 3}")
    elif turn > 8:
        (mesh.files.directory / f"passing-{(turn // 4 + 2) % 3}.yaml").unlink(missing_ok=True)
    if turn == 0:
        mesh.files.publish([backend])
        mesh.files.publish([other], "other")


def _route(moved: int) -> Manifest:
    """All calls to `backend` go to it, or to `other` as well."""
    return grpc_route("r", "backend", rule(backend_ref("backend"), backend_ref("other", weight=moved)))


@contextmanager
def _requests(call: Callable[[], Answer]) -> Iterator[list[Answer]]:
    """Call all the time until the context ends, one call after another; yields the answers."""
    answers: list[Answer] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            answers.append(call())

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join()
