"""Statuses over real HTTP against a fake API server: what is written, what stays unchanged, and the writing replica."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from steerway.report import holder as holders
from steerway.report import reporter as reporters
from steerway.report.reporter import Reporter, ReporterOptions
from steerway.report.status_entry import CONTROLLER, Subject, Unreadable
from steerway.report.status_writer import RESYNC_SECONDS, StatusQueue, StatusWriter, Subjects, subjects
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.objects.core import ObjectKey
from steerway.sources.store import Problem
from steerway.status.condition import ObjectStatus
from steerway.testing.fake_api_server import FakeApiServer
from testbed.process.deadline import PATIENCE_SECONDS
from tests.support.example.policy_example import policy
from tests.support.model.attached import EvaluatedMesh

POLICY = ObjectKey("TrafficPolicy", "shop", "example")
ROUTE = ObjectKey("GRPCRoute", "shop", "a")
GATEWAY_ENTRY = {"ancestorRef": {"name": "ingress"}, "controllerName": "example.com/gateway"}
PRESENT = policy({"subset": {"min": 3}})


def object_status(generation: int = 1) -> ObjectStatus:
    """Of the policy as it is in `PRESENT`, which targets a Service that is not there."""
    text = (
        "kind: TrafficPolicy\nmetadata: {name: example}\n"
        "spec: {targetRefs: [{group: '', kind: Service, name: backend}], subset: {min: 3}}\n"
    )
    return replace(EvaluatedMesh(text).object_status("TrafficPolicy", "example"), generation=generation)


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as running:
        running.put(PRESENT)
        yield running


@pytest.fixture
async def writer(server: FakeApiServer, tmp_path: Path) -> AsyncIterator[StatusWriter]:
    client = KubernetesClient(Access((server.write_kubeconfig(tmp_path / "writer"),)))
    yield StatusWriter(client, lambda _: True)
    await client.close()


def status(server: FakeApiServer) -> list[dict[str, Any]]:
    (result,) = server.objects("TrafficPolicy")
    entries: list[dict[str, Any]] = result.get("status", {}).get("ancestors", [])
    return entries


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - no event to wait for
            await asyncio.sleep(0.005)


async def test_a_status_is_written_once_beside_those_of_others(
    server: FakeApiServer, writer: StatusWriter
) -> None:
    """On the path of the status; what stands there already is not written again."""
    server.put(PRESENT | {"status": {"ancestors": [GATEWAY_ENTRY]}})
    for _ in range(2):
        assert await writer.write(object_status()) == 0
    other, own = status(server)
    assert (other, own["controllerName"]) == (GATEWAY_ENTRY, CONTROLLER)
    assert [condition["reason"] for condition in own["conditions"]] == ["TargetNotFound", "Invalid"]
    assert own["conditions"][0]["observedGeneration"] == 1
    patches = [request for request in server.requests if request.verb == "patch"]
    assert [patch.path.rpartition("/")[2] for patch in patches] == ["status"]


async def test_another_version_is_left_to_the_next_evaluation(
    server: FakeApiServer, writer: StatusWriter
) -> None:
    """A deleted object, or another one of that name, gets no status."""
    server.put(policy({"subset": {"min": 4}}))
    assert await writer.write(object_status(generation=1)) == 0
    assert await writer.write(replace(object_status(generation=2), created="2026-01-01T00:00:00Z")) == 0
    assert status(server) == []
    assert await writer.write(object_status(generation=2)) == 0
    assert status(server)[0]["conditions"][0]["observedGeneration"] == 2
    server.delete(*POLICY)
    assert await writer.write(object_status()) == 0
    assert server.count("patch") == 1


async def test_it_is_written_in_the_version_that_the_api_server_serves(
    server: FakeApiServer, writer: StatusWriter
) -> None:
    """One that serves HTTPRoute as v1beta1 alone."""
    group = "gateway.networking.k8s.io"
    spec = {"parentRefs": [{"group": "", "kind": "Service", "name": "backend"}]}
    metadata = {"name": "r", "namespace": "default"}
    server.missing.add(f"/apis/{group}/v1/httproutes")
    server.put({"apiVersion": f"{group}/v1beta1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec})
    text = "kind: HTTPRoute\nmetadata: {name: r}\nspec: {parentRefs: [{group: '', kind: Service, name: backend}]}\n"
    key = ObjectKey("HTTPRoute", "default", "r")
    evaluated = replace(EvaluatedMesh(text).object_status("HTTPRoute", "r"), key=key, generation=1)
    assert await writer.write(evaluated) == 0
    (stored,) = server.objects("HTTPRoute")
    assert [entry["controllerName"] for entry in stored["status"]["parents"]] == [CONTROLLER]


async def test_a_conflict_is_tried_again(server: FakeApiServer, writer: StatusWriter) -> None:
    """At once, with the present object; after repeated conflicts with a pause."""
    server.fail(409, verb="patch", times=2)
    assert await writer.write(object_status()) == 0
    assert len(status(server)) == 1
    assert (server.count("get"), server.count("patch")) == (3, 3)
    server.put(PRESENT)
    server.fail(409, verb="patch", times=3)
    assert 0 < await writer.write(object_status()) < 2


async def test_a_refusal_is_logged_once_with_its_hint(server: FakeApiServer, writer: StatusWriter) -> None:
    """And tried again after a while, since a Role may change."""
    server.fail(403, verb="patch", times=2)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            assert await writer.write(object_status()) >= 60
        assert await writer.write(object_status()) == 0
    (received,) = [log for log in logs if log["event"] == "status_not_written"]
    assert "resources: [trafficpolicies/status], verbs: [patch]" in received["hint"]


async def test_what_is_wrong_with_one_object_holds_up_no_other(
    server: FakeApiServer, writer: StatusWriter
) -> None:
    """After a permanent refusal or an invalid response there is no retry; after an error of the server there is."""
    server.fail(422, verb="patch")
    assert await writer.write(object_status()) == 0
    server.put(PRESENT | {"status": {"ancestors": ["nonsense"]}})
    assert await writer.write(object_status()) == 0
    server.put(PRESENT)
    server.fail(503, verb="get", times=4)
    pauses = [await writer.write(object_status()) for _ in range(4)]
    assert pauses[0] < pauses[3]
    assert all(pauses)


async def test_an_unusable_object_gets_the_reason(server: FakeApiServer, writer: StatusWriter) -> None:
    """As long as it is invalid: after a fix the status waits for the watch."""
    subject = Unreadable(POLICY, "minSize is greater than maxSize", "correct it")
    assert await writer.write(subject) == 0
    assert status(server) == []
    ring = {"policy": "RingHash", "ringHash": {"minSize": 9, "maxSize": 8}}
    server.put(policy({"balancing": ring}))
    assert await writer.write(subject) == 0
    (entry,) = status(server)
    accepted = entry["conditions"][0]
    assert (accepted["status"], accepted["reason"], accepted["observedGeneration"]) == ("False", "Invalid", 2)


def test_an_objects_own_problem_precedes_the_status_of_its_last_good_version() -> None:
    """Problems of other kinds are reported by Events."""
    good = object_status()
    problems = [Problem("x", "bad", "fix", POLICY), Problem("y", "z", "", ObjectKey("Service", "shop", "a"))]
    assert subjects({POLICY: good}, []) == {POLICY: good}
    assert subjects({POLICY: good}, problems) == {POLICY: Unreadable(POLICY, "bad", "fix")}


def drained(queue: StatusQueue, now: float) -> Iterable[Subject]:
    while (result := queue.next(now)) is not None:
        yield result


def test_a_reported_status_waits_for_a_change() -> None:
    """An object that is deleted and created again is reported again."""
    queue = StatusQueue()
    now = {POLICY: object_status()}
    for wanted in (1, 0):
        queue.look(now, 0)
        manifests = list(drained(queue, 0))
        assert len(manifests) == wanted
        for manifest in manifests:
            queue.done(manifest)
    queue.look({POLICY: object_status(2)}, 0)
    assert list(drained(queue, 0)) == [object_status(2)]
    queue.look({}, 0)
    queue.look(now, 0)
    assert list(drained(queue, 0)) == [object_status()]


def test_a_kind_that_fails_is_left_alone_and_what_failed_comes_last() -> None:
    """The others go on."""
    first, two = object_status(), replace(object_status(), key=POLICY._replace(name="two"))
    route = ObjectStatus(ROUTE, 1, "")
    results: Mapping[ObjectKey, Subject] = {item.key: item for item in (first, two, route)}
    queue = StatusQueue()
    queue.look(results, 0)
    assert queue.next(0) == first
    queue.failed(first, until=10)
    assert list(drained(queue, 9)) == [route]
    queue.done(route)
    queue.look(results, 10)
    assert list(drained(queue, 10)) == [two, first]


def test_what_changes_comes_before_what_was_there_at_the_start() -> None:
    """A new holder of the Lease reads thousands of objects first; changes do not wait for that."""
    old = {
        item.key: item
        for item in (object_status(), replace(object_status(), key=POLICY._replace(name="old")))
    }
    queue = StatusQueue()
    queue.look(old, 0)
    new = replace(object_status(), key=POLICY._replace(name="zz"))
    queue.look({**old, POLICY: object_status(2), new.key: new}, 1)
    first, second, *rest = drained(queue, 1)
    assert [first, second] == [object_status(2), new]
    assert rest == [old[POLICY._replace(name="old")]]


def test_everything_is_compared_again_after_a_time() -> None:
    """Somebody else may have written over it."""
    queue = StatusQueue()
    for now, wanted in ((0.0, 1), (RESYNC_SECONDS - 1, 0), (RESYNC_SECONDS, 1)):
        queue.look({POLICY: object_status()}, now)
        manifests = list(drained(queue, now))
        assert len(manifests) == wanted, now
        for manifest in manifests:
            queue.done(manifest)


@asynccontextmanager
async def reporting(server: FakeApiServer, folder: Path, received: Subjects) -> AsyncIterator[None]:
    kubeconfig = server.write_kubeconfig(folder / "reporter")
    reporter = Reporter(ReporterOptions(kubeconfig, None, "ops", "steerway"), None, received)
    running = asyncio.create_task(reporter.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_only_the_holder_of_the_lease_writes(
    server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next holder reads everything, and writes what differs."""
    monkeypatch.setattr(reporters, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(holders, "RETRY_SECONDS", 0.05)
    looks = 0

    def current() -> Mapping[ObjectKey, Subject]:
        nonlocal looks
        looks += 1
        return {POLICY: object_status()}

    lease: dict[str, Any] = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "steerway", "namespace": "ops"},
        "spec": {"holderIdentity": "another", "leaseDurationSeconds": 600},
    }
    server.put(lease)
    async with reporting(server, tmp_path, current):
        await until(lambda: server.count("get") >= 5)
        assert (looks, status(server)) == (0, [])
        server.put(lease | {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})
        await until(lambda: status(server))
        await until(lambda: looks >= 5)
    reads = [request for request in server.requests if "trafficpolicies" in request.path]
    assert [request.verb for request in reads] == ["get", "patch"], "nothing changed since"
    async with reporting(server, tmp_path, current):
        await until(lambda: len([1 for request in server.requests if "trafficpolicies" in request.path]) == 3)
