"""The Kubernetes source over real HTTP against a fake API server, with failures."""

import asyncio
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from steerway import telemetry
from steerway.errors import SourceError
from steerway.sources.files import load
from steerway.sources.kubernetes import (
    KubernetesOptions,
    KubernetesSource,
    informer,
)
from steerway.sources.kubernetes.watcher import PAGE_SIZE
from steerway.sources.objects.core import (
    PRIVATE_ANNOTATION,
    EndpointSlice,
    Namespace,
    Node,
    NodeAddress,
    NodeMeta,
    NodeStatus,
    ObjectKey,
    OwnerReference,
    Pod,
    PodIP,
    PodMeta,
    PodSpec,
    PodStatus,
    Topology,
)
from steerway.sources.store import ObjectStore
from steerway.testing.fake_api_server import FakeApiServer
from testbed.process.deadline import PATIENCE_SECONDS
from tests.unit.sources.kubernetes.running_informers import Running, service

Run = Callable[..., Running]


def key(name: str, namespace: str = "default") -> ObjectKey:
    return ObjectKey("Service", namespace, name)


def slice_(name: str, addresses: list[str]) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "big"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": [{"port": 50051}],
    }


KINDS = 11
"""Kinds that are followed with places and policies, in all namespaces."""


def relists(kind: str, reason: str) -> float:
    """Number of lists of a kind that were taken for a reason, from the metric."""
    labels = {"kind": kind, "reason": reason}
    return telemetry.REGISTRY.get_sample_value("steerway_informer_relists_total", labels) or 0


async def watching(server: FakeApiServer, running: Running) -> None:
    """Wait until both kinds are listed and watched."""
    await running.until(lambda: running.store.synced)
    await server.until(lambda: server.open_watches == 2)


async def test_all_pages_are_one_batch_and_sync_comes_after_every_kind(
    server: FakeApiServer, run: Run
) -> None:
    """Readers see neither a part of a list nor a store without a kind."""
    server.put(*(service(f"s{n}") for n in range(2 * PAGE_SIZE + 1)))
    server.put(slice_("e", ["10.0.0.1"]))
    running = run()
    await running.until(lambda: running.store.synced)
    assert sorted(len(keys) for keys in running.batches) == [0, 1, 2 * PAGE_SIZE + 1]
    assert running.batches[-1] == frozenset(), "the sync comes last"
    lists = [request for request in server.requests if request.path.endswith("/services")]
    assert [request.query.get("limit") for request in lists[:3]] == [str(PAGE_SIZE)] * 3


async def test_a_kind_that_cannot_be_listed_delays_the_sync(server: FakeApiServer, run: Run) -> None:
    """An incomplete store is not served."""
    server.put(service("a"))
    server.fail(503, verb="list", times=5)
    running = run()
    await running.until(lambda: running.store.get(key("a")) is not None)
    await running.until(lambda: running.store.synced)
    assert server.count("list") >= 7


async def test_changes_are_followed(server: FakeApiServer, run: Run) -> None:
    """Added, modified and deleted objects reach the store."""
    running = run()
    await watching(server, running)
    server.put(service("a", 1))
    await running.until(lambda: running.ports() == {"a": 1})
    server.put(service("a", 2), service("b", 3))
    await running.until(lambda: running.ports() == {"a": 2, "b": 3})
    server.delete("Service", "default", "a")
    await running.until(lambda: running.ports() == {"b": 3})
    assert server.count("list") == 2


async def test_a_dropped_watch_continues_from_its_version(server: FakeApiServer, run: Run) -> None:
    """Changes in between are replayed from the version of the last event or bookmark, without a list."""
    running = run()
    await watching(server, running)
    server.put(service("a", 1))
    await running.until(lambda: running.ports() == {"a": 1})
    server.bookmark()
    server.put(service("b", 2))
    await running.until(lambda: "b" in running.ports())
    server.drop_watches()
    server.delete("Service", "default", "a")
    await running.until(lambda: running.ports() == {"b": 2})
    assert server.count("list") == 2
    watches = [request for request in server.requests if request.verb == "watch"]
    assert all(request.query["allowWatchBookmarks"] == "true" for request in watches)
    assert {request.query["resourceVersion"] for request in watches[2:]} <= {"2", "3"}


