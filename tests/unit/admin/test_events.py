"""`/api/v1/events` on a real socket: messages, the limit of viewers, the token, and what ends a stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import msgspec
import pytest

from steerway.admin import AdminServer
from steerway.sources.store import Problem
from testbed.process.deadline import PATIENCE_SECONDS
from tests.support.http_limits import http_limits
from tests.unit.admin.admin_world import World
from tests.unit.journal.journal_world import Counts

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
        {"error": "no topic is called 'chnges': give some of changes,problems"},
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
