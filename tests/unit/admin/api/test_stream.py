"""`/api/v1/streams`: what each client asked for, got, acknowledged and refused."""

import httpx
import pytest

from steerway.access.identity import of_pod
from steerway.catalog.locality.client_locality import PodLocality
from tests.unit.admin.admin_world import (
    CLUSTER,
    LISTENER,
    Absent,
    Change,
    Resource,
    Stream,
    Subscription,
    World,
)


async def streams(http: httpx.AsyncClient, query: str = "") -> list[dict[str, object]]:
    """The listed streams."""
    answer = await http.get(f"/api/v1/streams{query}")
    assert answer.status_code == 200
    results: list[dict[str, object]] = answer.json()["streams"]
    return results


async def test_a_stream_shows_its_client_and_its_resources(world: World, http: httpx.AsyncClient) -> None:
    """Every field of the answer, for a client that is in sync."""
    world.all_streams = [Stream(subscriptions=[Subscription(names=["b:1", "a:1"], change=Change())])]
    world.localities["10.0.0.9:4711"] = PodLocality("shop", "web-1", zone="zone-a")
    world.identities[1] = of_pod("shop", "web")
    assert await streams(http) == [
        {
            "id": 1,
            "node": "web-1",
            "client": "grpc-go 1.85",
            "address": "10.0.0.9:4711",
            "locality": {"namespace": "shop", "pod": "web-1", "zone": "zone-a"},
            "identity": {"method": "pod_address", "name": "service account shop/web"},
            "audience": "grpc/unknown/shop",
            "service": "envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
            "protocol": "sotw",
            "age_seconds": 12.0,
            "state": "in_sync",
            "in_sync": True,
            "limitations": [],
            "types": [
                {
                    "type": "lds",
                    "type_url": LISTENER,
                    "wildcard": False,
                    "names": ["a:1", "b:1"],
                    "waiting": [],
                    "absent": {},
                    "absent_count": 0,
                    "version_sent": "v1",
                    "version_acked": "v1",
                    "state": "in_sync",
                    "in_sync": True,
                    "sent_age_seconds": 1.235,
                    "acked_age_seconds": 1.0,
                    "nack": None,
                    "last_change": {
                        "event_to_received_seconds": 0.004127,
                        "received_to_published_seconds": 0.006,
                        "published_to_sent_seconds": 0.0002,
                        "sent_to_acked_seconds": 0.0007,
                        "event_to_acked_seconds": 0.011027,
                    },
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("part", "state"),
    [
        (Subscription(version_sent="v2", version_acked="v1"), "behind"),
        (Subscription(names=["a"], waiting=["a"], version_sent="", version_acked=""), "waiting"),
        (Subscription(version_sent="v2", nack_message="bad cluster", nack_version="v2"), "refused"),
        (Subscription(names=["a"], absent=[Absent("a")]), "absent"),
        (Subscription(names=["a"], absent=[Absent("a")], version_sent="v2"), "behind"),
    ],
)
async def test_a_stream_that_lags_waits_misses_or_refused_is_out_of_sync(
    world: World, http: httpx.AsyncClient, part: Subscription, state: str
) -> None:
    """One such type is enough, and of several the worst is named."""
    world.all_streams = [Stream(subscriptions=[Subscription(), part])]
    (stream,) = (await http.get("/api/v1/streams")).json()["streams"]
    assert (stream["in_sync"], stream["state"]) == (False, state)
    assert [row["state"] for row in stream["types"]] == ["in_sync", state]


async def test_a_refusal_shows_its_text_version_and_age(world: World, http: httpx.AsyncClient) -> None:
    """The last NACK as the client worded it."""
    part = Subscription(nack_message="no route", nack_version="v9", nack_age_seconds=3.0, version_sent="v9")
    world.all_streams = [Stream(subscriptions=[part], delta=True)]
    (stream,) = (await http.get("/api/v1/streams")).json()["streams"]
    assert stream["protocol"] == "delta"
    assert stream["types"][0]["nack"] == {"message": "no route", "version": "v9", "age_seconds": 3.0}


async def test_absent_names_carry_their_reason(world: World, http: httpx.AsyncClient) -> None:
    """As the engine gives it for the client, with what became of a name that was there; very many are counted."""
    absent = [Absent("gone", "no service is called gone", removed=True), Absent("never", "never was")]
    part = Subscription(names=["gone", "never", "fine"], absent=absent, more_absent=900)
    world.all_streams = [Stream(subscriptions=[part])]
    (stream,) = (await http.get("/api/v1/streams")).json()["streams"]
    assert stream["types"][0]["absent"] == {
        "gone": "no service is called gone (it was removed while the client was subscribed)",
        "never": "never was",
    }
    assert stream["types"][0]["absent_count"] == 902


async def test_streams_are_filtered_by_node_and_type(world: World, http: httpx.AsyncClient) -> None:
    """`node` takes a pattern, `type` any spelling of a type; other types of the stream are left out."""
    both = [Subscription(), Subscription(CLUSTER)]
    world.all_streams = [
        Stream(1, "web-1", subscriptions=both),
        Stream(2, "web-2", subscriptions=[Subscription()]),
        Stream(3, "db-1", subscriptions=both),
    ]
    assert [stream["id"] for stream in await streams(http, "?node=web-*")] == [1, 2]
    assert [stream["id"] for stream in await streams(http, "?node=web-1")] == [1]
    assert [stream["id"] for stream in await streams(http, "?node=web")] == []
    result = (await http.get("/api/v1/streams?type=cds")).json()["streams"]
    assert [(stream["node"], [part["type"] for part in stream["types"]]) for stream in result] == [
        ("db-1", ["cds"]),
        ("web-1", ["cds"]),
    ]


async def test_a_stream_shows_the_library_and_its_limitations(world: World, http: httpx.AsyncClient) -> None:
    """By all of its subscriptions, whichever type is shown."""
    world.all_streams = [
        Stream(node=b"js", subscriptions=[Subscription(names=["a:1"]), Subscription(CLUSTER, names=["b:1"])])
    ]
    world.subscribers.clients[b"js"] = "grpc-js 1.14"
    world.subscribers.stated = {
        (b"js", "a:1"): ["no a"],
        (b"js", "b:1"): ["no b"],
        (b"", "b:1"): ["not mine"],
    }
    (stream,) = await streams(http, "?type=cds")
    assert (stream["client"], stream["limitations"]) == ("grpc-js 1.14", ["no a", "no b"])


async def test_resources_are_shown_on_request(world: World, http: httpx.AsyncClient) -> None:
    """Only with `resources=true`, for there may be very many."""
    refused = Resource("b:1", status="nacked", error="cannot")
    world.all_streams = [Stream(subscriptions=[Subscription(resources=[Resource("a:1"), refused])])]
    (stream,) = await streams(http, "?resources=true")
    assert stream["types"][0]["resources"] == [  # type: ignore[index]
        {"name": "a:1", "version": "v1", "status": "acked", "error": None, "sent_age_seconds": 3.0},
        {"name": "b:1", "version": "v1", "status": "nacked", "error": "cannot", "sent_age_seconds": 3.0},
    ]
    (plain,) = await streams(http)
    assert "resources" not in plain["types"][0]  # type: ignore[index]
    wrong = await http.get("/api/v1/streams?resources=yes")
    assert (wrong.status_code, wrong.json()) == (400, {"error": "resources is 'yes': give true, false"})


async def test_streams_are_read_in_pages(world: World, http: httpx.AsyncClient) -> None:
    """By id; a page may have fewer rows than it has read, because of a filter."""
    world.all_streams = [Stream(id=id, node_id=f"web-{id}") for id in (1, 2, 3, 4)]
    pages = []
    token: str | None = "0"
    while token is not None:
        page = (await http.get(f"/api/v1/streams?limit=2&after={token}&node=web-[134]")).json()
        pages.append([stream["id"] for stream in page["streams"]])
        token = page["next"]
    assert pages == [[1], [3, 4], []]
    assert (await http.get("/api/v1/streams")).json()["next"] is None
    for wrong in ("limit=0", "limit=1001", "after=x"):
        assert (await http.get(f"/api/v1/streams?{wrong}")).status_code == 400