@pytest.mark.parametrize("in_stream", [False, True])
async def test_objects_deleted_while_disconnected_are_removed_after_expiry(
    server: FakeApiServer, run: Run, in_stream: bool
) -> None:
    """410 as an answer and as an event: the next list reveals the missing objects."""
    server.put(service("a"), service("b"))
    running = run()
    await watching(server, running)
    before = relists("Service", "expired")
    await server.stop()
    server.delete("Service", "default", "a")
    server.put(service("c"))
    server.expire(in_stream=in_stream)
    assert set(running.ports()) == {"a", "b"}, "losing the server changes nothing"
    await server.start()
    await running.until(lambda: set(running.ports()) == {"b", "c"})
    assert running.batches[-1] == {key("a"), key("c")}, "in one batch"
    assert relists("Service", "expired") == before + 1


async def test_an_open_watch_that_expires_lists_again(server: FakeApiServer, run: Run) -> None:
    """A Status of 410 in the middle of a watch."""
    running = run()
    await watching(server, running)
    server.expire()
    server.end_watches(410)
    await server.until(lambda: server.count("list") == 4 and server.open_watches == 2)
    server.put(service("a"))
    await running.until(lambda: running.ports() == {"a": 80})


async def test_expired_pages_are_listed_again_as_one(server: FakeApiServer, run: Run) -> None:
    """The token of the second page has expired."""
    server.put(*(service(f"s{n}") for n in range(PAGE_SIZE + 1)))
    server.pause()
    running = run()
    await server.until(lambda: server.count("list") == 2)
    server.release()
    # Expire the token when the second page is requested, before the answer.
    await server.until(lambda: any("continue" in request.query for request in server.requests))
    server.expire()
    await running.until(lambda: running.store.synced)
    assert len(running.ports()) == PAGE_SIZE + 1


async def test_the_number_of_watches_has_no_limit(server: FakeApiServer, run: Run) -> None:
    """A known implementation stopped after eleven."""
    running = run()
    await watching(server, running)
    for turn in range(15):
        server.put(service("a", turn + 1))
        await running.until(lambda turn=turn: running.ports() == {"a": turn + 1})
        server.end_watches()
        await server.until(
            lambda turn=turn: server.count("watch") >= 2 * turn + 4 and server.open_watches == 2
        )
    assert server.count("list") == 2


async def test_an_invalid_object_in_the_list_is_skipped_and_reported(server: FakeApiServer, run: Run) -> None:
    """Other objects are served; a fix of the object clears the problem."""
    server.put(service("good"), service("bad", "eighty"))
    running = run()
    await watching(server, running)
    assert running.ports() == {"good": 80}
    await running.problem("Service default/bad", "expected a number, got a string at $.spec.ports[0].port")
    server.put(service("bad", 81))
    await running.until(lambda: running.ports() == {"good": 80, "bad": 81})
    assert running.store.problems() == []


async def test_an_invalid_object_in_the_watch_keeps_its_last_good_version(
    server: FakeApiServer, run: Run
) -> None:
    """The watch continues, also through a relist with the invalid object; its deletion removes object and problem."""
    server.put(service("a", 1))
    running = run()
    await watching(server, running)
    server.put(service("a", 0), service("b", 2))
    await running.until(lambda: running.ports() == {"a": 1, "b": 2})
    await running.problem(
        "Service default/a: port 0 is out of range", "its last good version is still served"
    )
    server.expire()
    server.end_watches(410)
    await server.until(lambda: server.count("list") == 4 and server.open_watches == 2)
    assert running.ports() == {"a": 1, "b": 2}
    server.delete("Service", "default", "a")
    await running.until(lambda: running.ports() == {"b": 2})
    assert running.store.problems() == []


async def test_a_list_with_a_nameless_object_deletes_nothing(server: FakeApiServer, run: Run) -> None:
    """The unreadable object may be any of the missing ones. The next valid list deletes missing objects."""
    server.put(service("a"), service("b"))
    running = run()
    await watching(server, running)

    async def relist() -> None:
        await server.until(lambda: server.open_watches == 2)
        lists = server.count("list")
        server.expire()
        server.end_watches(410)
        await server.until(lambda: server.count("list") == lists + 2 and server.open_watches == 2)

    server.put({"apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": {}})
    await server.stop()
    server.delete("Service", "default", "a")
    server.expire()
    await server.start()
    await running.problem("an object without a name")
    assert set(running.ports()) == {"a", "b"}
    await relist()
    assert set(running.ports()) == {"a", "b"}, "the object is still unreadable"
    server.delete("Service", "default", "")
    await relist()
    await running.until(lambda: set(running.ports()) == {"b"})
    assert running.store.problems() == []


