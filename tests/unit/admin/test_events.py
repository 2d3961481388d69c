"""`/api/v1/events` on a real socket: messages, the limit of viewers, the token, and what ends a stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import httpx
import msgspec
import pytest

from steerway.admin import AdminServer
from steerway.sources.objects.core import ServicePort
from steerway.sources.store import Problem
from testbed.mesh import endpoint, endpoint_slice, service
from testbed.process.deadline import PATIENCE_SECONDS
from tests.support.http_limits import http_limits
from tests.unit.admin.admin_world import World
from tests.unit.inventory.inventory_world import names_of
from tests.unit.journal.journal_world import Counts

SERVICE = service(ServicePort(50051, "grpc"))
TOKEN = "right-0123456789abcdef"


@pytest.fixture
async def address(world: World) -> AsyncIterator[str]:
    """A server without a token."""
    server = AdminServer("127.0.0.1:0", world.view(), http_limits())
    yield f"http://{await server.start()}"
    world.phase = "draining"
    await server.stop()


async def messages(address: str, topics: str, **headers: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Topic and data of each message, until the stream ends."""
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        httpx.AsyncClient(base_url=address, headers=headers, timeout=None, trust_env=False) as http,
        http.stream("GET", "/api/v1/events", params={"topics": topics}) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        topic = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                topic = line.removeprefix("event: ")
            if line.startswith("data: "):
                yield topic, msgspec.json.decode(line.removeprefix("data: "))


async def changed(
    events: AsyncIterator[tuple[str, dict[str, Any]]], condition: Callable[[dict[str, Any]], Any]
) -> dict[str, Any]:
    """The next message with rows that match."""
    async for _, data in events:
        if (data["put"] or data["remove"]) and condition(data):
            return data
    raise AssertionError("the stream ended")


async def status(address: str, **parameters: str) -> tuple[int, dict[str, Any]]:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
        answer = await http.get("/api/v1/events", params=parameters)
        return answer.status_code, answer.json()


async def test_changes_follow_with_their_counts(world: World, address: str) -> None:
    first = world.journal.publish()
    world.journal.counts[first] = Counts(first, sent=1, acked=1)
    async with aclosing(messages(address, "changes")) as events:
        topic, data = await anext(events)
        assert (topic, data["reset"], [row["id"] for row in data["put"]]) == ("changes", True, ["1"])
        second = world.journal.publish()
        world.journal.counts[second] = Counts(second, sent=1, pending=1)
        _, data = await anext(events)
        assert (data["reset"], [row["id"] for row in data["put"]], data["remove"]) == (False, ["2"], [])
        assert data["put"][0]["clients"]["pending"] == 1
        world.journal.counts[second] = Counts(second, sent=1, acked=1)
        _, data = await anext(events)
        assert [(row["id"], row["clients"]["acked"]) for row in data["put"]] == [("2", 1)]


async def test_problems_are_sent_whole(world: World, address: str) -> None:
    async with aclosing(messages(address, "problems")) as events:
        assert await anext(events) == ("problems", {"reset": True, "put": [], "remove": []})
        world.all_problems = [Problem("Service shop/a", "no ports", "add one")]
        row = {"where": "Service shop/a", "reason": "no ports", "hint": "add one"}
        assert await anext(events) == ("problems", {"reset": True, "put": [row], "remove": []})


async def test_services_follow_the_cluster_and_their_clients(world: World, address: str) -> None:
    inventory = world.inventory
    inventory.put(SERVICE, service(80, name="other"))
    async with aclosing(messages(address, "services")) as events:
        topic, data = await anext(events)
        assert (topic, data["reset"]) == ("services", True)
        assert [(row["id"], row["state"]) for row in data["put"]] == [
            ("shop/backend", "idle"),
            ("shop/other", "idle"),
        ]
        inventory.put(endpoint_slice(endpoint("10.0.0.1", "eu-1a"), port_name="grpc"))
        data = await changed(events, lambda data: data["put"][0]["endpoints"]["healthy"] == 1)
        assert [row["id"] for row in data["put"]] == ["shop/backend"]
        inventory.connect("web-0", *names_of("shop/backend", 50051))
        data = await changed(events, lambda data: data["put"][0]["clients"]["streams"] == 1)
        assert [(row["id"], row["state"]) for row in data["put"]] == [("shop/backend", "ok")]
        inventory.delete(service(80, name="other"))
        data = await changed(events, lambda data: data["remove"])
        assert (data["put"], data["remove"]) == ([], ["shop/other"])


async def test_clients_and_the_graph_follow_the_streams(world: World, address: str) -> None:
    inventory = world.inventory
    inventory.put(SERVICE)
    stream = inventory.connect("web-0", *names_of("shop/backend", 50051))
    async with aclosing(messages(address, "clients,graph")) as events:
        first = dict([await anext(events), await anext(events)])
        assert [(row["id"], row["state"]) for row in first["clients"]["put"]] == [("shop/web", "in_sync")]
        assert [row["id"] for row in first["graph"]["put"]] == ["shop/web→shop/backend"]
        stream.state = "refused"
        following = dict([await anext(events), await anext(events)])
        assert [row["state"] for row in following["clients"]["put"]] == ["refused"]
        assert [row["state"] for row in following["graph"]["put"]] == ["refused"]
        assert not following["clients"]["reset"]


async def test_the_status_is_sent_whole(world: World, address: str) -> None:
    world.inventory.put(SERVICE)
    async with aclosing(messages(address, "status")) as events:
        topic, data = await anext(events)
        assert (topic, data["replica"], data["services"], data["phase"]) == (
            "status",
            "steerway-0",
            1,
            "serving",
        )
        world.phase = "draining"
        assert [data["phase"] async for _, data in events][-1] == "draining"


async def test_a_drain_ends_the_stream(world: World, address: str) -> None:
    async with aclosing(messages(address, "problems")) as events:
        await anext(events)
        world.phase = "draining"
        assert [event async for event in events] == []
    assert await status(address) == (503, {"error": "this replica is shutting down: connect again"})


async def test_viewers_are_limited_and_a_closed_one_makes_room(address: str) -> None:
    async with aclosing(messages(address, "problems")) as first:
        await anext(first)
        async with aclosing(messages(address, "problems")) as second:
            await anext(second)
            code, body = await status(address)
            assert (code, body["error"].split(":")[0]) == (503, "2 event streams are open")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                async with aclosing(messages(address, "problems")) as third:
                    try:
                        await anext(third)
                    except AssertionError:  # the server has not noticed the end of the second one yet
                        await asyncio.sleep(0.01)
                        continue
                break


async def test_an_unknown_topic(address: str) -> None:
    assert await status(address, topics="changes,chnges") == (
        400,
        {"error": "no topic is called 'chnges': give some of status,services,clients,changes,problems,graph"},
    )


async def test_it_needs_the_token(world: World) -> None:
    server = AdminServer("127.0.0.1:0", world.view(), http_limits(), TOKEN.__eq__)
    address = f"http://{await server.start()}"
    try:
        assert (await status(address))[0] == 401
        async with aclosing(messages(address, "problems", authorization=f"Bearer {TOKEN}")) as events:
            assert (await anext(events))[0] == "problems"
    finally:
        await server.stop()
