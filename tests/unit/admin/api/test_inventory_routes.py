"""Status, services, clients, graph and endpoints over HTTP."""

from typing import Any

import httpx
import pytest

from testbed.mesh import endpoint, endpoint_slice, service
from tests.unit.admin.admin_world import Stream, Subscription, World
from tests.unit.inventory.inventory_world import names_of

NODES = [f"web-6d4cf56db6-x7k2{letter}" for letter in "bcd"]


@pytest.fixture
def shop(world: World) -> World:
    """Two services, one of which has three clients of one workload."""
    pods = endpoint_slice(endpoint("10.0.0.1", "eu-1a"), endpoint("10.0.0.2", "eu-1b", ready=False))
    world.inventory.put(
        service(50051), service(80, name="canary"), service(80, name="front", namespace="web"), pods
    )
    for node_id in NODES:
        stream = world.inventory.connect(node_id, *names_of("shop/backend", 50051))
        parts = [Subscription(part.type_url, names=part.names) for part in stream.subscriptions]
        world.all_streams.append(Stream(stream.id, node_id, stream.node, subscriptions=parts))
    return world


async def get(http: httpx.AsyncClient, path: str, status: int = 200) -> dict[str, Any]:
    answer = await http.get(f"/api/v1/{path}")
    assert answer.status_code == status, answer.text
    document: dict[str, Any] = answer.json()
    return document


def ids(document: dict[str, Any]) -> list[str]:
    return [item["id"] for item in document["items"]]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["shop/backend", "shop/canary", "web/front"]),
        ("?namespace=shop", ["shop/backend", "shop/canary"]),
        ("?q=CAN", ["shop/canary"]),
        ("?service=shop/backend", ["shop/backend"]),
        ("?state=ok", ["shop/backend"]),
        ("?state=idle&namespace=web", ["web/front"]),
        ("?client=web-*b", ["shop/backend"]),
        ("?workload=shop/web", ["shop/backend"]),
        ("?workload=shop/web&client=other", []),
        ("?service=shop/canary&workload=shop/web", []),
    ],
)
async def test_services_are_filtered(http: httpx.AsyncClient, query: str, expected: list[str]) -> None:
    document = await get(http, f"services{query}")
    assert ids(document) == expected
    assert document["total"] == len(expected)


@pytest.mark.usefixtures("shop")
async def test_services_are_paged_with_the_fields_that_are_asked_for(http: httpx.AsyncClient) -> None:
    first = await get(http, "services?limit=2&fields=state,changed_age_seconds")
    assert first["items"][0] == {"id": "shop/backend", "state": "ok", "changed_age_seconds": 0.0}
    assert (first["total"], first["replica"]) == (3, "steerway-0")
    assert ids(await get(http, f"services?limit=2&after={first['next']}")) == ["web/front"]


@pytest.mark.usefixtures("shop")
async def test_a_service_has_its_details(http: httpx.AsyncClient) -> None:
    document = await get(http, "services/shop/backend")
    (port,) = document["port_details"]
    assert [(row["address"], row["state"], row["zone"]) for row in port["endpoints"]] == [
        ("10.0.0.1", "healthy", "eu-1a")
    ]
    assert port["left_out"] == [{"address": "10.0.0.2", "reason": "not ready", "zone": "eu-1b", "pod": None}]
    assert document["subscribers"][0]["workload"] == "shop/web"
    assert document["subscribers"][0]["streams"] == 3
    missing = await get(http, "services/shop/bakend", 404)
    assert missing["nearest"][0] == "shop/backend"
    elsewhere = await get(http, "services/shop/front", 404)
    assert elsewhere == {"error": "no service is called shop/front", "nearest": ["web/front"]}


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["shop/web"]),
        ("?namespace=web", []),
        ("?service=shop/backend", ["shop/web"]),
        ("?service=shop/canary", []),
        ("?state=in_sync", ["shop/web"]),
        ("?state=refused", []),
        ("?client=web-*", ["shop/web"]),
        ("?by=node", NODES),
        ("?by=node&client=*c", NODES[1:2]),
        ("?by=node&workload=shop/web&q=X7K2D", NODES[2:]),
        ("?by=node&service=shop/canary", []),
        ("?by=node&namespace=web", []),
        ("?by=node&state=behind", []),
    ],
)
async def test_clients_are_filtered(http: httpx.AsyncClient, query: str, expected: list[str]) -> None:
    assert ids(await get(http, f"clients{query}")) == expected