@pytest.mark.parametrize("status", [403, 410, 429, 500, 503])
async def test_a_second_page_that_fails_loses_and_duplicates_nothing(
    server: FakeApiServer, run: Run, status: int
) -> None:
    """Nothing is published before the list is complete, and an object deleted meanwhile is not published."""
    server.put(*(service(f"s{n:04}") for n in range(PAGE_SIZE + 2)))
    server.pause()
    running = run()
    await server.until(lambda: server.count("list") == 2)
    server.fail(status, verb="list", plural="services")
    server.release()
    await running.until(lambda: running.store.synced)
    assert len(running.ports()) == PAGE_SIZE + 2
    assert sorted(map(len, running.batches)) == [0, PAGE_SIZE + 2]
    lists = [request.query for request in server.requests if request.path.endswith("/services")]
    pages = [query for query in lists if "watch" not in query]
    last = pages[-1]
    if status == 410:
        assert "limit" not in last and "continue" not in last, "taken again in one piece"
    else:
        assert last == pages[-2], "the same page again"


async def test_an_unreadable_line_causes_a_relist_and_loses_no_object(
    server: FakeApiServer, run: Run
) -> None:
    """It may have been a change."""
    server.put(service("a"))
    running = run()
    await watching(server, running)
    server.send(b'{"type": "ADDED", "object": {"metadata"\n')
    await server.until(lambda: server.count("list") == 4 and server.open_watches == 2)
    server.put(service("b"))
    await running.until(lambda: set(running.ports()) == {"a", "b"})


@pytest.mark.parametrize("chunk_bytes", [1, 7, 4096])
async def test_lines_may_be_long_and_split_anywhere(
    server: FakeApiServer, run: Run, chunk_bytes: int
) -> None:
    """One event of more than 64 KiB, in chunks of any size."""
    running = run()
    await watching(server, running)
    server.chunk_bytes = chunk_bytes
    big = service("big")
    big["metadata"]["annotations"] = {"padding": "x" * (200_000 if chunk_bytes > 100 else 2_000)}
    server.put(service("small"), big)
    await running.until(lambda: set(running.ports()) == {"small", "big"})


async def test_a_service_of_5000_endpoints_in_50_slices(server: FakeApiServer, run: Run) -> None:
    """Listed as one batch; a further endpoint changes one slice."""
    server.put(service("big"))
    server.put(*(slice_(f"big-{n}", [f"10.{n}.0.{i}" for i in range(1, 101)]) for n in range(50)))
    running = run()
    await watching(server, running)
    slices = [obj for obj in running.store.objects() if isinstance(obj, EndpointSlice)]
    assert sum(len(endpoint_slice.endpoints or []) for endpoint_slice in slices) == 5000
    assert 50 in [len(keys) for keys in running.batches]
    server.put(slice_("big-7", ["10.7.0.1"]))
    await running.until(lambda: running.batches[-1] == {ObjectKey("EndpointSlice", "default", "big-7")})


async def test_several_namespaces_are_several_informers(server: FakeApiServer, run: Run) -> None:
    """Only configured namespaces are listed, and the sync waits for all of them."""
    for namespace in ("one", "two", "three"):
        server.put(service("a", namespace=namespace))
    running = run(namespaces=("one", "two"))
    await running.until(lambda: running.store.synced)
    await server.until(lambda: server.open_watches == 4)
    assert {obj.key.namespace for obj in running.store.objects()} == {"one", "two"}
    assert all("/namespaces/" in request.path for request in server.requests)
    server.put(service("b", namespace="three"), service("b", namespace="two"))
    await running.until(lambda: running.store.get(key("b", "two")) is not None)
    assert running.store.get(key("b", "three")) is None


