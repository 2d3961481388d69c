"""Rows of services and clients: what they count, and that they follow the cluster and the streams."""

import asyncio

import pytest

from steerway.catalog.locality.client_locality import PodLocality
from steerway.sources.objects.core import ServicePort
from steerway.sources.store import Problem
from steerway.translate.xds import type_url
from testbed.mesh import endpoint, endpoint_slice, service
from tests.support.example.route_example import grpc_route, rule
from tests.unit.inventory.inventory_world import Load, Part, Stream, World, names_of

BACKEND = "shop/backend"
WEB = PodLocality("shop", "web-1", node="n1", zone="eu-1a", owner_kind="Deployment", owner="web")
SERVICE = service(ServicePort(50051, "grpc"))
PODS = endpoint_slice(
    endpoint("10.0.0.1", "eu-1a"),
    endpoint("10.0.0.2", "eu-1b"),
    endpoint("10.0.0.3", "eu-1a", ready=False),
    port_name="grpc",
)
NO_PODS = endpoint_slice(endpoint("10.0.0.3", ready=False), port_name="grpc")


@pytest.fixture
def world() -> World:
    """A service with a pod in each of two zones and one that is not ready, and a service without endpoints."""
    return World(SERVICE, PODS, service(80, name="empty"))


def connect(world: World, number: int = 1, state: str = "in_sync", namespace: str = "shop") -> Stream:
    stream = world.connect(
        f"web-6d4cf56db6-x7k2{'bcdf'[number]}", *names_of(BACKEND, 50051), audience=f"grpc/go/{namespace}"
    )
    stream.state = state
    return stream


def test_a_service_has_its_endpoints_by_state_and_zone(world: World) -> None:
    """Also those that no client gets since they are not ready."""
    row, empty = world.inventory.services()
    assert (row.id, row.namespace, row.name) == (BACKEND, "shop", "backend")
    assert [(port.number, port.name, port.protocol) for port in row.ports] == [(50051, "grpc", "HTTP/2")]
    counts = row.endpoints
    assert (counts.healthy, counts.draining, counts.unready, counts.total) == (2, 0, 1, 3)
    assert row.zones == {"eu-1a": 1, "eu-1b": 1}
    assert (row.state, empty.state) == ("idle", "idle")
    assert (empty.id, empty.endpoints.total) == ("shop/empty", 0)


def test_rows_follow_the_cluster(world: World) -> None:
    """A pod that is not ready changes no client's resources, and is counted all the same."""
    before = world.inventory.services()
    assert set(world.inventory.changed_services()) == {BACKEND, "shop/empty"}
    world.now = 7.0
    world.put(endpoint_slice(*(PODS.endpoints or ()), endpoint("10.0.0.4", ready=False), port_name="grpc"))
    assert world.inventory.changed_services() == {BACKEND}
    row = world.inventory.services([BACKEND])[0]
    assert (row.endpoints.unready, before[0].endpoints.unready) == (2, 1)
    assert world.inventory.aged([row])[0].changed_age_seconds == 7.0
    world.inventory.start()
    assert world.inventory.aged([row])[0].changed_age_seconds is None
    world.delete(service(80, name="empty"))
    assert world.inventory.changed_services() == {"shop/empty"}
    assert [row.id for row in world.inventory.services()] == [BACKEND]
    assert world.inventory.changed_services() == set()


def test_clients_are_counted_by_service_and_state(world: World) -> None:
    """The four names of one stream are one stream."""
    connect(world)
    connect(world, 2)
    row = world.inventory.services([BACKEND])[0]
    assert (row.clients.streams, row.clients.workloads, row.clients.states) == (2, 1, {"in_sync": 2})
    assert row.state == "ok"
    connect(world, 3, state="behind", namespace="web")
    row = world.inventory.services([BACKEND])[0]
    assert (row.clients.streams, row.clients.workloads) == (3, 2)
    assert (row.clients.states, row.state) == ({"in_sync": 2, "behind": 1}, "warning")