async def test_a_client_has_its_streams(shop: World, http: httpx.AsyncClient) -> None:
    document = await get(http, f"clients/{NODES[0]}")
    assert (document["workload"], document["services"]) == ("shop/web", 1)
    everything = await get(http, f"streams?resources=true&node={NODES[0]}")
    assert document["stream_details"] == everything["streams"]
    shop.inventory.connect("a/b", *names_of("shop/canary", 80))
    assert (await get(http, "clients/a/b"))["workload"] == "shop/a_b"
    missing = await get(http, "clients/web-6d4cf56db6-x7k2p", 404)
    assert missing["nearest"] == NODES[::-1] or set(missing["nearest"]) == set(NODES)


@pytest.mark.usefixtures("shop")
async def test_the_graph_is_filtered(http: httpx.AsyncClient) -> None:
    document = await get(http, "graph?service=shop/backend&workload=shop/web&namespace=shop")
    assert [edge["id"] for edge in document["edges"]] == ["shop/web→shop/backend"]
    assert (await get(http, "graph?namespace=web"))["edges"] == []
    assert (await get(http, "graph?service=backend", 400))[
        "error"
    ] == "service is 'backend': give NAMESPACE/NAME"


@pytest.mark.usefixtures("shop")
async def test_endpoints_are_those_of_a_supposed_or_a_connected_client(http: httpx.AsyncClient) -> None:
    document = await get(http, "endpoints?target=backend.shop&target=bakend.shop&client=grpc-go/1.80")
    backend, missing = document["targets"]
    assert [row["address"] for row in backend["clusters"][0]["endpoints"]] == ["10.0.0.1"]
    assert missing["error"] == "service shop/bakend not found"
    connected = await get(http, f"endpoints?target=backend&node={NODES[0]}")
    assert connected["targets"][0]["clusters"] == backend["clusters"]
    for query, status, error in (
        ("", 400, "target is given 0 times"),
        ("?target=a&client=nothing", 400, "'nothing' is no client"),
        ("?target=a&zone=%20", 400, "' ' is not a valid name of a zone"),
        ("?target=a&node=web&zone=z", 400, "node and zone exclude each other"),
        ("?target=a&node=nothing", 404, "no connected client has the node id 'nothing'"),
    ):
        assert error in (await get(http, f"endpoints{query}", status))["error"]


async def test_status_has_the_counts_of_the_replica(shop: World, http: httpx.AsyncClient) -> None:
    shop.unsynced = ["kubernetes"]
    shop.inventory.engine.counters.absent = 2
    document = await get(http, "status")
    assert (document["ready"], document["missing"]) == (False, ["source kubernetes has not synced"])
    counts = {name: document[name] for name in ("services", "workloads", "streams", "states", "absent")}
    assert counts == {"services": 3, "workloads": 1, "streams": 3, "states": {"in_sync": 3}, "absent": 2}
    assert (document["replica"], document["changes"]) == ("steerway-0", {"last_id": None})


@pytest.mark.parametrize(
    "path",
    ["services", "clients", "graph", "status", "endpoints", "problems", "streams", "loads", "services/a/b"],
)
async def test_an_unknown_parameter_is_an_error(http: httpx.AsyncClient, path: str) -> None:
    assert (await get(http, f"{path}?colour=red", 400))["error"].startswith("no parameter is called colour: ")
    assert "2 times" in (await get(http, "services?limit=1&limit=2", 400))["error"]