async def test_namespaces_are_followed_where_their_annotations_count(server: FakeApiServer, run: Run) -> None:
    """They are cluster-scoped: only if the whole cluster is watched, and before the sync."""
    annotated = {"name": "shop", "annotations": {PRIVATE_ANNOTATION: "true"}}
    server.put({"apiVersion": "v1", "kind": "Namespace", "metadata": annotated})
    running = run(namespace_words=True)
    await running.until(lambda: running.store.synced)
    result = running.store.get(ObjectKey("Namespace", "", "shop"))
    assert isinstance(result, Namespace)
    assert result.metadata.annotations == {PRIVATE_ANNOTATION: "true"}
    await server.until(lambda: server.open_watches == 3)
    server.delete("Namespace", "", "shop")
    await running.until(lambda: running.store.get(ObjectKey("Namespace", "", "shop")) is None)
    narrow = run(namespaces=("default",), namespace_words=True)
    await narrow.until(lambda: narrow.store.synced)
    assert sum(request.path == "/api/v1/namespaces" for request in server.requests) == 2


async def test_pods_and_nodes_give_the_locality_of_clients(server: FakeApiServer, run: Run) -> None:
    """Before the sync, for the first client, too."""
    meta = {"name": "web-1", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"}
    server.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta
            | {
                "labels": {"app": "web", "pod-template-hash": "6d4cf56db6"},
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": "ReplicaSet",
                        "name": "web-6d4cf56db6",
                        "uid": "9b1c",
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "spec": {"nodeName": "n1", "serviceAccountName": "web", "containers": [{"name": "c"}]},
            "status": {"phase": "Running", "podIP": "10.0.0.7", "podIPs": [{"ip": "10.0.0.7"}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "a", "other": "b"}},
            "status": {"addresses": [{"type": "InternalIP", "address": "192.168.0.1"}]},
        },
    )
    running = run(pods_and_nodes=True)
    await running.until(lambda: running.store.synced)
    assert running.store.get(ObjectKey("Pod", "shop", "web-1")) == Pod(
        PodMeta(
            "web-1",
            "shop",
            "2026-01-01T00:00:00Z",
            owner_references=[OwnerReference("ReplicaSet", "web-6d4cf56db6", True)],
            labels={"app": "web", "pod-template-hash": "6d4cf56db6"},
        ),
        PodSpec("n1", "web"),
        PodStatus("Running", [PodIP("10.0.0.7")]),
    )
    assert running.store.get(ObjectKey("Node", "", "n1")) == Node(
        NodeMeta("n1", Topology("a")), NodeStatus([NodeAddress("192.168.0.1")])
    )


@pytest.mark.parametrize("status", [403, 404])
async def test_without_pods_and_nodes_it_serves_and_reports_what_is_lost(
    server: FakeApiServer, run: Run, status: int
) -> None:
    server.fail(status, plural="nodes", times=1000)
    server.put(service("a"))
    running = run(pods_and_nodes=True)
    await running.until(lambda: running.store.synced)
    assert set(running.ports()) == {"a"}
    await running.problem("nodes", str(status), "the zone and region of clients", "client_locality")


async def test_pods_that_authenticate_are_followed_alone(server: FakeApiServer, run: Run) -> None:
    """Without Nodes, which are for localities. Without permission, the problem states what is lost."""
    running = run(pods_authenticate=True)
    await running.until(lambda: running.store.synced)
    assert {status.kind for status in running.source.status()} == {"Service", "EndpointSlice", "Pod"}
    server.fail(403, plural="pods", times=1000)
    await run(pods_authenticate=True).problem(
        "pods in all namespaces",
        "the pods whose addresses authenticate clients",
        "set authentication.pod_address to off",
    )


async def test_the_outage_of_a_kind_has_a_duration(server: FakeApiServer, run: Run) -> None:
    """Since the last answer about it; infinite until it was listed, whether the API server is away or refuses it."""
    now = 0.0
    server.fail(403, plural="pods", times=1)
    running = run(pods_authenticate=True, clock=lambda: now)
    assert running.source.outage_seconds("Pod") == math.inf, "it has not started"
    await running.until(lambda: running.store.synced)
    assert running.source.outage_seconds("Pod") == math.inf
    assert running.source.outage_seconds("Service") is None
    await running.problem()
    assert running.source.outage_seconds("Pod") is None
    await server.until(lambda: server.open_watches == 3)
    await server.stop()
    await running.problem("cannot watch ", "pods in all namespaces")
    now = 5.0
    assert running.source.outage_seconds("Pod") == running.source.outage_seconds("Pod", "shop") == 5.0
    await server.start()
    await running.problem()
    assert running.source.outage_seconds("Pod") is None