def test_a_refusal_of_one_type_is_that_of_the_client(world: World) -> None:
    """The state of each name is its own; the worst counts."""
    stream = connect(world)
    stream.subscriptions = stream.subscriptions[:3]
    other = world.connect(
        "web-6d4cf56db6-x7k2p", Part(type_url.ENDPOINT, ["backend.shop.svc.cluster.local:50051"])
    )
    other.state = "refused"
    row = world.inventory.services([BACKEND])[0]
    assert (row.clients.states, row.state) == ({"refused": 1}, "error")


def test_a_service_without_healthy_endpoints_is_an_error_for_its_clients_only(world: World) -> None:
    world.put(NO_PODS)
    assert world.inventory.services([BACKEND])[0].state == "idle"
    connect(world)
    assert world.inventory.services([BACKEND])[0].state == "error"
    world.put(PODS)
    assert world.inventory.services([BACKEND])[0].state == "ok"


def test_a_route_to_missing_backends_is_a_problem_of_its_service(world: World) -> None:
    """An error where clients call, as long as no backend of a rule exists; a missing share is a warning."""
    world.put(grpc_route(rule("gone")))
    assert world.inventory.services([BACKEND])[0].state == "warning"
    connect(world)
    assert world.inventory.services([BACKEND])[0].state == "error"
    world.put(service(ServicePort(50051, "grpc"), name="gone"))
    assert world.inventory.services([BACKEND])[0].state == "ok"
    world.delete(service(ServicePort(50051, "grpc"), name="gone"))
    assert world.inventory.services([BACKEND])[0].state == "error"
    world.put(grpc_route(rule("gone", "backend")))
    assert world.inventory.services([BACKEND])[0].state == "warning"
    world.put(grpc_route(rule("backend")))
    assert world.inventory.services([BACKEND])[0].state == "ok"


def test_problems_of_a_service_and_of_what_belongs_to_it_count(world: World) -> None:
    """They are read on the event loop first."""
    world.problems = [
        Problem("Service shop/backend", "no"),
        Problem("pods.yaml:3", "no", about=PODS.key),
        Problem("Service shop/other", "no"),
    ]
    assert world.inventory.services([BACKEND])[0].problems == 0
    world.inventory.observe()
    row = world.inventory.services([BACKEND])[0]
    assert (row.problems, row.state) == (2, "warning")


def test_names_of_all_dialects_are_those_of_the_service(world: World) -> None:
    """Short names by the namespace of the client, names of grpc-js with the mark of the object, TLS clusters."""
    canonical = "backend.shop.svc.cluster.local:50051"
    world.connect("a-0", Part(type_url.LISTENER, ["backend"]))
    world.connect("b-0", Part(type_url.CLUSTER, [f"{canonical}~0123456789ab"]))
    world.connect("c-0", Part(type_url.CLUSTER, [f"tls/{canonical}", "steerway.blackhole", "*"]))
    world.connect(
        "d-0", Part(type_url.LISTENER, ["steerway.sidecar"]), Part(type_url.ROUTE, ["steerway.sidecar"])
    )
    world.connect("e-0", Part(type_url.LISTENER, ["backend"]), audience="grpc/go/other")
    assert {*world.inventory.subscriptions_of(BACKEND)} == {"shop/a", "shop/b", "shop/c"}
    assert {*world.inventory.subscriptions_of("other/backend")} == {"other/e"}
    assert len(world.inventory.subscriptions()) == 4


def test_a_workload_has_its_clients(world: World) -> None:
    world.localities["10.0.0.9:1"] = WEB
    connect(world)
    connect(world, 2, state="waiting")
    world.connect(
        "db-0", audience="grpc/core/shop/eu-1b", peer="10.0.0.8:1", agent={"user_agent_name": "other"}
    )
    db, row = world.inventory.clients()
    assert (row.id, row.kind, row.streams, row.nodes) == ("shop/web", "Deployment", 2, 2)
    assert (row.states, row.state) == ({"in_sync": 1, "waiting": 1}, "waiting")
    assert (row.libraries, row.zones, row.services) == ({"grpc-go 1.80": 2}, {"eu-1a": 2}, 1)
    assert (db.kind, db.zones, db.services, db.state) == (None, {"eu-1b": 1}, 0, "in_sync")


