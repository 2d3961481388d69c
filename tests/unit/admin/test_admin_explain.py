"""`/api/v1/explain`: an explanation with the versions of the store and the clients that have them."""

from typing import Any

import httpx
import pytest

from steerway.errors import TranslateError, UnknownServiceError
from tests.unit.admin.admin_world import (
    CLUSTER,
    LISTENER,
    Absent,
    Entry,
    Resource,
    Stream,
    Subscription,
    World,
)

NAME = "backend.shop.svc.cluster.local:50051"
AUDIENCE = "grpc/unknown/shop"


def resource(type_url: str, name: str, body: bytes | None = b"", absent: str | None = None) -> dict[str, Any]:
    """One resource of an explanation, as translate makes it."""
    return {"type_url": type_url, "name": name, "audience": AUDIENCE, "absent": absent, "body": body}


@pytest.fixture
def explained(world: World) -> World:
    """A listener without a subscription, and a cluster of which the store has a version."""
    world.explanation = {
        "target": {"asked": "backend.shop"},
        "resources": [resource(LISTENER, "backend.shop"), resource(CLUSTER, NAME)],
    }
    world.all_entries = [Entry(CLUSTER, NAME, "grpc", body=b"\n\x01x")]
    return world


async def test_a_resource_in_the_store_has_its_version_and_body(
    explained: World, http: httpx.AsyncClient
) -> None:
    """The store precedes the preview; a resource without a subscription has no version."""
    answer = await http.get("/api/v1/explain?target=backend.shop&client=grpc-go/1.70&zone=a")
    assert explained.asked == {
        "target": "backend.shop",
        "caller": "",
        "method": "",
        "headers": "",
        "namespace": "",
        "zone": "a",
        "node": "",
        "client": "grpc-go/1.70",
    }
    listener, cluster = answer.json()["resources"]
    assert (listener["type"], listener["version"], listener["body"]) == ("lds", None, {})
    assert (cluster["type"], cluster["version"], cluster["audience"]) == ("cds", "v3", "grpc")
    assert cluster["body"] == {"name": "x"}
    assert answer.json()["clients"] == []
    assert answer.json()["target"] == {"asked": "backend.shop"}


async def test_equal_bytes_of_another_audience_have_the_same_version(
    explained: World, http: httpx.AsyncClient
) -> None:
    """A version is that of the content; another one of equal size is not it."""
    explained.all_entries = [
        Entry(LISTENER, "backend.shop", "grpc/go/pay", body=b"\n\x01y"),
        Entry(CLUSTER, NAME, "grpc/go/pay", body=b"\n\x01y"),
        Entry(CLUSTER, NAME, "grpc/core/pay", body=b"\n\x01x"),
    ]
    explained.explanation = {
        "resources": [resource(LISTENER, "backend.shop", b"\n\x01x"), resource(CLUSTER, NAME, b"\n\x01x")]
    }
    listener, cluster = (await http.get("/api/v1/explain?target=a")).json()["resources"]
    assert (listener["version"], listener["audience"]) == (None, AUDIENCE)
    assert (cluster["version"], cluster["audience"]) == ("v3", "grpc/core/pay")


async def test_clients_of_it_are_listed_with_what_each_has(explained: World, http: httpx.AsyncClient) -> None:
    """Clients that acknowledged the version of the store, lag behind, or rejected it with a message; no others."""

    def stream(id: int, *rows: Resource) -> Stream:
        part = Subscription(CLUSTER, names=[row.name for row in rows], resources=list(rows))
        return Stream(id, f"web-{id}", subscriptions=[part])

    explained.all_streams = [
        stream(1, Resource(NAME, "v3"), Resource("other", "v9", "sent")),
        stream(2, Resource(NAME, "v2")),
        stream(3, Resource(NAME, "v3", "nacked", "no such policy")),
        stream(4, Resource("other")),
    ]
    explained.subscribers.stated = {(b"", NAME): ["no least_request"], (b"", "other"): ["something else"]}
    answer = await http.get("/api/v1/explain?target=backend.shop")
    clients = answer.json()["clients"]
    assert [(client["node"], client["in_sync"]) for client in clients] == [
        ("web-1", True),
        ("web-2", False),
        ("web-3", False),
    ]
    assert clients[0] == {
        "node": "web-1",
        "client": "grpc-go 1.85",
        "address": "10.0.0.9:4711",
        "audience": AUDIENCE,
        "age_seconds": 12.0,
        "limitations": ["no least_request"],
        "in_sync": True,
        "resources": [
            {
                "type": "cds",
                "name": NAME,
                "status": "acked",
                "version": "v3",
                "current": True,
                "error": None,
                "sent_age_seconds": 3.0,
            }
        ],
        "absent": {},
    }
    assert clients[1]["resources"][0]["current"] is False
    assert clients[2]["resources"][0]["error"] == "no such policy"


async def test_an_absent_resource_has_its_reason(world: World, http: httpx.AsyncClient) -> None:
    """For the explanation, and for each client that asks for it."""
    world.explanation = {"resources": [resource(CLUSTER, NAME, None, "not exported")]}
    world.all_entries = [Entry(CLUSTER, NAME, AUDIENCE, reason="not exported to shop")]
    row = Resource(NAME, "", "does_not_exist")
    part = Subscription(CLUSTER, names=[NAME], resources=[row], absent=[Absent(NAME, "not exported to shop")])
    world.all_streams = [Stream(subscriptions=[part])]
    answer = (await http.get("/api/v1/explain?target=x")).json()
    (result,), (client,) = answer["resources"], answer["clients"]
    assert (result["absent"], result["body"], result["version"]) == ("not exported to shop", None, None)
    assert client["absent"] == {f"cds {NAME}": "not exported to shop"}
    assert client["in_sync"] is False


@pytest.mark.parametrize(
    ("query", "error", "status", "body"),
    [
        (
            "",
            None,
            400,
            {
                "error": "target is missing: give target, namespace, zone, node, client, caller, method, headers"
            },
        ),
        (
            "?target=a&zoen=b",
            None,
            400,
            {
                "error": "no parameter is called zoen: give target, namespace, zone, node, client, caller, method,"
                " headers"
            },
        ),
        ("?target=a..b", TranslateError("an empty label"), 400, {"error": "an empty label"}),
        (
            "?target=a",
            UnknownServiceError("there is no a", ["shop/b"]),
            404,
            {"error": "there is no a", "nearest": ["shop/b"]},
        ),
    ],
)
async def test_an_invalid_question_is_an_error(
    world: World, http: httpx.AsyncClient, query: str, error: TranslateError | None, status: int, body: object
) -> None:
    """With the message of the stage that rejects it."""
    if error is not None:
        world.explanation = error
    answer = await http.get(f"/api/v1/explain{query}")
    assert (answer.status_code, answer.json()) == (status, body)