async def test_without_a_namespace_it_is_the_own_one(server: FakeApiServer, run: Run, tmp_path: Path) -> None:
    """The namespace of the kubeconfig's context here: what a namespaced Role allows."""
    server.put(service("a", namespace="own"), service("b", namespace="other"))
    running = run(server.write_kubeconfig(tmp_path / "k", namespace="own"), namespaces=())
    await running.until(lambda: running.store.synced)
    assert set(running.ports()) == {"a"}


async def test_a_missing_permission_is_a_problem_with_a_hint_until_it_is_granted(
    server: FakeApiServer, run: Run
) -> None:
    """It is retried without end, and the problem clears itself."""
    server.put(service("a"))
    server.fail(403, verb="list", times=20)
    running = run()
    await running.problem(
        "services in all namespaces",
        "403 Forbidden",
        "grant it: add {apiGroups: [''], resources: [services], verbs: [get, list, watch]}",
    )
    assert not running.store.synced
    await running.until(lambda: running.store.synced)
    await running.problem()


async def test_an_unreachable_server_is_a_problem_and_changes_nothing(
    server: FakeApiServer, run: Run
) -> None:
    """Objects are kept, staleness is visible, and changes are followed again afterwards."""
    server.put(service("a"))
    running = run()
    await watching(server, running)
    contact = telemetry.REGISTRY.get_sample_value(
        "steerway_informer_last_contact_timestamp_seconds", {"kind": "Service"}
    )
    assert contact is not None
    await server.stop()
    await running.problem(
        f"kubernetes API server {server.url}: cannot watch ", "connection refused", "no matter of permissions"
    )
    assert set(running.ports()) == {"a"}
    await server.start()
    await running.problem()
    server.put(service("b"))
    await running.until(lambda: set(running.ports()) == {"a", "b"})


async def test_an_outage_without_a_change_calls_no_listener(server: FakeApiServer, run: Run) -> None:
    """Nor does a relist: later stages do no work."""
    server.put(service("a"), slice_("e", ["10.0.0.1"]))
    running = run()
    await watching(server, running)
    before, lists = len(running.batches), server.count("list")
    await server.stop()
    await running.problem("cannot watch ", "connection refused")
    server.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "moves the version on"}})
    server.expire()
    await server.start()
    await server.until(lambda: server.count("list") == lists + 2 and server.open_watches == 2)
    await running.problem()
    assert len(running.batches) == before


async def test_a_watch_that_falls_silent_lists_again(server: FakeApiServer, run: Run) -> None:
    """A peer without a reset, behind a proxy that keeps the connection."""
    server.put(service("a"), service("gone"))
    running = run(silence_seconds=0.05)
    await watching(server, running)
    server.freeze_watches()
    server.delete("Service", "default", "gone")
    server.put(service("b"))
    await running.until(lambda: set(running.ports()) == {"a", "b"})
    assert running.store.problems() == []


async def test_a_watch_that_is_never_answered_lists_again(server: FakeApiServer, run: Run) -> None:
    """Not even with headers, as behind a proxy with a hanging upstream."""
    server.pause_watches()
    running = run(silence_seconds=0.05)
    await running.until(lambda: running.store.synced)
    server.put(service("a"))
    await running.until(lambda: set(running.ports()) == {"a"})
    assert running.store.problems() == []


@pytest.mark.parametrize("outage", [False, True])
async def test_after_etcd_was_restored_everything_is_listed_again(
    server: FakeApiServer, run: Run, outage: bool
) -> None:
    """The watch starts at a future version: it is accepted and silent. Objects are those of the backup."""
    server.put(service("a"), service("old"))
    backup = server.backup()
    running = run(silence_seconds=0.2)
    await watching(server, running)
    server.put(service("new"), service("a", 81))
    server.delete("Service", "default", "old")
    await running.until(lambda: running.ports() == {"a": 81, "new": 80})
    if outage:
        await server.stop()
    else:
        server.end_watches()
    server.restore(backup)
    if outage:
        await server.start()
    await running.until(lambda: running.ports() == {"a": 80, "old": 80})
    assert relists("Service", "went_back")
    server.put(service("b"))
    await running.until(lambda: "b" in running.ports())