def test_a_workload_is_renamed_when_its_pod_becomes_known(world: World) -> None:
    """Its streams are labelled again; a pod that is gone leaves the name."""
    stream = world.connect("sdk-17", *names_of(BACKEND, 50051))
    assert stream.label == "shop/sdk"
    world.localities["10.0.0.9:1"] = WEB
    world.index.follow({"10.0.0.9", "10.9.9.9"})
    assert stream.label == "shop/web"
    assert [row.id for row in world.inventory.clients()] == ["shop/web"]
    del world.localities["10.0.0.9:1"]
    world.index.follow({"10.0.0.9"})
    assert stream.label == "shop/web"


def test_a_stream_that_ended_counts_no_more(world: World) -> None:
    stream = connect(world)
    del world.engine.all[stream.id]
    world.index.release([stream.id, 99])
    assert world.inventory.clients() == []
    assert world.inventory.services([BACKEND])[0].clients.streams == 0
    assert (len(world.index), world.index.node_ids(), world.index.workloads()) == (0, [], {})


def test_a_node_id_has_its_streams(world: World) -> None:
    """One process may have several, and several processes one id."""
    world.localities["10.0.0.9:1"] = WEB
    first, second = connect(world), connect(world)
    second.state, second.subscriptions[0].nack_message, second.age_seconds = "refused", "no weight", 9.0
    connect(world, 2)
    assert world.index.node_ids() == ["web-6d4cf56db6-x7k2c", "web-6d4cf56db6-x7k2d"]
    row = world.inventory.client_nodes(world.index.node_ids())[0]
    assert (row.workload, row.client, row.streams) == ("shop/web", "grpc-go 1.80", 2)
    assert (row.state, row.states, row.nack) == ("refused", {"in_sync": 1, "refused": 1}, "no weight")
    assert (row.pod, row.node, row.zone, row.services, row.age_seconds) == ("web-1", "n1", "eu-1a", 1, 9.0)
    assert world.inventory.client_nodes(["nothing"]) == []
    assert world.inventory.node_states() == {"web-6d4cf56db6-x7k2c": "refused"}
    assert first.label == second.label


def test_the_graph_has_an_edge_for_each_workload_and_service(world: World) -> None:
    connect(world, state="absent")
    world.connect("job-0", *names_of("shop/gone", 80))
    world.engine.reported.localities = [
        Load("backend.shop.svc.cluster.local:50051", 7, 2),
        Load("backend.shop.svc.cluster.local:50051", 3),
        Load("of a file", 5),
    ]
    shown = world.inventory.graph()
    assert [(edge.id, edge.state, edge.streams) for edge in shown.edges] == [
        ("shop/job→shop/gone", "in_sync", 1),
        ("shop/web→shop/backend", "absent", 1),
    ]
    assert [(node.id, node.state, node.endpoints) for node in shown.services] == [
        (BACKEND, "warning", 2),
        ("shop/gone", "error", 0),
    ]
    load = shown.services[0].load
    assert load is not None
    assert (load.issued, load.errors) == (10, 2)
    assert [(node.id, node.state) for node in shown.workloads] == [
        ("shop/job", "in_sync"),
        ("shop/web", "absent"),
    ]
    assert not shown.truncated
    assert sorted(edge.id for edge in world.inventory.edges()) == [edge.id for edge in shown.edges]


def test_rows_are_prepared_in_slices_before_the_first_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """More services than two slices: a read afterwards computes nothing, and finds every row."""
    world = World(SERVICE, PODS, *(service(80, name=f"s{number}") for number in range(600)))
    connect(world)
    slices: list[int] = []
    refresh = world.table.refresh

    def noted(limit: int | None = None) -> frozenset[str]:
        done = refresh(limit)
        slices.append(len(done))
        return done

    monkeypatch.setattr(world.table, "refresh", noted)
    asyncio.run(world.inventory.prepare())
    assert sum(slices) == 601
    assert 0 < max(slices) <= 250
    slices.clear()
    rows = world.inventory.services()
    assert (len(rows), sum(slices)) == (601, 0)
    assert next(row for row in rows if row.id == BACKEND).clients.streams == 1
    assert len(world.inventory.changed_services()) == 601