async def test_an_event_of_an_older_version_lists_again(server: FakeApiServer, run: Run) -> None:
    """In an open watch, as behind a proxy that hides the restart."""
    server.put(service("a"))
    running = run()
    await watching(server, running)
    before = relists("Service", "went_back")
    server.put(service("b"))
    await running.until(lambda: "b" in running.ports())
    line = {"type": "MODIFIED", "object": service("b", 81)}
    line["object"]["metadata"]["resourceVersion"] = "1"
    server.send(json.dumps(line).encode() + b"\n", "Service")
    await server.until(lambda: server.count("list") == 3 and server.open_watches == 2)
    assert running.ports() == {"a": 80, "b": 80}, "the event is not used"
    assert relists("Service", "went_back") == before + 1


async def test_staleness_is_one_problem_with_all_kinds(server: FakeApiServer, run: Run) -> None:
    """From the configured age until each kind was received again; one log line when kinds are added, one when it
    ends.
    """
    now = 1000.0
    with structlog.testing.capture_logs() as logs:
        running = run(stale_seconds=180.0, clock=lambda: now)
        await watching(server, running)
        server.put(service("x"), slice_("y", ["10.0.0.1"]))
        await running.until(lambda: len(list(running.store.objects())) == 2)
        now += 180
        running.source.report_staleness()
        assert running.store.problems() == []
        now += 1
        for _ in range(3):
            running.source.report_staleness()
        [problem] = running.store.problems()
        assert problem.reason == (
            "nothing was heard for more than 180 s about endpointslices in all namespaces, services in all namespaces"
        )
        assert [status.stale for status in running.source.status()] == [True, True]
        assert [status.silent_seconds for status in running.source.status()] == [181, 181]
        server.put(service("a"))
        await running.until(lambda: "a" in running.ports())
        running.source.report_staleness()
        [problem] = running.store.problems()
        assert problem.reason.endswith("about endpointslices in all namespaces")
        server.put(slice_("z", ["10.0.0.1"]))
        await running.until(lambda: len(list(running.store.objects())) == 4)
        running.source.report_staleness()
        assert running.store.problems() == []
    assert [line["event"] for line in logs if "stale" in line["event"]] == ["informers_stale"]


async def test_a_forbidden_kind_is_not_reported_as_stale(server: FakeApiServer, run: Run) -> None:
    """Its own problem has the cause; it serves no object."""
    now = 0.0
    server.fail(403, plural="pods", times=1000)
    running = run(pods_and_nodes=True, stale_seconds=10.0, clock=lambda: now)
    await running.problem("kubernetes pods in all namespaces", "403")
    now = 11.0
    assert not next(status for status in running.source.status() if status.kind == "Pod").stale


async def test_a_kind_that_is_not_installed_is_not_stale(server: FakeApiServer, run: Run) -> None:
    """It is retried once a minute, which may exceed the setting."""
    now = 0.0
    server.missing.add("grpcroutes")
    running = run(policies=True, stale_seconds=10.0, clock=lambda: now)
    await running.until(lambda: running.store.synced)
    now = 11.0
    stale = {status.kind: status.stale for status in running.source.status()}
    assert stale["Service"]
    assert not stale["GRPCRoute"]


async def test_an_outage_is_one_problem_and_one_line_for_each_retry(server: FakeApiServer, run: Run) -> None:
    """For any number of kinds; start and end are logged once."""
    server.put(service("a"))
    with structlog.testing.capture_logs() as logs:

        async def logged(event: str, times: int) -> None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    if sum(line["event"] == event for line in logs) >= times:
                        return
                    await asyncio.sleep(0)  # the log has no listeners

        running = run(pods_and_nodes=True, policies=True)
        await running.until(lambda: running.store.synced)
        await server.until(lambda: server.open_watches == KINDS)
        logs.clear()
        await server.stop()
        await running.problem("cannot watch ", "trafficpolicies in all namespaces", "connection refused")
        await logged("api_server_failed", 5)
        assert {line["event"] for line in logs if line["log_level"] != "debug"} == {"api_server_failed"}
        assert len(running.store.problems()) == 1
        await server.start()
        await logged("api_server_answers", 1)
        assert running.store.problems() == []
        await server.until(lambda: server.open_watches == KINDS)
    assert sum(line["event"] == "api_server_answers" for line in logs) == 1


async def test_a_server_that_is_unreachable_at_the_start_delays_the_sync(
    server: FakeApiServer, run: Run, tmp_path: Path
) -> None:
    """With a problem until it is reachable."""
    server.put(service("a"))
    kubeconfig = server.write_kubeconfig(tmp_path / "k")
    await server.stop()
    running = run(kubeconfig)
    await running.problem("cannot list ", "connection refused")
    assert not running.store.synced
    await server.start()
    await running.until(lambda: running.store.synced and set(running.ports()) == {"a"})


async def test_a_page_that_is_no_list_is_a_failure(run: Run, tmp_path: Path) -> None:
    """Such as a proxy's login page: the address is wrong."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>")
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    path = tmp_path / "k"
    path.write_text(
        f"current-context: x\nclusters: [{{name: x, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n"
        "contexts: [{name: x, context: {cluster: x}}]\nusers: []\n"
    )
    running = run(path)
    await running.problem("cannot list ", "unreadable list", "no proxy changes its answers")
    other.close()
    await other.wait_closed()


@pytest.mark.parametrize(
    ("content", "context", "reason"),
    [
        (None, None, "no kubeconfig there (give --kubeconfig FILE"),
        (None, "production", "no kubeconfig there (give --kubeconfig FILE"),
        ("{", None, "not a usable kubeconfig"),
        ("[1, 2]", None, "not a usable kubeconfig"),
        ("apiVersion: v1\nkind: Config\n", None, "not a usable kubeconfig"),
        ("valid", "prod", "there is no context prod: choose another with --context (contexts: fake)"),
    ],
)
async def test_an_unusable_kubeconfig_ends_the_source(
    server: FakeApiServer, tmp_path: Path, content: str | None, context: str | None, reason: str
) -> None:
    """Only an operator can fix it, so the error is raised at once, with the file's name."""
    path = tmp_path / "kubeconfig"
    if content == "valid":
        server.write_kubeconfig(path)
    elif content is not None:
        path.write_text(content)
    store = ObjectStore()
    store.register("kubernetes")
    with pytest.raises(SourceError, match=str(path)) as caught:
        options = KubernetesOptions(path, context, silence_seconds=90, stale_seconds=180)
        await KubernetesSource(options, store).run()
    assert reason in str(caught.value)


async def test_files_and_api_server_give_equal_objects(
    server: FakeApiServer, run: Run, tmp_path: Path
) -> None:
    """The same manifests have the same meaning from either source."""
    manifests = """\
apiVersion: v1
kind: Service
metadata:
  name: backend
  namespace: shop
  labels: {app: backend}
  uid: 9f0e3c3a-5f5e-4a0e-8d0c-3f1f0a5c7d21
  annotations: {example.com/note: x}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  ports:
  - {name: grpc, port: 50051, targetPort: grpc, appProtocol: kubernetes.io/h2c}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: backend-1, namespace: shop, labels: {kubernetes.io/service-name: backend}}
addressType: IPv6
endpoints:
- addresses: ["fd00::1"]
  conditions: {ready: false, serving: true, terminating: true}
  hostname: web-0
  nodeName: node-1
  zone: eu-a
- addresses: ["fd00::2"]
ports:
- {name: grpc, port: 50051, protocol: TCP}
"""
    import yaml

    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "x.yaml").write_text(manifests)
    server.put(*yaml.safe_load_all(manifests))
    running = run()
    await running.until(lambda: running.store.synced)
    from_files = {obj.key: obj for obj in load([tmp_path / "m"], "default").objects}
    assert {obj.key: obj for obj in running.store.objects()} == from_files
    assert len(from_files) == 2


async def test_stopping_leaves_nothing_behind(server: FakeApiServer, run: Run) -> None:
    """No task and no connection."""
    running = run()
    await watching(server, running)
    await running.stop()
    await server.until(lambda: server.open_watches == 0)


async def test_an_unexpected_error_is_a_problem_of_its_kind_until_it_is_over(
    server: FakeApiServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known objects are kept, other kinds are followed, and the kind is listed again."""
    server.put(service("a"))
    running = run()
    await watching(server, running)
    monkeypatch.setattr(informer, "decode_event", lambda *_: 1 // 0)
    server.put(service("b"))
    await running.problem("kubernetes services in all namespaces", "internal error: ZeroDivisionError")
    assert running.store.get(key("a")) is not None
    monkeypatch.undo()
    await running.until(lambda: running.store.get(key("b")) is not None)
    await running.problem()
